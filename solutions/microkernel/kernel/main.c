/*
 * Where C begins: brings up the kernel part by part, starts the first program, and from then on
 * waits for interrupts. Those come here too, and are passed on to the part that knows what to do.
 */
#include "archive.h"
// STAGE 4 {
//: #include "ata.h"
// STAGE 4 }
#include "console.h"
#include "console_input.h"
#include "exception.h"
// STAGE 4 {
//: #include "filesystem.h"
// STAGE 4 }
#include "frame.h"
#include "heap.h"
#include "interrupt.h"
// STAGE 1 {
#include "ipc.h"
// STAGE 1 }
#include "paging.h"
#include "pic.h"
#include "pit.h"
#include "process.h"
#include "scheduler.h"
#include "screen.h"
#include "serial.h"
#include "shutdown.h"
// STAGE 2 {
//: #include "spawn.h"
//: #include "string.h"
// STAGE 2 }

// STAGE 2 {
//: #define FIRST_PROGRAM "shell"
#define PROCESS_SERVER "process_server"
// STAGE 2 }

/* Non-maskable interrupts: counted, and nothing else, since they may come at any instruction. */
uint32_t nmi_count;

void interrupt_handler(trap_frame_t *frame)
{
    if (frame->vector == VECTOR_SYSTEM_CALL) {
        system_call_handler(frame);
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
    // STAGE 1 {
    ipc_interrupt(PIT_IRQ);
    // STAGE 1 }
    // STAGE 3 {
    //: scheduler();
    quantum_end();
    // STAGE 3 }
}

// STAGE 4 {
//: /* Says so when the disk's files cannot be used. A first program that came with the kernel may do
//:  * without them, and then the disk, which answers when it likes, is left alone. */
//: static void check_disk(const char *first_program)
//: {
//:     const void *data;
//:     uint32_t length;
//:     int error = ata_init();
//:
//:     if (error == OK && archive_find(first_program, &data, &length) != OK) {
//:         error = filesystem_init();
//:     }
//:     if (error != OK) {
//:         print_format("the disk cannot be used: %s\n", error_name(error));
//:     }
//: }
//:
// STAGE 4 }
// STAGE 2 {
//: /* The boot archive's parameters may name another program, and give it an argument. */
//: static void start_first_program(void)
//: {
//:     char name[FILE_NAME_MAX + 1];
//:     char argument[ARGUMENT_MAX + 1];
//:
//:     if (parameter_get("init", name, sizeof name) < 0) {
//:         strcpy(name, FIRST_PROGRAM);
//:     }
//:     if (parameter_get("argument", argument, sizeof argument) < 0) {
//:         argument[0] = '\0';
//:     }
//:     check_disk(name);
//:     const int result = process_spawn(name, argument);
//:     if (result < 0) {
//:         print_format("cannot start %s: %s\n", name, error_name(result));
//:     }
//: }
//:
/* The one process that the kernel starts by itself. It starts all others. */
static void start_process_server(void)
{
    struct process_plan plan = {
        .pid = 1, .name = PROCESS_SERVER, .service = SERVICE_PROCESS, .argument = ""};

    // STAGE 4 {
    //: check_disk(plan.name);
    // STAGE 4 }
    if (archive_find(plan.name, &plan.image, &plan.length) != OK || process_start(&plan) < 0) {
        panic("cannot start the process server");
    }
}

// STAGE 2 }
/* The idle process: what runs when nobody else can. Interrupts are on here, and nowhere else in the
 * kernel; STI takes effect after the next instruction, so none can slip in before HLT. */
static _Noreturn void idle(void)
{
    while (processes_count > 0) {
        __asm__ volatile("sti; hlt; cli");
        // STAGE 3 {
        //: scheduler();
        dispatch();
        // STAGE 3 }
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
    // STAGE 2 {
    //: start_first_program();
    start_process_server();
    // STAGE 2 }
    // STAGE 3 {
    //: scheduler();
    dispatch();
    // STAGE 3 }
    idle();
}
