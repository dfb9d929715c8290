/*
 * The PC keyboard behind its 8042 controller. A key sends a scan code when it goes down, and the
 * same with the highest bit set when it comes up; the controller translates whatever the keyboard
 * speaks into scan code set 1 (IBM PS/2 technical reference, "Keyboard and auxiliary device
 * controller"). The layout is the American one.
 */
#include "keyboard.h"

#include <stdbool.h>
#include <stdint.h>

#include "console_input.h"
#include "interrupt.h"
#include "ports.h"

enum {
    DATA = 0x60,
    STATUS = 0x64,
    KEYBOARD_IRQ = 1,
    OUTPUT_FULL = 1 << 0,     /* status: a byte waits in DATA */
    OUTPUT_OF_MOUSE = 1 << 5, /* status: and it is the mouse's */
};

enum {
    RELEASED = 0x80,
    EXTENDED = 0xE0, /* a prefix: the next code is one of the keys that came with the PC/AT */
    CONTROL = 0x1D,
    LEFT_SHIFT = 0x2A,
    RIGHT_SHIFT = 0x36,
    CAPS_LOCK = 0x3A,
    KEYPAD_SLASH = 0x35, /* extended; without the prefix it is the slash of the main block */
    KEYPAD_ENTER = 0x1C,
};

/* Characters by scan code; 0 where a key has none. */
static const char PLAIN[] = "\0\0"
                            "1234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char SHIFTED[] =
    "\0\0!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static bool shift;
static bool control;
static bool caps_lock;
static bool extended;

static bool is_letter(char character)
{
    return character >= 'a' && character <= 'z';
}

/* The character that a key means, together with the keys that are held; 0 for none. */
static char character_of(uint8_t code)
{
    if (code >= sizeof(PLAIN) - 1) {
        return '\0';
    }
    char plain = PLAIN[code];

    if (control) {
        return is_letter(plain) ? (char)(plain - 'a' + 1) : '\0';
    }
    return shift != (caps_lock && is_letter(plain)) ? SHIFTED[code] : plain;
}

static void key_down(uint8_t code, bool is_extended)
{
    if (is_extended && code != KEYPAD_SLASH && code != KEYPAD_ENTER) {
        return; /* arrows and the like share their codes with the keypad's digits */
    }
    char character = character_of(code);

    if (character != '\0') {
        console_input_byte(character);
    }
}

static void scan_code(uint8_t byte)
{
    bool down = (byte & RELEASED) == 0;
    uint8_t code = byte & (uint8_t)~RELEASED;
    bool is_extended = extended;

    extended = byte == EXTENDED;
    if (extended) {
        return;
    }
    switch (code) {
    case LEFT_SHIFT:
    case RIGHT_SHIFT:
        /* With the prefix it is no key: keyboards send such a shift around Print and the arrows. */
        shift = is_extended ? shift : down;
        break;
    case CONTROL:
        control = down;
        break;
    case CAPS_LOCK:
        caps_lock = caps_lock != down;
        break;
    default:
        if (down) {
            key_down(code, is_extended);
        }
    }
}

static void keyboard_interrupt(void)
{
    uint8_t status = inb(STATUS);

    while ((status & OUTPUT_FULL) != 0 && status != 0xFF) { /* all ones: no controller there */
        uint8_t byte = inb(DATA);

        if ((status & OUTPUT_OF_MOUSE) == 0) {
            scan_code(byte);
        }
        status = inb(STATUS);
    }
}

void keyboard_init(void)
{
    irq_register(KEYBOARD_IRQ, keyboard_interrupt);
    /* The controller interrupts for a new byte only after the last one was read, and the firmware
     * may have left one there. */
    keyboard_interrupt();
}
