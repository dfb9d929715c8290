// STAGE 4 FILE
/*
 * The filesystem is the file server's: see user/file_server.c.
 */
