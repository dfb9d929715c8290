// STAGE 2 FILE
/*
 * Starting programs by name is the process server's work: see user/process_server.c. What the
 * kernel starts by itself is that server.
 */
#ifndef SPAWN_H
#define SPAWN_H

#endif
