// The contract between the rewriter (`vtz harden`) and the monitor: a write of one of these registers by the
// hypervisor has become `smc #(HARDENING_CALL | index << HARDENED_REGISTER_SHIFT | Rt)`.

export const HARDENING_CALL: u32 = 0x8000;
export const HARDENED_REGISTER_SHIFT: u32 = 5;
export const HARDENED_REGISTER_MASK: u32 = 0x3ff; // after the shift
export const HARDENED_RT_MASK: u32 = 0x1f; // 31 = XZR

export const HARDENED_TTBR0_EL2: u32 = 0;
export const HARDENED_TCR_EL2: u32 = 1;
export const HARDENED_MAIR_EL2: u32 = 2;
export const HARDENED_SCTLR_EL2: u32 = 3;
export const HARDENED_VBAR_EL2: u32 = 4;
export const HARDENED_VTTBR_EL2: u32 = 5;
export const HARDENED_VTCR_EL2: u32 = 6;
export const HARDENED_HCR_EL2: u32 = 7;
export const HARDENED_REGISTER_COUNT: u32 = 8;
