/*
 * The file server: an ordinary program, in ring 3, that owns the disk. The driver and the
 * filesystem are the kernel's own sources, in the folder file_server; only their caller is new. The
 * one thing that this program may do and others may not is to use the disk's ports.
 */
// STAGE 4 {
//: #include "ipc.h"
//: #include "library.h"
//:
#include "file_server.h"

#include "../ata.h"
#include "../filesystem.h"
#include "library_server.h"

/* Where a request's data are while the disk is worked on. */
#define BUFFER_START ((uint8_t *)0x20000000)
#define PIECE_SIZE   16384u
#define PAGE_SIZE    4096u

static uint32_t smaller(uint32_t left, uint32_t right)
{
    return left < right ? left : right;
}

/* Makes memory of that many bytes at BUFFER_START; the same number frees it. */
static int buffer_map(uint32_t length)
{
    return length == 0 ? OK : memory_map(BUFFER_START, round_up(length, PAGE_SIZE));
}

static void buffer_unmap(uint32_t length)
{
    if (length > 0) {
        memory_unmap(BUFFER_START, round_up(length, PAGE_SIZE));
    }
}

/* The requests. Each returns the result that the client is to get. */

static int serve_create(message_t *request)
{
    const uint32_t length = request->payload[WINDOW_LENGTH];
    const char *name = request_get_name(request);

    if (length > disk_sectors() * SECTOR_SIZE) {
        return create_file(name, NULL, length); /* fails before it needs the data */
    }
    int result = buffer_map(length);

    if (result != OK) {
        return result;
    }
    result = window_read(request->sender, 0, BUFFER_START, length);
    if (result == OK) {
        result = create_file(name, BUFFER_START, length);
    }
    buffer_unmap(length);
    return result;
}

static int serve_read(message_t *request)
{
    static uint8_t piece[PIECE_SIZE];
    const uint32_t offset = request->payload[FILE_OFFSET];
    const uint32_t length = request->payload[WINDOW_LENGTH];
    const char *name = request_get_name(request);
    uint32_t done = 0;
    int result;

    do {
        result = read_file(name, piece, offset + done, smaller(length - done, PIECE_SIZE));
        if (result < 0) {
            return result;
        }
        const int error = window_write(request->sender, done, piece, (uint32_t)result);

        if (error != OK) {
            return error;
        }
        done += (uint32_t)result;
    } while (result == (int)PIECE_SIZE);
    return (int)done;
}

static int serve_list(const message_t *request)
{
    /* Every file has a sector at least, so there cannot be more. */
    const uint32_t max =
        smaller(request->payload[WINDOW_LENGTH] / sizeof(struct file_entry), disk_sectors());
    int result = buffer_map(max * sizeof(struct file_entry));

    if (result != OK) {
        return result;
    }
    result = list_files((struct file_entry *)BUFFER_START, max);
    if (result > 0) {
        const int error = window_write(request->sender, 0, BUFFER_START,
                                       (uint32_t)result * sizeof(struct file_entry));

        result = error == OK ? result : error;
    }
    buffer_unmap(max * sizeof(struct file_entry));
    return result;
}

static int serve(message_t *request)
{
    switch (request->type) {
    case FILE_CREATE:
        return serve_create(request);
    case FILE_READ:
        return serve_read(request);
    case FILE_DELETE:
        return delete_file(request_get_name(request));
    case FILE_LIST:
        return serve_list(request);
    default:
        return E_INVALID;
    }
}

/* Says so, once, when the disk's files cannot be used. Not before the first request: who wants no
 * files needs no disk. */
static void check_disk(int disk)
{
    static bool is_checked;
    const int error = is_checked || disk != OK ? disk : filesystem_init();

    if (!is_checked && error != OK) {
        print_format("the disk cannot be used: %s\n", error_name(error));
    }
    is_checked = true;
}

// STAGE 4 }
int main(const char *argument)
{
    // STAGE 4 {
    //: // TASK 4: serve requests for files. Compiled with this file are those of the folder
    //: // file_server, the disk's driver and the filesystem; ../ata.h and ../filesystem.h say what
    //: // they offer. What the kernel must do for them to work: let this program, and no other, use
    //: // the disk's ports.
    //: (void)argument;
    //: return 0;
    const int disk = ata_init();
    message_t request;

    (void)argument;
    while (true) {
        if (ipc_receive(ENDPOINT_ANY, &request, 0) == OK && request.sender != ENDPOINT_KERNEL) {
            check_disk(disk);
            request_reply(request.sender, serve(&request));
        }
    }
    // STAGE 4 }
}
