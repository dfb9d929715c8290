; privcall(number, a, b, c, d): from C in ring 3 to the call gate and back.
; STAGE 2 {

; The arguments go in EAX, EBX, ECX, EDX and ESI (see privuser/entry.asm); the result comes in EAX.
%define PRIVCALL_GATE        (0x18 | 4 | 3)
; STAGE 4 {
;: %define ARGUMENTS            (esp + 12) ; behind two saved registers and the return address
%define ARGUMENTS            (esp + 28) ; behind six saved registers and the return address
; STAGE 4 }
; STAGE 2 }

section .text
global privcall
privcall:
    ; STAGE 2 {
    ;: ; TASK 2: call through the gate. The offset of a far call to a gate does not matter.
    ;: mov eax, -10                    ; E_NO_CALL
    ;: ret
    push ebx
    push esi
    ; STAGE 4 {
    push edi
    push ebp
    push fs
    push gs
    ; STAGE 4 }
    mov eax, [ARGUMENTS]
    mov ebx, [ARGUMENTS + 4]
    mov ecx, [ARGUMENTS + 8]
    mov edx, [ARGUMENTS + 12]
    mov esi, [ARGUMENTS + 16]
    call PRIVCALL_GATE:0
    ; STAGE 4 {
    ; The registers come back empty. The data segments' are null, for ring 2's cannot be ring 3's;
    ; SS has ring 3's own data segment.
    mov ecx, ss
    mov ds, ecx
    mov es, ecx
    pop gs
    pop fs
    pop ebp
    pop edi
    ; STAGE 4 }
    pop esi
    pop ebx
    ret
    ; STAGE 2 }
