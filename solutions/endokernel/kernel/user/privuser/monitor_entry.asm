; Where the kernel delivers a system call of ring 3: in ring 2, on the thread's PrivUser stack.
; STAGE 1 {
; There lies the caller's frame (monitor_frame_t); segments and flags are what the kernel has set. All
; that ring 3 finds afterwards is what the frame says then.

extern monitor_system_call
; STAGE 1 }

section .text
global monitor_entry
monitor_entry:
    ; STAGE 1 {
    ;: ; TASK 1: call the monitor with what the kernel has put here for you, and go back to ring 3.
    ;: ud2
    xor ebp, ebp                    ; the end of the chain of stack frames, for a debugger
    push esp                        ; the argument: where the frame is
    call monitor_system_call
    add esp, 3 * 4                  ; the argument, and the frame's `domain` and `thread`
    pop gs                          ; selectors that ring 3 had loaded: ring 2 can load them too
    pop fs
    pop es
    pop ds
    popa
    iret                            ; EIP, CS, EFLAGS, ESP, SS: out to ring 3
    ; STAGE 1 }
