/*
 * Starting programs by name.
 */
#ifndef SPAWN_H
#define SPAWN_H

/* Creates a process from the program of that name, from the boot archive or else from the disk.
 * Returns its pid or an error. */
int process_spawn(const char *name, const char *argument);

#endif
