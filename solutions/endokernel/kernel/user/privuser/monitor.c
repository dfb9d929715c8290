/*
 * The monitor: takes each system call that the program makes in ring 3, and decides. What it allows
 * it has the kernel do, by a system call of its own; what it does not know it denies.
 */
// STAGE 1 {
//: #include "endokernel.h"
//:
//: /* TASK 1: what monitor_entry calls for each system call. You decide what it is given and returns. */
#include "monitor.h"

#include "error.h"
#include "lab_calls.h"

/* Has the kernel do it, as it was asked. The arguments are in the delivered frame, in PrivUser:
 * what was judged there is what the kernel gets. */
static int pass_on(monitor_frame_t *caller)
{
    return kernel_call(caller->eax, caller->ebx, caller->ecx, caller->edx, caller->esi,
                       caller->edi);
}

/* The same for a call whose first argument is a name. */
static int pass_on_with_name(monitor_frame_t *caller)
{
    char name[FILE_NAME_MAX + 1];
    const int length = string_copy(caller, name, caller->ebx, sizeof name);

    if (length < 0) {
        return length;
    }
    return kernel_call(caller->eax, (uint32_t)name, caller->ecx, caller->edx, caller->esi,
                       caller->edi);
}

/* A child without a monitor could do what its parent may not: the kernel starts none. */
static int monitor_spawn(monitor_frame_t *caller)
{
    char name[FILE_NAME_MAX + 1];
    char argument[ARGUMENT_MAX + 1];
    int length = string_copy(caller, name, caller->ebx, sizeof name);

    if (length < 0) {
        return length;
    }
    length = string_copy(caller, argument, caller->ecx, sizeof argument);
    if (length < 0) {
        return length == E_NAME ? E_INVALID : length;
    }
    return kernel_call(KERNEL_CALL_SPAWN, (uint32_t)name, (uint32_t)argument, 0, 0, 0);
}

/* What is code now must stay what it is: the kernel takes nothing away that cannot be written. */
static int monitor_unmap(monitor_frame_t *caller)
{
    return kernel_call(KERNEL_CALL_UNMAP, caller->ebx, caller->ecx, 0, 0, 0);
}

static int monitor_exit(monitor_frame_t *caller)
{
    // STAGE 3 {
    domain_forget_thread(caller->thread);
    // STAGE 3 }
    return pass_on(caller);
}

static const monitor_call_t calls[] = {
    [SYSTEM_CALL_EXIT] = monitor_exit,
    [SYSTEM_CALL_WRITE] = pass_on,
    [SYSTEM_CALL_READ] = pass_on,
    [SYSTEM_CALL_SPAWN] = monitor_spawn,
    [SYSTEM_CALL_WAIT] = pass_on,
    [SYSTEM_CALL_KILL] = pass_on,
    [SYSTEM_CALL_YIELD] = pass_on,
    [SYSTEM_CALL_SLEEP] = pass_on,
    [SYSTEM_CALL_GETPID] = pass_on,
    [SYSTEM_CALL_TICKS] = pass_on,
    // STAGE 2 {
    //: [SYSTEM_CALL_CREATE_FILE] = pass_on_with_name,
    //: [SYSTEM_CALL_READ_FILE] = pass_on_with_name,
    //: [SYSTEM_CALL_DELETE_FILE] = pass_on_with_name,
    [SYSTEM_CALL_CREATE_FILE] = monitor_create_file,
    [SYSTEM_CALL_READ_FILE] = monitor_read_file,
    [SYSTEM_CALL_DELETE_FILE] = monitor_delete_file,
    // STAGE 2 }
    [SYSTEM_CALL_LIST_FILES] = pass_on,
    [SYSTEM_CALL_LIST_PROCESSES] = pass_on,
    [SYSTEM_CALL_MEMORY_MAP] = pass_on,
    [SYSTEM_CALL_MEMORY_UNMAP] = monitor_unmap,
    [SYSTEM_CALL_PARAMETER] = pass_on_with_name,
    [SYSTEM_CALL_SHUTDOWN] = pass_on,
    [LAB_CALL_THREAD_CREATE] = pass_on,
    [LAB_CALL_ASK] = pass_on,
    [LAB_CALL_ANSWER] = pass_on,
    // STAGE 2 {
    //: [SYSTEM_CALL_OPEN_FILE] = pass_on_with_name,
    //: [SYSTEM_CALL_READ_HANDLE] = pass_on,
    //: [SYSTEM_CALL_CLOSE_HANDLE] = pass_on,
    //: [SYSTEM_CALL_DUPLICATE_HANDLE] = pass_on,
    //: [SYSTEM_CALL_HANDLE_NAME] = pass_on,
    //: [SYSTEM_CALL_DELETE_HANDLE] = pass_on,
    [SYSTEM_CALL_OPEN_FILE] = monitor_open_file,
    [SYSTEM_CALL_READ_HANDLE] = monitor_read_handle,
    [SYSTEM_CALL_CLOSE_HANDLE] = monitor_close_handle,
    [SYSTEM_CALL_DUPLICATE_HANDLE] = monitor_duplicate_handle,
    [SYSTEM_CALL_HANDLE_NAME] = monitor_handle_name,
    [SYSTEM_CALL_DELETE_HANDLE] = monitor_delete_handle,
    [SYSTEM_CALL_LINK_FILE] = monitor_link_file,
    // STAGE 2 }
};

// STAGE 4 {
/* What is judged and then used must not change in between, by another thread in the same call. */
static int carry_out_alone(monitor_frame_t *caller)
{
    monitor_lock();
    const int result = calls[caller->eax](caller);
    monitor_unlock();
    return result;
}

static bool is_about_files(uint32_t number)
{
    return (number >= SYSTEM_CALL_CREATE_FILE && number <= SYSTEM_CALL_DELETE_FILE) ||
           (number >= SYSTEM_CALL_OPEN_FILE && number <= SYSTEM_CALL_LINK_FILE);
}

// STAGE 4 }
static int decide(monitor_frame_t *caller)
{
    const uint32_t number = caller->eax; /* unsigned: what is negative is large */

    // STAGE 3 {
    if (number == MONITOR_CALL_DOMAIN_CALL) {
        return domain_enter(caller);
    }
    if (number == MONITOR_CALL_DOMAIN_RETURN) {
        return domain_leave(caller);
    }
    // STAGE 3 }
    if (number != SYSTEM_CALL_EXIT && !policy_allows_call(caller->domain, number)) {
        return E_PERMISSION;
    }
    if (number >= sizeof calls / sizeof calls[0] || calls[number] == NULL) {
        return E_NO_CALL;
    }
    if (!buffers_are_the_callers(caller)) {
        return E_FAULT;
    }
    // STAGE 4 {
    if (is_about_files(number)) {
        return carry_out_alone(caller);
    }
    // STAGE 4 }
    return calls[number](caller);
}

/* Called by monitor_entry.asm with what the kernel delivered; when it returns, so does the
 * program's system call. */
void monitor_system_call(monitor_frame_t *caller);

void monitor_system_call(monitor_frame_t *caller)
{
    const int result = decide(caller); /* it may change the frame as a whole */

    caller->eax = (uint32_t)result;
}
// STAGE 1 }
