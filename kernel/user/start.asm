; A program's first instructions. The kernel has put a return address (0: there is nowhere to return
; to) and a pointer to the argument string on the stack.

%define SYSTEM_CALL_EXIT 0
%define SYSTEM_CALL      0x80

extern main

section .text
global _start
_start:
    mov eax, [esp + 4]
    xor ebp, ebp            ; the end of the chain of stack frames, for a debugger
    and esp, -16            ; as the C compiler expects it before a call's arguments
    sub esp, 12
    push eax
    call main
    mov ebx, eax            ; what main returns is the exit status
    mov eax, SYSTEM_CALL_EXIT
    int SYSTEM_CALL
