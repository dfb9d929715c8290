/*
 * The PrivUser of the probe `interposed`.
 */
#include "interposed_policy.h"
