/*
 * Where C begins: brings up the kernel part by part, starts the first program, and from then on
 * waits for interrupts. Those come here too, and are passed on to the part that knows what to do.
 */
#include "archive.h"
#include "ata.h"
#include "console.h"
#include "console_input.h"
#include "exception.h"
#include "filesystem.h"
#include "frame.h"
#include "heap.h"
#include "interrupt.h"
// STAGE 1 {
#include "mediation.h"
// STAGE 1 }
#include "paging.h"
#include "pic.h"
#include "pit.h"
#include "process.h"
#include "scheduler.h"
#include "screen.h"
#include "serial.h"
#include "shutdown.h"
#include "spawn.h"
#include "string.h"

#define FIRST_PROGRAM "shell"

/* Non-maskable interrupts: counted, and nothing else, since they may come at any instruction. */
uint32_t nmi_count;

void interrupt_handler(trap_frame_t *frame)
{
    if (frame->vector == VECTOR_SYSTEM_CALL) {
        // STAGE 1 {
        //: system_call_handler(frame);
        if (!mediation_deliver(frame)) {
            system_call_handler(frame);
        }
        // STAGE 1 }
    } else if (frame->vector >= VECTOR_DEVICES) {
        pic_interrupt(frame->vector - VECTOR_DEVICES);
    } else if (frame->vector == VECTOR_NMI) {
        nmi_count++;
    } else {
        exception_handler(frame);
    }
}

/* The interrupt is ended first: the scheduler may return here only after many more ticks. */
void timer_handler(trap_frame_t *frame)
{
    (void)frame;
    pic_end_of_interrupt(PIT_IRQ);
    ticks++;
    process_tick();
    scheduler();
}

/* Says so when the disk's files cannot be used. A first program that came with the kernel may do
 * without them, and then the disk, which answers when it likes, is left alone. */
static void check_disk(const char *first_program)
{
    const void *data;
    uint32_t length;
    int error = ata_init();

    if (error == OK && archive_find(first_program, &data, &length) != OK) {
        error = filesystem_init();
    }
    if (error != OK) {
        print_format("the disk cannot be used: %s\n", error_name(error));
    }
}

/* The boot archive's parameters may name another program, and give it an argument. */
static void start_first_program(void)
{
    char name[FILE_NAME_MAX + 1];
    char argument[ARGUMENT_MAX + 1];

    if (parameter_get("init", name, sizeof name) < 0) {
        strcpy(name, FIRST_PROGRAM);
    }
    if (parameter_get("argument", argument, sizeof argument) < 0) {
        argument[0] = '\0';
    }
    check_disk(name);
    const int result = process_spawn(name, argument);
    if (result < 0) {
        print_format("cannot start %s: %s\n", name, error_name(result));
    }
}

/* The idle process: what runs when nobody else can. Interrupts are on here, and nowhere else in the
 * kernel; STI takes effect after the next instruction, so none can slip in before HLT. */
static _Noreturn void idle(void)
{
    while (processes_count > 0) {
        __asm__ volatile("sti; hlt; cli");
        scheduler();
    }
    println("no process is left");
    shutdown(0);
}

_Noreturn void kernel_main(physical_address_t boot_archive)
{
    serial_init();
    screen_init();
    println("539kernel");

    frame_init();
    paging_init();
    heap_init();
    archive_init(boot_archive);

    pic_init();
    pit_init();
    console_input_init();

    process_init();
    scheduler_init();
    start_first_program();
    scheduler();
    idle();
}
