; The global descriptor table (GDT) and the task-state segment (TSS). Segments are not used for
; protection here, paging is: all four are flat, and differ in privilege alone. Intel SDM vol. 3,
; sections 3.4.5 (descriptors) and 8.2.1 (TSS).

%define TSS_SELECTOR         0x28
%define KERNEL_CODE          0x08
%define KERNEL_DATA          0x10
%define USER_DATA            (0x20 | 3)

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
    lldt ax                         ; no local descriptor table
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
.user_code:                         ; the same with DPL 3
    dw 0xFFFF, 0
    db 0, 0xFA, 0xCF, 0
.user_data:
    dw 0xFFFF, 0
    db 0, 0xF2, 0xCF, 0
.tss:                               ; present, DPL 0, available 32-bit TSS; limit counted in bytes
    dw task_state.end - task_state - 1, 0
    db 0, 0x89, 0, 0
.end:

gdt_register:
    dw gdt.end - gdt - 1            ; a limit is the last valid offset, not a size
    dd gdt

; Of the TSS the processor uses one thing: the stack pointer for entering ring 0 from ring 3.
; context.c keeps it at the top of the running process's kernel stack.
align 16
global task_state
task_state:
    dd 0                            ; link to a previous task
    dd 0                            ; ESP0
    dd KERNEL_DATA                  ; SS0
    times 22 dd 0                   ; rings 1 and 2, and registers for hardware task switches
    dw 0
    dw .end - task_state            ; the I/O bitmap begins past the limit: no port for ring 3
; STAGE 4 {
;: .end:

; Until io_bitmap.c says that it begins here: a bit for each port from 0 on, and one byte of ones at
; the end, since the processor always looks at two bytes.
%define DISK_COMMAND_PORTS   0x1F0      ; 8 of them, in a byte of their own
%define DISK_CONTROL_PORT    0x3F6

global io_bitmap
io_bitmap:
    times DISK_COMMAND_PORTS / 8 db 0xFF
    db 0x00
    times DISK_CONTROL_PORT / 8 - DISK_COMMAND_PORTS / 8 - 1 db 0xFF
    db 0xFF & ~(1 << (DISK_CONTROL_PORT % 8))
    db 0xFF
task_state.end:
global io_bitmap_none
io_bitmap_none:
; STAGE 4 }
