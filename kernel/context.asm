; The one piece of switching that C cannot say: to go on with another stack.

section .text
; void switch_stacks(uint32_t **old_esp, uint32_t *new_esp)
; The caller's registers that a C function must preserve go onto the old stack, and come back from
; the new one. The return address comes from there too: this returns to whoever called it last on
; that stack, or for a new process to trap_return (context.c).
global switch_stacks
switch_stacks:
    mov eax, [esp + 4]
    mov edx, [esp + 8]
    push ebp
    push ebx
    push esi
    push edi
    mov [eax], esp
    mov esp, edx
    pop edi
    pop esi
    pop ebx
    pop ebp
    ret
