// STAGE 2 FILE
/*
 * Copying between two address spaces. Only one is there at a time, so it goes by way of a small
 * buffer in the kernel, which is there in both.
 */
#include "window.h"

#include "error.h"
#include "paging.h"
#include "server_calls.h"
#include "user_memory.h"

#define PIECE 512u

/* Finds the window's memory. Returns OK or an error. */
static int find_window(endpoint_t client, uint32_t flag, uint32_t offset, uint32_t length,
                       virtual_address_t *start, const process_t **process)
{
    port_t *port;
    const int error = ipc_find(client, &port);

    if (error != OK) {
        return error;
    }
    if (port->activity != IPC_AWAITING || port->partner != (endpoint_t)ipc_endpoint() ||
        !(port->flags & flag)) {
        return E_PERMISSION;
    }
    const uint32_t size = port->message.payload[WINDOW_LENGTH];
    if (offset > size || length > size - offset) {
        return E_FAULT;
    }
    *start = port->message.payload[WINDOW_START] + offset;
    *process = port->process;
    return OK;
}

/* Copies one piece: from here into the kernel, then from the kernel to there. */
static int copy_piece(physical_address_t from_space, virtual_address_t from,
                      physical_address_t to_space, virtual_address_t to, uint32_t length)
{
    uint8_t piece[PIECE];

    address_space_switch(from_space);
    const int error = copy_from_user(piece, from, length);
    address_space_switch(to_space);
    return error == OK ? copy_to_user(to, piece, length) : error;
}

static int copy(physical_address_t from_space, virtual_address_t from, physical_address_t to_space,
                virtual_address_t to, uint32_t length)
{
    int error = OK;

    for (uint32_t done = 0; error == OK && done < length; done += PIECE) {
        const uint32_t piece = length - done < PIECE ? length - done : PIECE;

        error = copy_piece(from_space, from + done, to_space, to + done, piece);
    }
    address_space_switch(current_process->context.page_directory);
    return error;
}

int window_read(endpoint_t client, uint32_t offset, virtual_address_t buffer, uint32_t length)
{
    const process_t *process;
    virtual_address_t start;
    int error = user_range_check(buffer, length, true);

    if (error == OK) {
        error = find_window(client, IPC_READABLE, offset, length, &start, &process);
    }
    return error != OK ? error
                       : copy(process->context.page_directory, start,
                              current_process->context.page_directory, buffer, length);
}

int window_write(endpoint_t client, uint32_t offset, virtual_address_t buffer, uint32_t length)
{
    const process_t *process;
    virtual_address_t start;
    int error = user_range_check(buffer, length, false);

    if (error == OK) {
        error = find_window(client, IPC_WRITABLE, offset, length, &start, &process);
    }
    return error != OK ? error
                       : copy(current_process->context.page_directory, buffer,
                              process->context.page_directory, start, length);
}
