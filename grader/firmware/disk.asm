; The grader's boot firmware: an option ROM that serves the BIOS's disk calls (INT 13h) for drive 80h from
; a disk image that QEMU hands over as the fw_cfg file `opt/kernelist/disk`. An IDE read ends when the host
; says, so a machine that boots from IDE never executes the same instructions twice; a fw_cfg read is over
; before the next instruction. The image itself stays one that boots with any BIOS.
;
; SeaBIOS finds the ROM by its signature, adds it to the boot order by its Plug and Play header, and calls
; `boot`. Sources: BIOS Boot Specification 1.01; QEMU docs/specs/fw_cfg; Phoenix EDD 1.1 for INT 13h.
; All INT 13h routines get and leave registers as the caller has them, except for the results.

bits 16
org 0

ROM_BYTES       equ 1024
SECTOR_SHIFT    equ 9                   ; 512 bytes
HEADS           equ 16
SECTORS         equ 63                  ; of a track
DRIVE           equ 0x80

; fw_cfg: a selector port, a data port, and a DMA address register (big endian, its low half starts it).
FW_CFG_SELECT   equ 0x510
FW_CFG_DATA     equ 0x511
FW_CFG_DMA_HIGH equ 0x514
FW_CFG_DMA_LOW  equ 0x518
FW_CFG_FILES    equ 0x19                ; key of the list of files
FW_CFG_NAME     equ 56                  ; bytes of a name in the list
DMA_READ        equ 0x02
DMA_SKIP        equ 0x04
DMA_SELECT      equ 0x08

; Two words of the BIOS's area for communication between applications (40:F0) keep what the ROM, which
; cannot be written, has to remember.
disk_key        equ 0x4F0               ; word: the file's key
disk_sectors    equ 0x4F4               ; dword
name_buffer     equ 0x500               ; while booting: a file's name
DRIVES          equ 0x475               ; the BIOS's number of fixed disks
BOOT_SECTOR     equ 0x7C00

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
file_name:      db "opt/kernelist/disk", 0
FILE_NAME_BYTES equ $ - file_name

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

; Looks for the file in fw_cfg's list. Sets disk_key and disk_sectors, or the carry flag. DS = ES = 0.
find_disk:
        mov dx, FW_CFG_SELECT
        mov ax, FW_CFG_FILES
        out dx, ax
        mov dx, FW_CFG_DATA
        call read_long
        mov ecx, eax                    ; ECX: files left
        jecxz .missing
.next:
        call read_long
        mov ebp, eax                    ; EBP: this file's size
        call read_long
        shr eax, 16
        mov bx, ax                      ; BX: its key (the low half is reserved)
        push ecx
        mov di, name_buffer
        mov cx, FW_CFG_NAME
        rep insb
        mov di, name_buffer
        mov si, file_name
        mov cx, FILE_NAME_BYTES
        cs repe cmpsb
        pop ecx
        je .found
        dec ecx
        jnz .next
.missing:
        stc
        ret
.found:
        mov [disk_key], bx
        shr ebp, SECTOR_SHIFT
        mov [disk_sectors], ebp
        clc
        ret

; EAX = the next four bytes of the selected item, big endian. DX = FW_CFG_DATA.
read_long:
        push cx
        mov cx, 4
.byte:  shl eax, 8
        in al, dx
        loop .byte
        pop cx
        ret

; Reads CX sectors from sector EAX on to the physical address EDI, by two DMA commands on the stack:
; select the file and skip to the place, then read. Past the end fw_cfg gives zeros.
read:
        pushad
        push ds
        xor bx, bx
        mov ds, bx
        mov edx, eax
        shl edx, SECTOR_SHIFT           ; EDX: bytes to skip
        movzx ecx, cx
        shl ecx, SECTOR_SHIFT           ; ECX: bytes to read
        sub sp, 16
        mov bp, sp                      ; SS:BP: {control, length, address (64 bit)}, big endian
        mov eax, [disk_key]
        shl eax, 16
        mov al, DMA_SELECT | DMA_SKIP
        mov ebx, edx                    ; EBX: length
        call .command
        mov eax, DMA_READ
        mov ebx, ecx
        call .command
        add sp, 16
        pop ds
        popad
        ret
; One command: EAX control, EBX length, EDI address.
.command:
        bswap eax
        mov [bp], eax
        bswap ebx
        mov [bp + 4], ebx
        mov dword [bp + 8], 0
        mov eax, edi
        bswap eax
        mov [bp + 12], eax
        xor eax, eax
        mov dx, FW_CFG_DMA_HIGH
        out dx, eax
        mov ax, ss
        movzx eax, ax
        shl eax, 4
        movzx ebx, bp
        add eax, ebx                    ; EAX: linear address of SS:BP
        bswap eax
        mov dx, FW_CFG_DMA_LOW
        out dx, eax
.wait:  test dword [bp], 0xFEFFFFFF     ; all bits but the error bit (big endian) clear: done
        jnz .wait
        ret

; INT 13h. AH: which call, DL: drive.
disk_call:
        sti
        cld
        cmp dl, DRIVE
        jne .refuse
        cmp ah, 0x42
        je .extended_read
        cmp ah, 0x02
        je .read
        cmp ah, 0x41
        je .extensions
        cmp ah, 0x08
        je .geometry
        cmp ah, 0x48
        je .extended_geometry
        cmp ah, 0x15
        je .type
        test ah, ah                     ; reset
        jz .done
        cmp ah, 0x03
        je .write
        cmp ah, 0x43
        je .write
.refuse:
        mov ah, 0x01                    ; unknown call
        jmp .failed
.write:
        mov ah, 0x03                    ; write protected
.failed:
        push bp
        mov bp, sp
        or byte [bp + 6], 1             ; the carry flag of the caller's FLAGS: BP, IP, CS, FLAGS
        pop bp
        iret
.done:
        mov ah, 0
.done_with_ah:
        push bp
        mov bp, sp
        and byte [bp + 6], ~1
        pop bp
        iret

; AH=41h: are there the extended calls? Yes: packets (bit 0), version 1.1.
.extensions:
        mov bx, 0xAA55
        mov cx, 1
        mov ah, 0x21
        jmp .done_with_ah

; AH=15h: a fixed disk, CX:DX sectors.
.type:
        push ds
        xor cx, cx
        mov ds, cx
        mov dx, [disk_sectors]
        mov cx, [disk_sectors + 2]
        pop ds
        mov ah, 3
        jmp .done_with_ah

; AH=08h: CH, CL = last cylinder and sector, DH = last head, DL = number of drives.
.geometry:
        push ds
        push eax
        push ebx
        xor ax, ax
        mov ds, ax
        mov eax, [disk_sectors]
        xor edx, edx
        mov ebx, HEADS * SECTORS
        div ebx
        dec ax                          ; AX: last cylinder
        mov ch, al
        mov cl, ah
        shl cl, 6
        or cl, SECTORS
        pop ebx
        pop eax
        pop ds
        mov dx, (HEADS - 1) << 8 | 1
        mov bl, 0
        jmp .done

; AH=48h: fills in the table at DS:SI.
.extended_geometry:
        push eax
        push ds
        xor ax, ax
        mov ds, ax
        mov eax, [disk_sectors]
        pop ds
        mov word [si], 26               ; bytes of this table
        mov word [si + 2], 0
        mov dword [si + 4], 0
        mov dword [si + 8], HEADS
        mov dword [si + 12], SECTORS
        mov [si + 16], eax
        mov dword [si + 20], 0
        mov word [si + 24], 512
        pop eax
        jmp .done

; AH=42h: DS:SI points to {size, 0, word count, offset, segment, qword first sector}.
.extended_read:
        pushad
        movzx edi, word [si + 6]
        shl edi, 4
        movzx eax, word [si + 4]
        add edi, eax
        mov cx, [si + 2]
        mov eax, [si + 8]
        call read
        popad
        jmp .done

; AH=02h: AL sectors from cylinder CH + CL[7:6], head DH, sector CL[5:0] to ES:BX.
.read:
        pushad
        mov di, es
        movzx edi, di
        shl edi, 4
        movzx ebx, bx
        add edi, ebx                    ; EDI: physical address
        movzx ebx, al                   ; EBX: count
        movzx eax, cl
        and al, 0xC0
        shl ax, 2
        mov al, ch                      ; EAX: cylinder
        imul eax, eax, HEADS
        shr edx, 8
        movzx edx, dl                   ; EDX: head
        add eax, edx
        imul eax, eax, SECTORS
        and ecx, 63                     ; sectors count from 1
        lea eax, [eax + ecx - 1]
        mov cx, bx
        call read
        popad
        jmp .done

        times ROM_BYTES - ($ - $$) db 0 ; the last byte is set at set-up, so that all bytes sum up to 0
