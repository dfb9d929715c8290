/*
 * The ATA disk by programmed I/O: the processor moves every word itself and asks the drive, by
 * polling, when the next sector may be moved. Slow, and the shortest driver that a PC's disk has.
 * Section numbers are those of the standard, ATA/ATAPI-6 (T13/1410D).
 */
#include "ata.h"

#include "error.h"
#include "ports.h"

/* The command block registers of the first channel, and its control register. */
enum {
    DATA = 0x1F0,
    SECTOR_COUNT = 0x1F2,
    ADDRESS_LOW = 0x1F3,
    ADDRESS_MIDDLE = 0x1F4,
    ADDRESS_HIGH = 0x1F5,
    DEVICE = 0x1F6,
    STATUS = 0x1F7,           /* when read */
    COMMAND = 0x1F7,          /* when written */
    ALTERNATE_STATUS = 0x3F6, /* when read */
    DEVICE_CONTROL = 0x3F6,   /* when written */
};

enum {
    STATUS_ERROR = 1 << 0,
    STATUS_DATA_REQUEST = 1 << 3,
    STATUS_DEVICE_FAULT = 1 << 5,
    STATUS_BUSY = 1 << 7,
    STATUS_NO_DRIVE = 0,      /* an empty channel: a drive is at least READY or BUSY */
    STATUS_NO_CHANNEL = 0xFF, /* nobody drives the bus at all */
    CONTROL_NO_INTERRUPT = 1 << 1,
    CONTROL_RESET = 1 << 2,
    DEVICE_LBA = 0xE0, /* drive 0, addressed by sector number (bits 7 and 5 are obsolete and set) */
};

enum {
    COMMAND_READ_SECTORS = 0x20,
    COMMAND_WRITE_SECTORS = 0x30,
    COMMAND_FLUSH_CACHE = 0xE7,
    COMMAND_IDENTIFY = 0xEC,
};

enum {
    SECTOR_WORDS = SECTOR_SIZE / 2,
    COMMAND_SECTORS_MAX = 255, /* the register has 8 bits */
    IDENTIFY_SECTORS = 60,     /* words 60 and 61: how many sectors 28-bit addresses reach */
    /*
     * A status read takes about a microsecond on the bus, so this is two seconds, more than a
     * healthy disk ever needs. Reads are counted, not ticks: the kernel runs with interrupts off,
     * so the clock stands still meanwhile.
     */
    POLLS_MAX = 2000000,
};

static uint32_t capacity;

/* A drive has 400 ns to become busy after it was selected or commanded; four reads take that long
 * (9.5 of the standard; the alternate status, because reading it has no effect). */
static void wait_400ns(void)
{
    for (int i = 0; i < 4; i++) {
        inb(ALTERNATE_STATUS);
    }
}

/*
 * Waits until the drive is not busy any more and shows the bits `wanted`. While BUSY is set, the
 * other bits mean nothing (7.15); once it is clear, ERROR and DEVICE_FAULT end the wait. So does a
 * drive that never answers: some emulated ones do not, when asked for what they do not have.
 */
static int wait_for(uint8_t wanted)
{
    wait_400ns();
    for (uint32_t polls = 0; polls < POLLS_MAX; polls++) {
        uint8_t status = inb(STATUS);

        if (status == STATUS_NO_CHANNEL || status == STATUS_NO_DRIVE) {
            return E_IO;
        }
        if ((status & STATUS_BUSY) != 0) {
            continue;
        }
        if ((status & (STATUS_ERROR | STATUS_DEVICE_FAULT)) != 0) {
            return E_IO;
        }
        if ((status & wanted) == wanted) {
            return OK;
        }
    }
    return E_IO;
}

static int start_command(uint8_t command, uint32_t sector, uint32_t sectors)
{
    outb(DEVICE, (uint8_t)(DEVICE_LBA | (sector >> 24)));
    wait_400ns();
    if ((inb(STATUS) & STATUS_BUSY) != 0) {
        return E_IO; /* still at a command that timed out, or no channel (all ones) */
    }
    outb(SECTOR_COUNT, (uint8_t)sectors);
    outb(ADDRESS_LOW, (uint8_t)sector);
    outb(ADDRESS_MIDDLE, (uint8_t)(sector >> 8));
    outb(ADDRESS_HIGH, (uint8_t)(sector >> 16));
    outb(COMMAND, command);
    return OK;
}

/* One command's worth of sectors; the drive asks for each of them anew. */
static int read_part(uint32_t sector, uint8_t *buffer, uint32_t sectors)
{
    int error = start_command(COMMAND_READ_SECTORS, sector, sectors);

    for (uint32_t i = 0; error == OK && i < sectors; i++) {
        error = wait_for(STATUS_DATA_REQUEST);
        if (error == OK) {
            insw(DATA, buffer + i * SECTOR_SIZE, SECTOR_WORDS);
        }
    }
    return error;
}

/* Hands one sector over. Not inlined, so that a debugger, or a test that cuts the power, can stop
 * the machine between any two sectors. */
static __attribute__((noinline)) void send_sector(const uint8_t *sector)
{
    outsw(DATA, sector, SECTOR_WORDS);
}

static int write_part(uint32_t sector, const uint8_t *buffer, uint32_t sectors)
{
    int error = start_command(COMMAND_WRITE_SECTORS, sector, sectors);

    for (uint32_t i = 0; error == OK && i < sectors; i++) {
        error = wait_for(STATUS_DATA_REQUEST);
        if (error == OK) {
            send_sector(buffer + i * SECTOR_SIZE);
        }
    }
    /* The last sector's outcome is known only when the drive has dealt with it. */
    return error == OK ? wait_for(0) : error;
}

static int flush_cache(void)
{
    int error = start_command(COMMAND_FLUSH_CACHE, 0, 0);

    return error == OK ? wait_for(0) : error;
}

/* Checked here, since a drive need not notice: v86's sends nothing and reports no error. */
static int check_range(uint32_t sector, uint32_t sectors)
{
    if (capacity == 0) {
        return E_IO;
    }
    return sectors > capacity || sector > capacity - sectors ? E_INVALID : OK;
}

static uint32_t smaller(uint32_t left, uint32_t right)
{
    return left < right ? left : right;
}

/* Whoever had the disk before may have left it in the middle of a command. Then it takes no other
 * until it was reset (9.2 of the standard). */
static void end_old_command(void)
{
    uint8_t status = inb(STATUS);

    if (status == STATUS_NO_CHANNEL || (status & (STATUS_BUSY | STATUS_DATA_REQUEST)) == 0) {
        return;
    }
    outb(DEVICE_CONTROL, CONTROL_NO_INTERRUPT | CONTROL_RESET);
    for (int i = 0; i < 13; i++) {
        wait_400ns(); /* the bit must be set for 5 microseconds */
    }
    outb(DEVICE_CONTROL, CONTROL_NO_INTERRUPT);
    wait_for(0);
}

int ata_init(void)
{
    uint16_t identity[SECTOR_WORDS];

    capacity = 0;
    outb(DEVICE_CONTROL, CONTROL_NO_INTERRUPT); /* we poll */
    end_old_command();
    if (start_command(COMMAND_IDENTIFY, 0, 0) != OK || wait_for(STATUS_DATA_REQUEST) != OK) {
        return E_IO;
    }
    insw(DATA, identity, SECTOR_WORDS);
    /* NOLINTNEXTLINE(clang-analyzer-*): it cannot see that INSW has filled the array. */
    capacity = identity[IDENTIFY_SECTORS] | (uint32_t)identity[IDENTIFY_SECTORS + 1] << 16;
    return capacity > 0 ? OK : E_IO;
}

uint32_t disk_sectors(void)
{
    return capacity;
}

int read_disk(uint32_t sector, void *buffer, uint32_t sectors)
{
    int error = check_range(sector, sectors);

    for (uint32_t done = 0; error == OK && done < sectors; done += COMMAND_SECTORS_MAX) {
        uint8_t *part = (uint8_t *)buffer + done * SECTOR_SIZE;

        error = read_part(sector + done, part, smaller(sectors - done, COMMAND_SECTORS_MAX));
    }
    return error;
}

int write_disk(uint32_t sector, const void *buffer, uint32_t sectors)
{
    int error = check_range(sector, sectors);

    for (uint32_t done = 0; error == OK && done < sectors; done += COMMAND_SECTORS_MAX) {
        const uint8_t *part = (const uint8_t *)buffer + done * SECTOR_SIZE;

        error = write_part(sector + done, part, smaller(sectors - done, COMMAND_SECTORS_MAX));
    }
    return error == OK ? flush_cache() : error;
}
