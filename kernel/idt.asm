; The interrupt descriptor table (IDT) and the routines it points to. Each routine brings the stack
; into one form, the trap frame of interrupt.h, and calls C; then everything is put back and the
; interrupted program goes on, none the wiser. Intel SDM vol. 3, chapter 6.

%define KERNEL_CODE          0x08
%define KERNEL_DATA          0x10
%define SYSTEM_CALL          0x80
%define ISR_COUNT            48          ; 32 exceptions, 16 device interrupts
%define GATE_KERNEL          0x8E        ; present, DPL 0, 32-bit interrupt gate (clears IF)
%define GATE_USER            0xEE        ; the same with DPL 3: ring 3 may use INT n

extern interrupt_handler, timer_handler

; A trap frame is pushed from its end: the processor has pushed SS, ESP (from ring 3 only), EFLAGS,
; CS, EIP and perhaps an error code; the routine has pushed error code and vector.
%macro SAVE_REGISTERS 0
    pusha
    push ds
    push es
    push fs
    push gs
    mov eax, KERNEL_DATA
    mov ds, eax
    mov es, eax
    cld                             ; C expects DF clear, and the program may have set it
%endmacro

%macro CALL_HANDLER 1
    push esp                        ; the argument: where the trap frame is
    call %1
    add esp, 4
%endmacro

section .text
; Puts everything back as the trap frame says. A new process starts here too (context.c).
global trap_return
trap_return:
    pop gs
    pop fs
    pop es
    pop ds
    popa
    add esp, 8                      ; vector and error code
    iret

interrupt_common:
    SAVE_REGISTERS
    CALL_HANDLER interrupt_handler
    jmp trap_return

; The timer has a routine of its own: it is where a process loses the processor.
global isr_32
isr_32:
    push dword 0
    push dword 32
    SAVE_REGISTERS
    CALL_HANDLER timer_handler
    jmp trap_return

global isr_128
isr_128:
    push dword 0
    push dword SYSTEM_CALL
    jmp interrupt_common

; For these exceptions the processor pushes an error code; for the others a zero stands in.
%define HAS_ERROR_CODE(n) (n == 8 || (n >= 10 && n <= 14) || n == 17 || n == 21)

%assign vector 0
%rep ISR_COUNT
%if vector != 32
global isr_%[vector]
isr_%[vector]:
%if !HAS_ERROR_CODE(vector)
    push dword 0
%endif
    push dword vector
    jmp interrupt_common
%endif
%assign vector vector + 1
%endrep

; Fills in the gates. A gate holds its routine's address in two halves, which a linker cannot do.
global idt_init
idt_init:
    xor ecx, ecx                    ; ECX: vector
.next:
    mov eax, [isr_addresses + ecx * 4]
    mov dl, GATE_KERNEL
    call .set_gate
    inc ecx
    cmp ecx, ISR_COUNT
    jne .next

    mov byte [idt + 3 * 8 + 5], GATE_USER   ; INT3: a breakpoint
    mov byte [idt + 4 * 8 + 5], GATE_USER   ; INTO: overflow
    mov ecx, SYSTEM_CALL
    mov eax, isr_128
    mov dl, GATE_USER
    call .set_gate
    lidt [idt_register]
    ret
; Gate ECX leads to EAX, with access byte DL.
.set_gate:
    mov [idt + ecx * 8], ax
    mov word [idt + ecx * 8 + 2], KERNEL_CODE
    mov byte [idt + ecx * 8 + 4], 0
    mov [idt + ecx * 8 + 5], dl
    shr eax, 16
    mov [idt + ecx * 8 + 6], ax
    ret

section .rodata
align 4
isr_addresses:
%assign vector 0
%rep ISR_COUNT
    dd isr_%[vector]
%assign vector vector + 1
%endrep

idt_register:
    dw idt.end - idt - 1
    dd idt

section .bss align=8
idt:
    resb (SYSTEM_CALL + 1) * 8      ; gates that stay zero are not present: #GP for who uses them
.end:
