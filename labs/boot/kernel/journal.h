/*
 * The kernel's journal: values that programs ask it to remember, the newest JOURNAL_ENTRIES of
 * them. It is numbered without end: an entry's number never changes, and is never used again.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "lab_calls.h"

/* Writes a value down. Returns the new entry's number. */
int journal_add(uint32_t value);

/* Copies the entry of that number. Returns OK, or E_NOT_FOUND when it is forgotten or not written
 * yet. */
int journal_read(uint32_t number, struct journal_entry *entry);

#endif
