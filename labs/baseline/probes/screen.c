/*
 * Prints a text that wraps, scrolls and moves back, according to `text`; the test looks at the
 * screen's memory.
 */
#include "library.h"
#include "probe.h"

enum { COLUMNS = 80, ROWS = 25 };

static void print_many(char character, uint32_t count)
{
    for (; count > 0; count--) {
        write(&character, 1);
    }
}

/* Whatever was on the screen is gone after as many new lines as it has rows. */
static void scroll_all(void)
{
    print_many('\n', ROWS);
}

int main(const char *argument)
{
    uint32_t nonce = probe_number(argument, "nonce", 0);

    probe_report("begun", 1);
    scroll_all();
    print_format("nonce %08x\n", nonce);
    print_many('w', COLUMNS + 3);
    print("\n");
    print_many('f', COLUMNS);
    print("\nafter a full line\n");
    print("abc\b\bX\n");
    print_many('b', COLUMNS);
    print("!\b \b\b?\n");
    print("over\rUP\n");
    print("a\tb\x1b\x07\x7f|\n");
    print("end");
    probe_finish();
    return 0;
}
