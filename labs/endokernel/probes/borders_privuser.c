/*
 * The PrivUser of the probe `borders`.
 */
#include "interposed_policy.h"
