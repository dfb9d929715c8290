/*
 * The stubs of the message system calls. This file is given; it is not handed in.
 */
#include "ipc.h"

#include "library.h"

int ipc_send(endpoint_t to, const message_t *message, uint32_t flags)
{
    return system_call(SYSTEM_CALL_IPC_SEND, to, (uint32_t)message, flags, 0, 0);
}

int ipc_receive(endpoint_t from, message_t *message, uint32_t flags)
{
    return system_call(SYSTEM_CALL_IPC_RECEIVE, from, (uint32_t)message, flags, 0, 0);
}

int ipc_call(endpoint_t to, message_t *message, uint32_t flags)
{
    return system_call(SYSTEM_CALL_IPC_CALL, to, (uint32_t)message, flags, 0, 0);
}

int ipc_reply(endpoint_t to, const message_t *message)
{
    return system_call(SYSTEM_CALL_IPC_REPLY, to, (uint32_t)message, 0, 0, 0);
}

int ipc_notify(endpoint_t to, uint32_t bits)
{
    return system_call(SYSTEM_CALL_IPC_NOTIFY, to, bits, 0, 0, 0);
}

int ipc_endpoint(void)
{
    return system_call(SYSTEM_CALL_IPC_ENDPOINT, 0, 0, 0, 0, 0);
}

int ipc_service(uint32_t which)
{
    return system_call(SYSTEM_CALL_IPC_SERVICE, which, 0, 0, 0, 0);
}

int ipc_subscribe(uint32_t irq, uint32_t bits)
{
    return system_call(SYSTEM_CALL_IPC_SUBSCRIBE, irq, bits, 0, 0, 0);
}
