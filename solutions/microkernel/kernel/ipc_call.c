// STAGE 1 FILE
/*
 * The lab's system calls: takes a program's registers apart and calls the part of the kernel that
 * does the work.
 */
#include "error.h"
#include "interrupt.h"
#include "ipc.h"
// STAGE 2 {
#include "server_call.h"
// STAGE 2 }

int lab_system_call(trap_frame_t *caller)
{
    switch (caller->eax) {
    case SYSTEM_CALL_IPC_SEND:
        return ipc_send(caller->ebx, caller->ecx, caller->edx);
    case SYSTEM_CALL_IPC_RECEIVE:
        return ipc_receive(caller->ebx, caller->ecx, caller->edx);
    case SYSTEM_CALL_IPC_CALL:
        return ipc_call(caller->ebx, caller->ecx, caller->edx);
    case SYSTEM_CALL_IPC_REPLY:
        return ipc_reply(caller->ebx, caller->ecx);
    case SYSTEM_CALL_IPC_NOTIFY:
        return ipc_notify(caller->ebx, caller->ecx);
    case SYSTEM_CALL_IPC_ENDPOINT:
        return ipc_endpoint();
    case SYSTEM_CALL_IPC_SERVICE:
        return ipc_service(caller->ebx);
    case SYSTEM_CALL_IPC_SUBSCRIBE:
        return ipc_subscribe(caller->ebx, caller->ecx);
    default:
        // STAGE 2 {
        //: return E_NO_CALL;
        return server_call(caller);
        // STAGE 2 }
    }
}
