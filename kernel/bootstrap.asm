; The boot sector. The BIOS loads these 512 bytes at 0x7C00 and jumps there, in 16-bit real mode.
; They read the kernel and the boot archive from the disk, ask the BIOS for the memory map, leave
; real mode for good, put the kernel at 1 MB and jump into it (starter.asm).

bits 16
org 0x7C00

LOADED            equ 0x10000   ; kernel and archive are read to here,
LOADED_SEGMENT    equ LOADED >> 4
KERNEL            equ 0x100000  ; and the kernel is then copied to here, where it was linked to be
MEMORY_MAP_COUNT  equ 0x500     ; u32; frame.c reads it
MEMORY_MAP        equ 0x510     ; 24 bytes an entry
MEMORY_MAP_MAX    equ 64
SECTOR            equ 512
; 64 sectors fill half a 64 KB segment: no read crosses the border that a BIOS's DMA cannot cross.
SECTORS_PER_READ  equ 64

start:
    jmp short main
    times 4 - ($ - $$) nop

; Filled in by the image maker. The kernel begins at sector 1, the archive directly behind it.
kernel_sectors:  dw 0
archive_sectors: dw 0

main:
    jmp 0:.clear_cs             ; some BIOSes come here as 07C0:0000
.clear_cs:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax                  ; no interrupt is taken between this and the next instruction
    mov sp, 0x7C00
    cld
    mov [drive], dl

    call read_disk
    call read_memory_map
    call enable_a20

    cli
    lgdt [gdt_register]
    mov eax, cr0
    or al, 1                    ; PE: protected mode
    mov cr0, eax
    jmp CODE:protected_mode

; Reads everything to LOADED: by linear sector numbers where the BIOS can, else by cylinder, head
; and sector, one sector at a time.
read_disk:
    mov bp, [kernel_sectors]
    add bp, [archive_sectors]   ; BP: sectors still to be read
    mov ah, 0x41                ; does this drive know the extended calls?
    mov bx, 0x55AA
    mov dl, [drive]
    int 0x13
    jc .by_geometry
    cmp bx, 0xAA55
    jne .by_geometry
    test cl, 1
    jz .by_geometry

.next_extended:
    mov ax, SECTORS_PER_READ
    cmp bp, ax
    jae .read_extended
    mov ax, bp
.read_extended:
    mov [packet.count], ax
    push ax
    mov ah, 0x42
    mov dl, [drive]
    mov si, packet
    int 0x13
    pop ax
    jc disk_error
    add [packet.sector], ax
    add word [packet.segment], SECTORS_PER_READ * SECTOR / 16
    sub bp, ax
    jnz .next_extended
    ret

.by_geometry:
    mov ah, 8                   ; CL: sectors a track (low six bits), DH: the last head
    mov dl, [drive]
    int 0x13
    jc disk_error
    and cx, 0x3F
    mov [sectors_a_track], cx
    movzx ax, dh
    inc ax
    mov [heads], ax
.next_sector:
    xor dx, dx
    mov ax, [packet.sector]
    div word [sectors_a_track]  ; AX: track, DX: sector of the track, from 0
    mov cl, dl
    inc cx                      ; BIOS counts sectors from 1
    xor dx, dx
    div word [heads]            ; AX: cylinder, DX: head
    mov ch, al
    shl ah, 6
    or cl, ah                   ; the cylinder's bits 8 and 9 go above the sector's number
    mov dh, dl
    mov dl, [drive]
    mov es, [packet.segment]
    xor bx, bx
    mov ax, 0x0201              ; read, one sector
    int 0x13
    jc disk_error
    inc word [packet.sector]
    add word [packet.segment], SECTOR / 16
    dec bp
    jnz .next_sector
    ret

disk_error:
    mov si, .message
.next:
    lodsb
    test al, al
    jz .stop
    mov ah, 0x0E                ; the BIOS's own teletype output
    mov bx, 7
    int 0x10
    jmp .next
.stop:
    hlt
    jmp .stop
.message: db "disk error", 0

; Lists what physical memory there is (INT 15h, EAX = E820h). frame.c reads the list.
read_memory_map:
    xor ebx, ebx                ; EBX: where the BIOS goes on; 0 is the beginning, and the end
    mov es, bx
    mov di, MEMORY_MAP
    xor bp, bp                  ; BP: entries so far
.next:
    mov eax, 0xE820
    mov edx, 'PAMS'             ; "SMAP", as the BIOS spells it
    mov ecx, 24
    mov dword [es:di + 20], 1   ; "valid", for a BIOS that fills in only 20 bytes
    int 0x15
    jc .done
    cmp eax, 'PAMS'
    jne .done
    inc bp
    add di, 24
    cmp bp, MEMORY_MAP_MAX
    je .done
    test ebx, ebx
    jnz .next
.done:
    movzx ebp, bp
    mov [MEMORY_MAP_COUNT], ebp
    ret

; Address line 20 was held at zero for programs of 1981 that relied on wrapping at 1 MB. Try what
; is cheapest first: most BIOSes have opened it already.
enable_a20:
    call .test
    je .done
    mov ax, 0x2401              ; ask the BIOS
    int 0x15
    call .test
    je .done
    in al, 0x92                 ; the PS/2's "fast A20"
    or al, 2
    and al, ~1                  ; bit 0 would reset the machine
    out 0x92, al
.wait:
    call .test
    jne .wait
.done:
    ret
; Equal: the line is open. FFFF:8010 is 0x108000; with the line closed it is 0x008000 again.
.test:
    mov ax, 0xFFFF
    mov es, ax
    mov word [0x8000], 0
    mov [es:0x8010], ax
    cmp word [0x8000], 0
    ret

bits 32
protected_mode:
    mov ax, DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esi, LOADED
    mov edi, KERNEL
    movzx ecx, word [kernel_sectors]
    shl ecx, 7                  ; 128 double words a sector
    rep movsd
    mov ebx, esi                ; EBX: the archive, for the starter
    mov eax, KERNEL
    jmp eax

; Flat segments, 4 GB from address 0: only there to get into 32-bit mode. The kernel has its own.
align 8, db 0
gdt:
    dq 0
    dq 0x00CF9A000000FFFF       ; code: execute, read
    dq 0x00CF92000000FFFF       ; data: read, write
gdt_register:
    dw gdt_register - gdt - 1
    dd gdt
CODE equ 0x08
DATA equ 0x10

; What INT 13h AH=42h wants to know.
packet:
    db 16, 0
.count:   dw 0
.offset:  dw 0
.segment: dw LOADED_SEGMENT
.sector:  dq 1

    times 510 - ($ - $$) db 0
    dw 0xAA55                   ; without this the BIOS takes the sector for an empty one

; Memory behind the boot sector that it uses itself.
drive           equ 0x7E00      ; u8
sectors_a_track equ 0x7E02      ; u16
heads           equ 0x7E04      ; u16
