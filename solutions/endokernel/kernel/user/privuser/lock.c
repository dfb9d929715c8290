// STAGE 3 FILE
/*
 * The monitor's one lock. Ring 2 cannot switch interrupts off, so a timer tick can bring another
 * thread into the monitor at any instruction: what is checked and then used, or counted and then
 * taken, needs the lock from the check to the use.
 */
#include "monitor.h"

static uint32_t locked;

void monitor_lock(void)
{
    while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE) != 0) {
        kernel_call(SYSTEM_CALL_YIELD, 0, 0, 0, 0, 0);
    }
}

void monitor_unlock(void)
{
    __atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
}
