/*
 * The kernel's journal, a ring: entry n lies in place n modulo the capacity, where it takes the
 * place of the one that is forgotten for it.
 */
#include "journal.h"

#include "error.h"
#include "pit.h"
#include "string.h"

static struct {
    struct journal_entry entries[JOURNAL_ENTRIES];
    uint32_t capacity; /* set here and never again */
    uint32_t written;  /* how many entries there have been: the next one's number */
} journal = {.capacity = JOURNAL_ENTRIES};

/* Leaves nothing of an old entry behind. */
static void forget(uint32_t number)
{
    // STAGE 2 {
    //: memset(&journal.entries[number], 0, sizeof(struct journal_entry));
    memset(&journal.entries[number % journal.capacity], 0, sizeof(struct journal_entry));
    // STAGE 2 }
}

int journal_add(uint32_t value)
{
    struct journal_entry *place = &journal.entries[journal.written % journal.capacity];

    if (journal.written >= journal.capacity) {
        forget(journal.written - journal.capacity);
    }
    place->value = value;
    place->tick = ticks;
    return (int)journal.written++;
}

int journal_read(uint32_t number, struct journal_entry *entry)
{
    if (number >= journal.written || journal.written - number > journal.capacity) {
        return E_NOT_FOUND;
    }
    *entry = journal.entries[number % journal.capacity];
    return OK;
}
