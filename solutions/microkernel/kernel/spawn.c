// STAGE 2 FILE
/*
 * Starting programs by name is the process server's work: see user/process_server.c.
 */
