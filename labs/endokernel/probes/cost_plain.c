/*
 * The experiment, without a monitor in the process: system calls as the kernel does them, and with
 * a question to another process before each, which decides by the same table.
 */
#include "cost.h"
#include "exchange.h"

static uint32_t judge; /* pid */

static bool asked_null_call(void)
{
    return ask(judge, SYSTEM_CALL_GETPID) == OK && cost_null_call();
}

/* Says OK to what is allowed. */
static int serve(void)
{
    static const uint32_t calls[2] = {CALL_BIT(SYSTEM_CALL_GETPID)};
    uint32_t number;
    int decision = E_PERMISSION;

    while (answer(decision, &number) > 0) {
        const bool allowed = number < 64 && (calls[number / 32] & CALL_BIT(number));

        decision = allowed ? OK : E_PERMISSION;
    }
    return 1;
}

int main(const char *argument)
{
    if (probe_number(argument, "serve", 0) != 0) {
        return serve();
    }
    judge = (uint32_t)spawn("cost_plain", "serve=1");
    cost_measure("asked_call", asked_null_call);
    cost_finish();
}
