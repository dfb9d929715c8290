; How ring 3 calls a function of another domain. Nothing here is trusted: what the monitor gets are
; numbers, as from any system call, and where an entry returns to is the monitor's choice.

; STAGE 3 {
;: %define E_NO_CALL -10
%define MONITOR_CALL_DOMAIN_CALL   47
%define MONITOR_CALL_DOMAIN_RETURN 48
%define SYSTEM_CALL                0x80
; STAGE 3 }

section .text
; int domain_call(uint32_t domain, uint32_t entry, uint32_t a, uint32_t b, uint32_t c)
global domain_call
domain_call:
    ; STAGE 3 {
    ;: ; TASK 3: have the monitor call the entry. And where does the entry return to?
    ;: mov eax, E_NO_CALL
    ;: ret
    push ebx
    push esi
    push edi
    mov ebx, [esp + 16]             ; domain
    mov ecx, [esp + 20]             ; entry
    mov edx, [esp + 24]             ; a
    mov esi, [esp + 28]             ; b
    mov edi, [esp + 32]             ; c
    mov eax, MONITOR_CALL_DOMAIN_CALL
    int SYSTEM_CALL                 ; EAX: what the entry returned; the others are as before
    pop edi
    pop esi
    pop ebx
    ret

; What an entry returns to, on its own domain's stack: EAX is its result. The name begins as those of
; entries do, so that the monitor may know it.
global entry_return
entry_return:
    mov ebx, eax
    mov eax, MONITOR_CALL_DOMAIN_RETURN
    int SYSTEM_CALL                 ; does not return here
    ud2
    ; STAGE 3 }
