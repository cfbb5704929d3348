// Registers of the TZPC. Made by `node arm/generate.ts` from arm/; do not edit.

export const TZPC_R0SIZE: u32 = 0; // Secure RAM, in units of 4 KiB
export const TZPC_DECPROT0_STAT: u32 = 0x800; // Which are non-secure
export const TZPC_DECPROT0_STAT_BITS_SHIFT: u32 = 0; // a bit a peripheral; 1 = non-secure
export const TZPC_DECPROT0_STAT_BITS_WIDTH: u32 = 8;
export const TZPC_DECPROT0_STAT_BITS_MASK: u32 = 0xff;
export const TZPC_DECPROT0_SET: u32 = 0x804; // Make non-secure
export const TZPC_DECPROT0_SET_BITS_SHIFT: u32 = 0; // a bit a peripheral; 1 = non-secure
export const TZPC_DECPROT0_SET_BITS_WIDTH: u32 = 8;
export const TZPC_DECPROT0_SET_BITS_MASK: u32 = 0xff;
export const TZPC_DECPROT0_CLR: u32 = 0x808; // Make secure
export const TZPC_DECPROT0_CLR_BITS_SHIFT: u32 = 0; // a bit a peripheral; 1 = non-secure
export const TZPC_DECPROT0_CLR_BITS_WIDTH: u32 = 8;
export const TZPC_DECPROT0_CLR_BITS_MASK: u32 = 0xff;
export const TZPC_PERIPHID0: u32 = 0xfe0; // Peripheral ID 0; 1 to 3 follow
export const TZPC_PCELLID0: u32 = 0xff0; // Component ID 0; 1 to 3 follow
export const TZPC_DECPROT_STRIDE: u32 = 0xc;
export const TZPC_DECPROT_COUNT: u32 = 3;
export const TZPC_DECPROT_WIDTH: u32 = 8;
export const TZPC_PERIPHIDS: u32 = 0x41870;
export const TZPC_PCELLIDS: u32 = 0xb105f00d;
