// Why the monitor has stopped: the codes of `fatal`, which the host reads in the epitaph on the secure UART. What must never happen, and never
// what a guest did.

/** The code on the UART is this + FATAL_*; below it, the runtime's own: an access out of bounds, an exception of EL3. */
export const EPITAPH_FATAL: u32 = 0x100;

export const FATAL_TRAP: u32 = 1; // a bounds check or `unreachable` of the monitor's own code: address
export const FATAL_EXCEPTION: u32 = 2; // an exception taken from EL3: ESR_EL3, ELR_EL3
export const FATAL_BOOT_PACKAGE: u32 = 3; // no or damaged boot package: where, what stood there
export const FATAL_CORES: u32 = 4; // a core beyond CORE_MAX: MPIDR_EL1
export const FATAL_VECTORS: u32 = 6; // no free top-level slot in EL2's tables for the trapping vectors: TTBR0_EL2, entry
export const FATAL_MAIR: u32 = 7; // EL2 has no write-back memory attribute: MAIR_EL2
export const FATAL_EXCEPTION_CLASS: u32 = 8; // an exception class that EL3 does not take: ESR_EL3, ELR_EL3
export const FATAL_INTERRUPT: u32 = 9; // a group 0 interrupt that nobody set up: INTID
export const FATAL_STAGE2_FORMAT: u32 = 10; // the hypervisor's stage 2 does not start at level 0 with 4 KiB pages: VTCR_EL2, VTTBR_EL2
export const FATAL_STAGE1: u32 = 11; // EL2's tables cannot be locked down: PA of the entry, entry or page
export const FATAL_STAGE1_CONTROL: u32 = 12; // EL2's translation is off, or of another format: SCTLR_EL2, TCR_EL2
export const FATAL_DIRECT_MAP: u32 = 13; // no direct map of the hypervisor's RAM: where, what
export const FATAL_FORBIDDEN_INSTRUCTION: u32 = 14; // an executable page of EL2 can change translation: PA, the instruction
export const FATAL_NO_LOCKDOWN: u32 = 15; // a VM runs, and the hypervisor has shown no root of it: VTTBR_EL2, ELR
export const FATAL_COMPARTMENTS: u32 = 16; // the compartments' images are missing or do not fit: where, what stood there
export const FATAL_BOOT_DEVICE: u32 = 17; // no device page in flash: where, what stood there
export const FATAL_BOOT_REFUSED: u32 = 18; // the boot package was refused: BOOT_REFUSED_*, the size that it tells
export const FATAL_BOOT_IMAGE: u32 = 19; // an image was refused: its row, BOOT_REFUSED_*
export const FATAL_SMMU: u32 = 20; // the SMMU lacks what the DMA table needs: SMMU_IDR1 and SMMU_IDR0, SMMU_IDR5
export const FATAL_SMMU_SILENT: u32 = 21; // the SMMU does not do what it was told: register, what stands there
export const FATAL_MEASUREMENT: u32 = 22; // what the hypervisor may execute cannot be measured: BOOT_REFUSED_*
