/*
 * The PrivUser of the probe `modules`.
 */
#include "modules_policy.h"
