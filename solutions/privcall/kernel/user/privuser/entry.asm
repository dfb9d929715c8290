; Where the call gate leads: the only way into ring 2. The processor has taken the thread's PrivUser
; stack from the TSS and pushed there where ring 3 goes on: SS, ESP, CS, EIP.
; STAGE 4 {
; Everything else is still as ring 3 left it, and may be as odd as it likes.
; STAGE 4 }
; STAGE 2 {

extern privcall_dispatch
; STAGE 2 }
; STAGE 4 {

%define PRIVUSER_DATA        (0x10 | 4 | 2)
%define EFLAGS_NONE          0          ; IF and IOPL keep their values: ring 2 may not set them
; STAGE 4 }

section .text
global privuser_entry
privuser_entry:
    ; STAGE 2 {
    ;: ; TASK 2: call the dispatcher with the number and the arguments, and return to ring 3.
    ;: ; TASK 4: believe nothing that ring 3 has left in the registers; leave nothing in them for it.
    ;: ud2
    ; STAGE 4 {
    ; A gate lets all flags through. C expects DF clear; TF, NT and AC are no business of ring 2.
    push dword EFLAGS_NONE
    popfd
    mov edi, PRIVUSER_DATA
    mov ds, edi
    mov es, edi
    mov fs, edi
    mov gs, edi
    xor ebp, ebp                    ; the end of the chain of stack frames, for a debugger
    ; STAGE 4 }
    push esi                        ; d
    push edx                        ; c
    push ecx                        ; b
    push ebx                        ; a
    push eax                        ; number
    call privcall_dispatch
    add esp, 5 * 4
    ; STAGE 4 {
    ; Only EAX, the result, is for ring 3. The processor itself makes DS, ES, FS and GS null.
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
    push dword EFLAGS_NONE          ; the last comparison tells something too
    popfd
    ; STAGE 4 }
    retf
    ; STAGE 2 }
