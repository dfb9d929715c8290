/*
 * What every probe is linked with. A probe is the grader's own program: it exercises the kernel and
 * reports values. The grader takes a value only if two witnesses agree: the line on the console,
 * and the log in the probe's memory, which it reads from outside when the probe has finished.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_KEY_MAX 15  /* bytes of a key, without the NUL */
#define PROBE_LOG_MAX 128 /* entries */

/* One reported value. The grader reads this layout from memory. */
struct probe_entry {
    char key[PROBE_KEY_MAX + 1];
    uint32_t value;
};

extern struct probe_entry probe_log[PROBE_LOG_MAX];
extern uint32_t probe_log_count;

/* The number that stands as `key=number` (decimal, or hexadecimal after 0x) among the words of
 * `argument`; `otherwise` when there is none. */
uint32_t probe_number(const char *argument, const char *key, uint32_t otherwise);

/* Copies the text that stands as `key=text` into `buffer`, cut to fit. False when there is none. */
bool probe_text(const char *argument, const char *key, char *buffer, size_t size);

/* Reports a value: into the log, and as a line `probe key=0x0000002a` on the console. */
void probe_report(const char *key, uint32_t value);

/* The end: the grader has a breakpoint here. Never returns, and uses no system call. */
_Noreturn void probe_finish(void);

#endif
