/*
 * The system calls, from the kernel's side: one small function each, which checks what it was given
 * and calls the part of the kernel that does the work. Everything a program passes may be wrong, by
 * mistake or by intent; nothing it passes may harm anybody but itself.
 */
#include "system_call.h"

#include "archive.h"
#include "console.h"
#include "console_input.h"
// STAGE 4 {
//: #include "filesystem.h"
// STAGE 4 }
#include "interrupt.h"
#include "pit.h"
#include "process.h"
#include "shutdown.h"
// STAGE 2 {
//: #include "spawn.h"
// STAGE 2 }
#include "string.h"
#include "user_memory.h"

#define LINE_MAX        256         /* the longest line that read() takes from the console */
#define SLEEP_TICKS_MAX 0x7FFFFFFFu /* see process_tick */

/* Arguments are in EBX, ECX, EDX, ESI and EDI of the program that called. */
typedef int (*call_t)(const trap_frame_t *caller);

static int call_exit(const trap_frame_t *caller)
{
    process_exit((int)caller->ebx);
}

static int call_write(const trap_frame_t *caller)
{
    const int error = user_range_check(caller->ebx, caller->ecx, false);

    if (error != OK) {
        return error;
    }
    console_write((const char *)caller->ebx, caller->ecx);
    return (int)caller->ecx;
}

static int call_read(const trap_frame_t *caller)
{
    char line[LINE_MAX];
    const uint32_t size = caller->ecx < LINE_MAX ? caller->ecx : LINE_MAX;
    const int error = user_range_check(caller->ebx, caller->ecx, true);

    if (error != OK) {
        return error;
    }
    const int length = console_read(line, size);
    if (length > 0 && copy_to_user(caller->ebx, line, (uint32_t)length) != OK) {
        return E_FAULT;
    }
    return length;
}

// STAGE 2 {
//: static int call_spawn(const trap_frame_t *caller)
//: {
//:     char name[FILE_NAME_MAX + 1];
//:     char argument[ARGUMENT_MAX + 1];
//:     int length = copy_string_from_user(name, caller->ebx, sizeof name);
//:
//:     if (length < 0) {
//:         return length;
//:     }
//:     length = copy_string_from_user(argument, caller->ecx, sizeof argument);
//:     if (length < 0) {
//:         return length == E_NAME ? E_INVALID : length;
//:     }
//:     return process_spawn(name, argument);
//: }
//:
//: static int call_wait(const trap_frame_t *caller)
//: {
//:     const bool wants_status = caller->ecx != 0;
//:     int status;
//:
//:     /* Before the child is forgotten, not after: its status would be lost with a bad pointer. */
//:     if (wants_status && user_range_check(caller->ecx, sizeof status, true) != OK) {
//:         return E_FAULT;
//:     }
//:     const int pid = process_wait(caller->ebx, &status);
//:     if (pid > 0 && wants_status) {
//:         copy_to_user(caller->ecx, &status, sizeof status);
//:     }
//:     return pid;
//: }
//:
//: static int call_kill(const trap_frame_t *caller)
//: {
//:     return process_kill(caller->ebx);
//: }
//:
// STAGE 2 }
static int call_yield(const trap_frame_t *caller)
{
    (void)caller;
    process_yield();
    return OK;
}

static int call_sleep(const trap_frame_t *caller)
{
    if (caller->ebx > SLEEP_TICKS_MAX) {
        return E_INVALID;
    }
    process_sleep(caller->ebx);
    return OK;
}

static int call_getpid(const trap_frame_t *caller)
{
    (void)caller;
    return (int)current_process->pid;
}

static int call_ticks(const trap_frame_t *caller)
{
    (void)caller;
    return (int)ticks;
}

// STAGE 4 {
//: static int call_create_file(const trap_frame_t *caller)
//: {
//:     char name[FILE_NAME_MAX + 1];
//:     const int length = copy_string_from_user(name, caller->ebx, sizeof name);
//:
//:     if (length < 0) {
//:         return length;
//:     }
//:     if (user_range_check(caller->ecx, caller->edx, false) != OK) {
//:         return E_FAULT;
//:     }
//:     return create_file(name, (const void *)caller->ecx, caller->edx);
//: }
//:
//: static int call_read_file(const trap_frame_t *caller)
//: {
//:     char name[FILE_NAME_MAX + 1];
//:     const int length = copy_string_from_user(name, caller->ebx, sizeof name);
//:
//:     if (length < 0) {
//:         return length;
//:     }
//:     if (user_range_check(caller->ecx, caller->esi, true) != OK) {
//:         return E_FAULT;
//:     }
//:     return read_file(name, (void *)caller->ecx, caller->edx, caller->esi);
//: }
//:
//: static int call_delete_file(const trap_frame_t *caller)
//: {
//:     char name[FILE_NAME_MAX + 1];
//:     const int length = copy_string_from_user(name, caller->ebx, sizeof name);
//:
//:     return length < 0 ? length : delete_file(name);
//: }
//:
// STAGE 4 }
// STAGE 4 {
//: /* Whether the program may write an array of `count` entries; their sizes' sum must not wrap. */
//: static bool is_writable_array(virtual_address_t start, uint32_t count, uint32_t entry_size)
//: {
//:     return count <= KBASE / entry_size && user_range_check(start, count * entry_size, true) == OK;
//: }
//:
//: static int call_list_files(const trap_frame_t *caller)
//: {
//:     if (!is_writable_array(caller->ebx, caller->ecx, sizeof(struct file_entry))) {
//:         return E_FAULT;
//:     }
//:     return list_files((struct file_entry *)caller->ebx, caller->ecx);
//: }
//:
// STAGE 4 }
// STAGE 2 {
//: static int call_list_processes(const trap_frame_t *caller)
//: {
//:     if (!is_writable_array(caller->ebx, caller->ecx, sizeof(struct process_entry))) {
//:         return E_FAULT;
//:     }
//:     return (int)process_list((struct process_entry *)caller->ebx, caller->ecx);
//: }
//:
// STAGE 2 }
static int call_memory_map(const trap_frame_t *caller)
{
    return user_memory_map(caller->ebx, caller->ecx);
}

static int call_memory_unmap(const trap_frame_t *caller)
{
    return user_memory_unmap(caller->ebx, caller->ecx);
}

static int call_parameter(const trap_frame_t *caller)
{
    char key[KEY_MAX + 1];
    char value[PARAMETER_MAX + 1];
    int length = copy_string_from_user(key, caller->ebx, sizeof key);

    if (length < 0) {
        return length;
    }
    if (user_range_check(caller->ecx, caller->edx, true) != OK) {
        return E_FAULT;
    }
    length = parameter_get(key, value, sizeof value);
    if (length < 0) {
        return length;
    }
    if ((uint32_t)length >= caller->edx) {
        return E_INVALID;
    }
    memcpy((void *)caller->ecx, value, (uint32_t)length + 1);
    return length;
}

static int call_shutdown(const trap_frame_t *caller)
{
    shutdown((int)caller->ebx);
}

static const call_t calls[] = {
    [SYSTEM_CALL_EXIT] = call_exit,
    [SYSTEM_CALL_WRITE] = call_write,
    [SYSTEM_CALL_READ] = call_read,
    // STAGE 2 {
    //: [SYSTEM_CALL_SPAWN] = call_spawn,
    //: [SYSTEM_CALL_WAIT] = call_wait,
    //: [SYSTEM_CALL_KILL] = call_kill,
    // STAGE 2 }
    [SYSTEM_CALL_YIELD] = call_yield,
    [SYSTEM_CALL_SLEEP] = call_sleep,
    [SYSTEM_CALL_GETPID] = call_getpid,
    [SYSTEM_CALL_TICKS] = call_ticks,
    // STAGE 4 {
    //: [SYSTEM_CALL_CREATE_FILE] = call_create_file,
    //: [SYSTEM_CALL_READ_FILE] = call_read_file,
    //: [SYSTEM_CALL_DELETE_FILE] = call_delete_file,
    //: [SYSTEM_CALL_LIST_FILES] = call_list_files,
    // STAGE 4 }
    // STAGE 2 {
    //: [SYSTEM_CALL_LIST_PROCESSES] = call_list_processes,
    // STAGE 2 }
    [SYSTEM_CALL_MEMORY_MAP] = call_memory_map,
    [SYSTEM_CALL_MEMORY_UNMAP] = call_memory_unmap,
    [SYSTEM_CALL_PARAMETER] = call_parameter,
    [SYSTEM_CALL_SHUTDOWN] = call_shutdown,
};

/* What answers a lab's calls where there is no lab; a lab's own function of this name takes its
 * place. */
__attribute__((weak)) int lab_system_call(trap_frame_t *caller)
{
    (void)caller;
    return E_NO_CALL;
}

void system_call_handler(trap_frame_t *caller)
{
    const uint32_t number = caller->eax;

    if (number >= SYSTEM_CALL_LAB_FIRST && number <= SYSTEM_CALL_LAB_LAST) {
        caller->eax = (uint32_t)lab_system_call(caller);
        return;
    }
    if (number >= sizeof calls / sizeof calls[0] || calls[number] == NULL) {
        caller->eax = (uint32_t)E_NO_CALL;
        return;
    }
    caller->eax = (uint32_t)calls[number](caller);
}
