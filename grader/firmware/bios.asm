; A small PC BIOS of the grader's own: what a boot sector needs and nothing more, so that a machine comes to the
; boot sector after some thousand instructions, where a full BIOS takes five million to look for devices.
; It knows the memory map (INT 15h), the disk in fw_cfg or, for Bochs, in the ROM (INT 13h), and writes text (INT 10h)
; to COM1, since the machine has no screen. The disk image itself boots with any BIOS.
;
; The ROM fills the last 64 KB below 1 MB and below 4 GB; the processor starts 16 bytes before its end.
; The processor has no local APIC (grader/machine/emulator.py says why), so none is set up.
; Sources: IBM PC/AT Technical Reference for the calls; Intel 8259A, 8254.

bits 16
org 0

ROM_BYTES       equ 0x10000
ROM_SEGMENT     equ 0xF000
DATA            equ 0x400               ; the BIOS data area
TICKS           equ DATA + 0x6C         ; dword: timer interrupts since power-on
LOW_MEMORY_KB   equ 639                 ; the last KB belongs to the BIOS on every PC
COM1            equ 0x3F8
PIC1            equ 0x20
PIC2            equ 0xA0
PIT             equ 0x40
KEYBOARD        equ 0x60
KEYBOARD_STATUS equ 0x64
CMOS            equ 0x70

start:
        cli
        cld
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, BOOT_SECTOR
        mov eax, cr0
        and eax, ~(3 << 29)             ; the caches on (CD, NW), as every BIOS leaves them
        mov cr0, eax
        call set_vectors
        call set_data
        call set_interrupt_controllers
        call set_timer
        call set_keyboard
%ifdef BOCHS
        call set_serial                 ; QEMU's is ready from the start
%endif
        call find_disk
        jc .no_disk
        xor eax, eax                    ; sector 0
        mov cx, 1
        mov edi, BOOT_SECTOR
        call read
        cmp word [BOOT_SECTOR + 510], 0xAA55
        jne .no_disk
        mov dl, DRIVE
        sti
        jmp 0:BOOT_SECTOR
.no_disk:
        mov si, .message
.next:  cs lodsb
        test al, al
        jz .stop
        mov ah, 0x0E
        int 0x10
        jmp .next
.stop:  hlt
        jmp .stop
.message:       db "no boot sector on the disk", 13, 10, 0

; All interrupts lead to an IRET at first, then those that are served to their routines.
set_vectors:
        xor di, di
        mov cx, 256
.next:
        mov ax, nothing
        stosw
        mov ax, cs
        stosw
        loop .next
        mov si, .served
        mov cx, (.end - .served) / 4
.serve:
        cs lodsw
        mov di, ax                      ; DI: 4 * vector
        cs lodsw
        stosw
        loop .serve
        ret
.served:
        dw 0x08 * 4, timer
        dw 0x10 * 4, screen_call
        dw 0x11 * 4, equipment_call
        dw 0x12 * 4, memory_call
        dw 0x13 * 4, disk_call
        dw 0x15 * 4, system_call
        dw 0x1A * 4, time_call
.end:

; The data area: where COM1 is, how much low memory there is, one fixed disk.
set_data:
        mov di, DATA
        xor ax, ax
        mov cx, 128
        rep stosw
        mov word [DATA], COM1
        mov word [DATA + 0x13], LOW_MEMORY_KB
        mov byte [DRIVES], 1
        ret

; Both 8259A as on every PC: IRQ 0 to 7 at vectors 08h, 8 to 15 at 70h; only the timer is let through.
set_interrupt_controllers:
        mov al, 0x11                    ; ICW1: edge, cascade, ICW4 follows
        out PIC1, al
        out PIC2, al
        mov al, 0x08                    ; ICW2: first vector
        out PIC1 + 1, al
        mov al, 0x70
        out PIC2 + 1, al
        mov al, 1 << 2                  ; ICW3: the second one is at line 2
        out PIC1 + 1, al
        mov al, 2
        out PIC2 + 1, al
        mov al, 1                       ; ICW4: 8086
        out PIC1 + 1, al
        out PIC2 + 1, al
        mov al, 0xFE
        out PIC1 + 1, al
        mov al, 0xFF
        out PIC2 + 1, al
        ret

; Channel 0 of the 8254: 18.2 interrupts a second.
set_timer:
        mov al, 0x34                    ; low byte then high byte, rate generator
        out PIT + 3, al
        xor al, al
        out PIT, al
        out PIT, al
        ret

; The 8042: interrupts, and scancodes translated to set 1, which every PC program expects.
set_keyboard:
        mov al, 0x60                    ; write the command byte
        out KEYBOARD_STATUS, al
        mov al, 0x61
        out KEYBOARD, al
        ret

%ifdef BOCHS
; COM1: 115,200 baud, 8 bits, no parity.
set_serial:
        mov dx, COM1 + 3
        mov al, 0x80                    ; the divisor's latch
        out dx, al
        mov dx, COM1
        mov ax, 1
        out dx, ax
        mov dx, COM1 + 3
        mov al, 3
        out dx, al
        ret
%endif

; IRQ 0: counts, as programs without a clock of their own expect.
timer:
        push ax
        push ds
        xor ax, ax
        mov ds, ax
        inc dword [TICKS]
        mov al, 0x20                    ; end of interrupt
        out PIC1, al
        pop ds
        pop ax
        int 0x1C                        ; whoever wants to hear it too
nothing:
        iret

; INT 10h. AH=0Eh writes the character AL; all else does nothing.
screen_call:
        cmp ah, 0x0E
        jne nothing
        push dx
        mov dx, COM1
        out dx, al
        pop dx
        iret

; INT 11h: AX = equipment: a screen of 80 columns, one serial port.
equipment_call:
        mov ax, 0x0220
        iret

; INT 12h: AX = KB of low memory.
memory_call:
        mov ax, LOW_MEMORY_KB
        iret

; INT 1Ah, AH=00h: CX:DX = timer interrupts since power-on.
time_call:
        test ah, ah
        jnz nothing
        push ds
        mov cx, 0
        mov ds, cx
        mov dx, [TICKS]
        mov cx, [TICKS + 2]
        pop ds
        xor al, al                      ; no midnight has passed
        iret

; INT 15h. EAX=E820h: the memory map, AX=2401h: A20 on (it always is), AH=88h: KB above 1 MB.
system_call:
        cmp eax, 0xE820
        je .map
        cmp ax, 0x2401
        je .a20
        cmp ah, 0x88
        je .extended
        mov ah, 0x86                    ; unknown call
        jmp failed
.a20:
        mov ah, 0
        jmp succeeded
.extended:
        push ebx
        call memory_end
        shr eax, 10
        sub eax, 1024
        cmp eax, 0xFC00                 ; 63 MB are the most that it can say
        jbe .fits
        mov ax, 0xFC00
.fits:
        pop ebx
        jmp succeeded_with_ah           ; AX is the answer
; EBX: which entry; it is written to ES:DI, and EBX becomes the next one's number, 0 after the last.
.map:
        cmp edx, 'PAMS'                 ; "SMAP"
        jne .no_entry
        cmp ebx, ENTRIES
        jae .no_entry
        push si
        imul si, bx, 12
        add si, map
        push ebx
        cs lodsd                        ; its address
        mov [es:di], eax
        mov dword [es:di + 4], 0
        cs lodsd                        ; its length; 0 stands for all the rest
        test eax, eax
        jnz .length
        call memory_end
        sub eax, 0x100000
.length:
        mov [es:di + 8], eax
        mov dword [es:di + 12], 0
        cs lodsd                        ; its type
        mov [es:di + 16], eax
        pop ebx
        pop si
        inc ebx
        cmp ebx, ENTRIES
        jb .more
        xor ebx, ebx
.more:
        mov eax, 'PAMS'
        mov ecx, 20
        jmp succeeded_with_ah           ; EAX is the answer
.no_entry:
        mov ah, 0x86
        jmp failed

align 4
map:    dd 0, LOW_MEMORY_KB << 10, 1                            ; memory
        dd LOW_MEMORY_KB << 10, 0xA0000 - (LOW_MEMORY_KB << 10), 2 ; reserved
        dd ROM_SEGMENT << 4, ROM_BYTES, 2
        dd 0x100000, 0, 1
ENTRIES equ ($ - map) / 12

; EAX = the end of memory, from the battery-backed memory; changes EBX.
memory_end:
        mov al, 0x34                    ; 64 KB units above 16 MB
        call read_cmos_word
        shl ebx, 16
        jz .small
        lea eax, [ebx + (16 << 20)]
        ret
.small:
        mov al, 0x30                    ; KB above 1 MB
        call read_cmos_word
        shl ebx, 10
        lea eax, [ebx + (1 << 20)]
        ret

; EBX = the word at index AL.
read_cmos_word:
        mov bl, al
        inc al
        out CMOS, al
        in al, CMOS + 1
        mov bh, al
        mov al, bl
        out CMOS, al
        in al, CMOS + 1
        mov bl, al
        movzx ebx, bx
        ret

%ifdef BOCHS
%include "rom_disk.inc"
%else
%include "fw_cfg.inc"
%endif
%include "disk_call.inc"

        times ROM_BYTES - 16 - ($ - $$) db 0
        jmp ROM_SEGMENT:start           ; here the processor begins
        times ROM_BYTES - ($ - $$) db 0
