; STAGE 3 {
;: ; The global descriptor table (GDT) and the task-state segment (TSS). Segments are not used for
;: ; protection here, paging is: all four are flat, and differ in privilege alone. Intel SDM vol. 3,
;: ; sections 3.4.5 (descriptors) and 8.2.1 (TSS).
; The global descriptor table (GDT) and the task-state segment (TSS). The kernel's segments are flat.
; Those that other rings can load end below the kernel: to paging, rings 0, 1 and 2 are all the
; supervisor, so nothing but a segment's limit keeps ring 2 out of the kernel's pages. Intel SDM
; vol. 3, sections 3.4.5 (descriptors) and 8.2.1 (TSS).
; STAGE 3 }

%define TSS_SELECTOR         0x28
%define KERNEL_CODE          0x08
%define KERNEL_DATA          0x10
%define USER_DATA            (0x20 | 3)
; STAGE 2 {
%define PRIVUSER_DATA        (0x10 | 4 | 2) ; in the LDT of the process that runs (ldt.c)
; STAGE 2 }

section .text
global gdt_init
gdt_init:
    ; A descriptor scatters the segment's address over its bytes, which a linker cannot do.
    mov eax, task_state
    mov [gdt.tss + 2], ax
    shr eax, 16
    mov [gdt.tss + 4], al
    mov [gdt.tss + 7], ah

    lgdt [gdt_register]
    jmp KERNEL_CODE:.reload
.reload:
    mov ax, KERNEL_DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov ax, USER_DATA               ; the kernel never uses FS and GS
    mov fs, ax
    mov gs, ax
    xor ax, ax
    ; STAGE 2 {
    ;: lldt ax                         ; no local descriptor table
    lldt ax                         ; no local descriptor table until a process has one
    ; STAGE 2 }
    mov ax, TSS_SELECTOR
    ltr ax
    ret

section .data
; limit 15:0, base 15:0, base 23:16, access byte, flags and limit 19:16, base 31:24
align 8
gdt:
    dw 0, 0
    db 0, 0, 0, 0
.kernel_code:                       ; access: present, DPL 0, code that may be read
    dw 0xFFFF, 0
    db 0, 0x9A, 0xCF, 0             ; flags: 32-bit, limit counted in pages: 4 GB
.kernel_data:                       ; present, DPL 0, data that may be written
    dw 0xFFFF, 0
    db 0, 0x92, 0xCF, 0
; STAGE 3 {
;: .user_code:                         ; the same with DPL 3
;:     dw 0xFFFF, 0
;:     db 0, 0xFA, 0xCF, 0
;: .user_data:
;:     dw 0xFFFF, 0
;:     db 0, 0xF2, 0xCF, 0
.user_code:                         ; the same with DPL 3 and the limit 0xBFFFF, in pages: they
    dw 0xFFFF, 0                    ; end at KBASE, for ring 2 may load them too
    db 0, 0xFA, 0xCB, 0
.user_data:
    dw 0xFFFF, 0
    db 0, 0xF2, 0xCB, 0
; STAGE 3 }
.tss:                               ; present, DPL 0, available 32-bit TSS; limit counted in bytes
    dw task_state.end - task_state - 1, 0
    db 0, 0x89, 0, 0
; STAGE 2 {
global gdt_ldt
gdt_ldt:                            ; the present process's LDT: ldt.c writes this
    dw 0, 0
    db 0, 0, 0, 0
gdt.end:
;: .end:
; STAGE 2 }

gdt_register:
    dw gdt.end - gdt - 1            ; a limit is the last valid offset, not a size
    dd gdt

; STAGE 2 {
;: ; Of the TSS the processor uses one thing: the stack pointer for entering ring 0 from ring 3.
;: ; context.c keeps it at the top of the running process's kernel stack.
; Of the TSS the processor uses the stacks for entering ring 0 and, by the call gate, ring 2.
; context.c keeps them at the tops of the running thread's kernel stack and PrivUser stack.
; STAGE 2 }
align 16
global task_state
task_state:
    dd 0                            ; link to a previous task
    dd 0                            ; ESP0
    dd KERNEL_DATA                  ; SS0
    ; STAGE 2 {
    ;: times 22 dd 0                   ; rings 1 and 2, and registers for hardware task switches
    dd 0, 0                         ; ESP1, SS1: nobody can enter ring 1
    dd 0                            ; ESP2
    dd PRIVUSER_DATA                ; SS2
    times 18 dd 0                   ; registers for hardware task switches
    ; STAGE 2 }
    dw 0
    dw .end - task_state            ; the I/O bitmap begins past the limit: no port for ring 3
.end:
