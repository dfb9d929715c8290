/*
 * For the PrivUser side of probes: every function of a privcall_table has four arguments, whether
 * it has a use for them or not.
 */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "privuser.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

#endif
