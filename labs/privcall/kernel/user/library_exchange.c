/*
 * The exchange between two processes, from the programs' side.
 */
#include "../lab_calls.h"
#include "exchange.h"
#include "library.h"

int ask(uint32_t pid, uint32_t value)
{
    return system_call(LAB_CALL_ASK, pid, value, 0, 0, 0);
}

int answer(int value_for_the_last_asker, uint32_t *question)
{
    return system_call(LAB_CALL_ANSWER, (uint32_t)value_for_the_last_asker, (uint32_t)question, 0,
                       0, 0);
}
