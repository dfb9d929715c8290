/*
 * The programs' library: every system call as a function, strings, and print_format. What a call
 * takes and returns is said once, in system_call.h; errors are the negative numbers of error.h.
 */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../error.h"
#include "../format.h"
#include "../process_state.h"
#include "../string.h"
#include "../system_call.h"

/* Each program has one: its exit status is what main returns. */
int main(const char *argument);

_Noreturn void exit(int status);
int write(const void *buffer, size_t length);
int read(void *buffer, size_t length);
int spawn(const char *name, const char *argument);
int wait(uint32_t pid, int *status);
int kill(uint32_t pid);
void yield(void);
int sleep(uint32_t ticks);
int getpid(void);
uint32_t ticks(void);
int create_file(const char *name, const void *data, uint32_t length);
int read_file(const char *name, void *buffer, uint32_t offset, uint32_t length);
int delete_file(const char *name);
int list_files(struct file_entry *entries, uint32_t max);
int list_processes(struct process_entry *entries, uint32_t max);
int memory_map(void *address, size_t length);
int memory_unmap(void *address, size_t length);
int parameter(const char *key, char *buffer, size_t size);
_Noreturn void shutdown(int status);

/* Any system call, by its number (enum system_call). Returns what the kernel left in EAX. */
int system_call(uint32_t number, uint32_t first, uint32_t second, uint32_t third, uint32_t fourth,
                uint32_t fifth);

/* Prints a string. */
void print(const char *string);
/* Prints as printf does; format.h lists the conversions. */
void print_format(const char *format, ...) FORMAT_CHECKED(1, 2);
/* The number that `string` begins with, in decimal; 0 if it begins with none. */
uint32_t parse_number(const char *string);

#endif
