/*
 * The smallest program that says something: a greeting, with the argument it was given.
 */
#include "library.h"

int main(const char *argument)
{
    print_format("Hello, %s, from process %d!\n", argument[0] != '\0' ? argument : "world",
                 getpid());
    return 0;
}
