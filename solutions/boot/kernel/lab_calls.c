/*
 * The lab's own system calls: from the registers of a program to the functions that do the work,
 * and back.
 */
#include "lab_calls.h"

#include "error.h"
#include "interrupt.h"
#include "journal.h"
#include "pit.h"
#include "scheduler.h"
#include "user_memory.h"

/* (number, entry): a check that is done right. The entry is made in the kernel and copied when it
 * is whole. */
static int call_journal_read(uint32_t number, virtual_address_t address)
{
    struct journal_entry entry;
    int result = journal_read(number, &entry);

    return result == OK ? copy_to_user(address, &entry, sizeof(entry)) : result;
}

/* (uptime): tells the program how long the kernel has been running. */
static int call_uptime(virtual_address_t address)
{
    // STAGE 3 {
    //: struct uptime *uptime = (struct uptime *)address;
    //:
    //: uptime->seconds = ticks / TICKS_PER_SECOND;
    //: uptime->ticks = ticks % TICKS_PER_SECOND;
    //: return OK;
    struct uptime uptime = {
        .seconds = ticks / TICKS_PER_SECOND,
        .ticks = ticks % TICKS_PER_SECOND,
    };

    return copy_to_user(address, &uptime, sizeof(uptime));
    // STAGE 3 }
}

int lab_system_call(trap_frame_t *caller)
{
    switch (caller->eax) {
    case LAB_CALL_SWITCHES:
        // STAGE 1 {
        //: /* TASK 1: the number of switches so far. scheduler.c is where they happen. */
        //: return E_NO_CALL;
        return (int)switches_count;
        // STAGE 1 }
    case LAB_CALL_JOURNAL_ADD:
        return journal_add(caller->ebx);
    case LAB_CALL_JOURNAL_READ:
        return call_journal_read(caller->ebx, caller->ecx);
    case LAB_CALL_UPTIME:
        return call_uptime(caller->ebx);
    default:
        return E_NO_CALL;
    }
}
