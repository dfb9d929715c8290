/*
 * The PrivUser of the probe `forger`.
 */
#include "modules_policy.h"
