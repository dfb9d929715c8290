; An option ROM that serves the disk calls of any BIOS (INT 13h) from the image in fw_cfg, and boots from it.
; SeaBIOS finds the ROM by its signature, adds it to the boot order by its Plug and Play header, and calls
; `boot`. Source: BIOS Boot Specification 1.01. The machine with a screen boots this way, since SeaBIOS sets up
; the graphics card; the others have bios.asm, which is ten times faster.

bits 16
org 0

ROM_BYTES       equ 1024

        db 0x55, 0xAA, ROM_BYTES / 512
        retf                            ; called when the ROM is found: nothing to do yet
        times 0x1A - ($ - $$) db 0
        dw plug_and_play

plug_and_play:
        db "$PnP", 1, 2                 ; signature, version, length / 16
        dw 0                            ; no further header
        db 0, 0
        dd 0
        dw manufacturer, product
        db 0, 0, 0                      ; class of device: not said
        db 0
        dw 0, 0, boot, 0, 0             ; boot connection, disconnect, bootstrap entry, reserved, resources

manufacturer:   db "Kernelist", 0
product:        db "disk in fw_cfg", 0

; Bootstrap entry vector: find the image, take over INT 13h, read the boot sector, start it with DL = drive.
boot:
        cli
        cld
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, BOOT_SECTOR
        sti
        call find_disk
        jc .none
        mov word [0x13 * 4], disk_call
        mov [0x13 * 4 + 2], cs
        mov byte [DRIVES], 1
        xor eax, eax                    ; sector 0
        mov cx, 1
        mov edi, BOOT_SECTOR
        call read
        mov dl, DRIVE
        jmp 0:BOOT_SECTOR
.none:
        int 0x18                        ; boot failed: the BIOS tries the next device

%include "fw_cfg.inc"
%include "disk_call.inc"

        times ROM_BYTES - ($ - $$) db 0 ; the last byte is set at set-up, so that all bytes sum up to 0
