; The BIOS for Bochs: the same, with the disk image in the ROM in place of fw_cfg.

%define DISK_IN_ROM
%include "bios.asm"
