/*
 * The errors' names, for showing them to people.
 */
#include "error.h"

#include <stddef.h>

const char *error_name(int error)
{
    static const char *const names[] = {
        "OK",           "E_INVALID", "E_FAULT",   "E_MEMORY",  "E_NOT_FOUND", "E_EXISTS",
        "E_FULL",       "E_NAME",    "E_IO",      "E_CORRUPT", "E_NO_CALL",   "E_NO_PROCESS",
        "E_PERMISSION", "E_FORMAT",  "E_BLOCKED", "E_DEAD",    "E_DEADLOCK",
    };
    const int count = sizeof names / sizeof names[0];

    return error <= 0 && error > -count ? names[-error] : "E_UNKNOWN";
}
