; The kernel's first instructions. bootstrap.asm jumps here in 32-bit protected mode with paging
; off, so the code runs at 1 MB although it is linked at KBASE + 1 MB: until paging is on, every
; address must be made physical by hand. EBX is the physical address of the boot archive.

%define KBASE                0xC0000000
%define PRESENT_AND_WRITABLE 3
%define PAGE_ENTRIES         1024
%define BOOT_STACK_SIZE      8192        ; KERNEL_STACK_SIZE of context.h

%define CR0_MP               (1 << 1)
%define CR0_EM               (1 << 2)    ; floating-point instructions fault: nobody saves their registers
%define CR0_TS               (1 << 3)
%define CR0_NE               (1 << 5)
%define CR0_WP               (1 << 16)   ; the kernel, too, cannot write to read-only pages
%define CR0_PG               (1 << 31)   ; paging

extern bss_start, bss_end
extern gdt_init, idt_init, kernel_main

%define PHYSICAL(symbol) (symbol - KBASE)

section .starter progbits alloc exec nowrite align=16
global starter
starter:
    cld
    ; C expects variables without a value to be zero; nothing was loaded there.
    mov edi, PHYSICAL(bss_start)
    mov ecx, PHYSICAL(bss_end)
    sub ecx, edi
    shr ecx, 2
    xor eax, eax
    rep stosd

    ; One page table that maps the first 4 MB, entered twice: at 0, where this code runs now, and
    ; at KBASE, where it is linked to run. paging_init builds the real tables.
    mov edi, PHYSICAL(boot_page_table)
    mov eax, PRESENT_AND_WRITABLE
    mov ecx, PAGE_ENTRIES
.next_page:
    stosd
    add eax, 4096
    loop .next_page
    mov eax, PHYSICAL(boot_page_table) + PRESENT_AND_WRITABLE
    mov [PHYSICAL(boot_page_directory)], eax
    mov [PHYSICAL(boot_page_directory) + (KBASE >> 22) * 4], eax

    mov eax, PHYSICAL(boot_page_directory)
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG | CR0_WP | CR0_NE | CR0_TS | CR0_EM | CR0_MP
    mov cr0, eax
    mov eax, .at_kbase
    jmp eax

.at_kbase:
    mov esp, boot_stack_top
    call gdt_init
    call idt_init                   ; from here on a fault is reported instead of a reset
    xor ebp, ebp                    ; the end of the chain of stack frames, for a debugger
    push ebx                        ; the archive: kernel_main's argument
    call kernel_main                ; does not return

section .bss align=4096
boot_page_directory: resb 4096
boot_page_table:     resb 4096
; The stack of kernel_main, which becomes the idle process.
global boot_stack
boot_stack:          resb BOOT_STACK_SIZE
boot_stack_top:
