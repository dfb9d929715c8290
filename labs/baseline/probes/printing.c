/*
 * Prints what is hard to print, between two lines that mark it.
 */
#include "library.h"
#include "probe.h"

int main(const char *argument)
{
    const char *volatile nothing = NULL; /* volatile: the compiler would see the NULL, and object */
    uint32_t nonce = probe_number(argument, "nonce", 0);

    print("[begin]\n");
    print_format("%d %d %d %d\n", 0, -1, INT32_MAX, INT32_MIN);
    print_format("%u %x %08x %x\n", UINT32_MAX, 0xBEEFu, 0x539u, 0u);
    print_format("|%6d|%-6d|%06d|%2d|\n", -42, -42, -42, 12345);
    print_format("|%8s|%-8s|%s|%c|%%|\n", "right", "left", "", 'c');
    print_format("%s\n", nothing);
    print_format("%u %x\n", nonce, nonce);
    print("[end]\n");
    probe_finish();
    return 0;
}
