/*
 * A server that does what no server may, on request. A test puts it into the file server's place,
 * so that the process server starts it, watches it, and starts it anew.
 */
#include "crew.h"

static void commit(uint32_t crime)
{
    static const uint8_t empty_table[6];
    switch (crime) {
    case 1:
        __asm__ volatile("cli");
        break;
    case 2:
        __asm__ volatile("hlt");
        break;
    case 3:
        __asm__ volatile("mov %0, %%cr3" : : "r"(0));
        break;
    case 4:
        __asm__ volatile("lgdt (%0)" : : "r"(empty_table));
        break;
    case 5:
        __asm__ volatile("outb %b0, $0x21" : : "a"(0xff)); /* would mask the timer */
        break;
    case 6:
        *(volatile uint32_t *)0xc0100000 = 0;
        break;
    case 7:
        __asm__ volatile("jmp *%0" : : "r"(0));
        break;
    default:
        __asm__ volatile("int $14"); /* no gate for programs */
    }
}

int main(const char *argument)
{
    (void)argument;
    for (;;) {
        message_t letter = {0};
        if (ipc_receive(ENDPOINT_ANY, &letter, 0) != 0)
            return 1;
        uint32_t client = letter.sender;
        if (client == ENDPOINT_KERNEL)
            continue;
        if (letter_key(&letter) != 0)
            commit(letter_key(&letter));
        ipc_reply(client, &letter);
    }
}
