/*
 * The experiment, with a monitor in the process: the same system calls as cost_plain makes, and a
 * function of another domain beside a function.
 */
#include "cost.h"
#include "domain.h"

int entry_double(uint32_t value, uint32_t b, uint32_t c);

__attribute__((noinline, noclone)) int entry_double(uint32_t value, uint32_t b, uint32_t c)
{
    (void)b;
    (void)c;
    return (int)(2 * value);
}

static bool function_call(void)
{
    return entry_double(21, 0, 0) == 42;
}

static bool call_of_a_domain(void)
{
    return domain_call(1, 0, 21, 0, 0) == 42;
}

int main(const char *argument)
{
    (void)argument;
    cost_measure("function", function_call);
    cost_measure("domain_call", call_of_a_domain);
    cost_finish();
}
