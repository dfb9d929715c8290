/*
 * The PrivUser of the probe `borrower`.
 */
#include "modules_policy.h"
