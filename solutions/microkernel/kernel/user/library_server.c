// STAGE 2 FILE
/*
 * Requests to servers: the common part of the library's functions and of the servers themselves.
 */
#include "library_server.h"

int request_name(message_t *request, const char *name)
{
    const size_t length = strlen(name);

    if (length > FILE_NAME_MAX) {
        return E_NAME;
    }
    memcpy(request->payload, name, length + 1);
    return OK;
}

const char *request_get_name(message_t *request)
{
    char *name = (char *)request->payload;

    name[FILE_NAME_MAX] = '\0';
    return name;
}

void request_window(message_t *request, const void *start, uint32_t length)
{
    request->payload[WINDOW_START] = (uint32_t)start;
    request->payload[WINDOW_LENGTH] = length;
}

int request_call(uint32_t service, message_t *request, uint32_t window)
{
    const int server = ipc_service(service);

    if (server < 0) {
        return server;
    }
    const int error = ipc_call((endpoint_t)server, request, window);
    return error == OK ? (int)request->payload[0] : error;
}

int window_read(endpoint_t client, uint32_t offset, void *buffer, uint32_t length)
{
    return system_call(SYSTEM_CALL_WINDOW_READ, client, offset, (uint32_t)buffer, length, 0);
}

int window_write(endpoint_t client, uint32_t offset, const void *buffer, uint32_t length)
{
    return system_call(SYSTEM_CALL_WINDOW_WRITE, client, offset, (uint32_t)buffer, length, 0);
}

void request_reply(endpoint_t client, int result)
{
    const message_t reply = {.payload = {(uint32_t)result}};

    ipc_reply(client, &reply);
}
