; The BIOS for Bochs: the same, but that the disk image is in the ROM in place of fw_cfg.

%define BOCHS
%include "bios.asm"
