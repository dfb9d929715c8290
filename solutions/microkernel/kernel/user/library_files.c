// STAGE 4 FILE
/*
 * The library's functions for files: requests to the file server.
 */
#include "file_server.h"
#include "library_server.h"

int create_file(const char *name, const void *data, uint32_t length)
{
    message_t request = {.type = FILE_CREATE};
    const int error = request_name(&request, name);

    request_window(&request, data, length);
    return error == OK ? request_call(SERVICE_FILE, &request, IPC_READABLE) : error;
}

int read_file(const char *name, void *buffer, uint32_t offset, uint32_t length)
{
    message_t request = {.type = FILE_READ};
    const int error = request_name(&request, name);

    request.payload[FILE_OFFSET] = offset;
    request_window(&request, buffer, length);
    return error == OK ? request_call(SERVICE_FILE, &request, IPC_WRITABLE) : error;
}

int delete_file(const char *name)
{
    message_t request = {.type = FILE_DELETE};
    const int error = request_name(&request, name);

    return error == OK ? request_call(SERVICE_FILE, &request, 0) : error;
}

int list_files(struct file_entry *entries, uint32_t max)
{
    message_t request = {.type = FILE_LIST};

    request_window(&request, entries, max * sizeof(*entries));
    return max <= UINT32_MAX / sizeof(*entries) ? request_call(SERVICE_FILE, &request, IPC_WRITABLE)
                                                : E_FAULT;
}
