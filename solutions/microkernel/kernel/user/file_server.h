// STAGE 4 FILE
/*
 * What the file server is asked for, by library_files.c. In each request but FILE_LIST a name is in
 * the first words of the payload.
 */
#ifndef FILE_SERVER_H
#define FILE_SERVER_H

enum file_request {
    FILE_CREATE = 16, /* window: the data */
    FILE_READ = 17,   /* payload[FILE_OFFSET]; window: where the data go -> bytes read */
    FILE_DELETE = 18,
    FILE_LIST = 19, /* window: an array of struct file_entry -> entries filled in */
};

#define FILE_OFFSET 8

#endif
