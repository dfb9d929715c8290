/*
 * The VGA text screen. The display reads its characters straight from memory at 0xB8000, two bytes
 * a cell: the character's code and its colours; to print is to write there. Only the cursor is
 * moved through ports, those of the CRT controller (IBM VGA technical reference, "CRT controller").
 */
#include "screen.h"

#include "ports.h"
#include "string.h"
#include "types.h"

#define CELLS ((volatile uint16_t *)(KBASE + 0xB8000))

enum {
    BLANK = 0x0720, /* a space, light grey on black */
    COLOURS = 0x0700,
    TAB_WIDTH = 8,
    CRT_INDEX = 0x3D4,
    CRT_DATA = 0x3D5,
    CURSOR_HIGH = 0x0E,
    CURSOR_LOW = 0x0F,
};

static uint32_t row;
/* May be SCREEN_COLUMNS: the row is full, and wraps only when another character comes. So a line of
 * exactly 80 characters and its '\n' take one row, not two. */
static uint32_t column;

static void show_cursor(void)
{
    uint32_t shown = column < SCREEN_COLUMNS ? column : SCREEN_COLUMNS - 1;
    uint32_t position = row * SCREEN_COLUMNS + shown;

    outb(CRT_INDEX, CURSOR_HIGH);
    outb(CRT_DATA, (uint8_t)(position >> 8));
    outb(CRT_INDEX, CURSOR_LOW);
    outb(CRT_DATA, (uint8_t)position);
}

static void clear_row(uint32_t which)
{
    for (uint32_t i = 0; i < SCREEN_COLUMNS; i++) {
        CELLS[which * SCREEN_COLUMNS + i] = BLANK;
    }
}

static void scroll(void)
{
    memmove((void *)CELLS, (const void *)(CELLS + SCREEN_COLUMNS),
            (SCREEN_ROWS - 1) * SCREEN_COLUMNS * sizeof(*CELLS));
    clear_row(SCREEN_ROWS - 1);
}

static void new_line(void)
{
    column = 0;
    if (row + 1 < SCREEN_ROWS) {
        row++;
    } else {
        scroll();
    }
}

static void back(void)
{
    if (column > 0) {
        column--;
    } else if (row > 0) {
        row--;
        column = SCREEN_COLUMNS - 1;
    }
}

static void put_visible(uint8_t character)
{
    if (column == SCREEN_COLUMNS) {
        new_line();
    }
    CELLS[row * SCREEN_COLUMNS + column] = (uint16_t)(COLOURS | character);
    column++;
}

static void put_tab(void)
{
    do {
        put_visible(' ');
    } while (column % TAB_WIDTH != 0);
}

static void put(uint8_t character)
{
    switch (character) {
    case '\n':
        new_line();
        break;
    case '\r':
        column = 0;
        break;
    case '\b':
        back();
        break;
    case '\t':
        put_tab();
        break;
    default:
        if (character >= ' ' && character != 0x7F) {
            put_visible(character);
        }
    }
}

void screen_init(void)
{
    for (uint32_t i = 0; i < SCREEN_ROWS; i++) {
        clear_row(i);
    }
    row = 0;
    column = 0;
    show_cursor();
}

void screen_write(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        put((uint8_t)bytes[i]);
    }
    show_cursor();
}

void print(const char *string)
{
    console_write(string, strlen(string));
}

void println(const char *string)
{
    print(string);
    print("\n");
}

void printi(int number)
{
    print_format("%d", number);
}

void print_hex(uint32_t number)
{
    print_format("0x%08x", number);
}
