// STAGE 4 FILE
/*
 * The disk is driven by the file server: see user/file_server.c.
 */
