// The boot package: what the host writes behind the monitor into secure flash (at BOOT_PACKAGE_PA), and the
// monitor reads once at boot. Little-endian. Offsets in bytes from the start of the package.
//
//   0x000 header            one, BOOT_HEADER_SIZE bytes
//   0x100 TEE rows          BOOT_TEE_COUNT rows of TEE_ROW_SIZE bytes: a TEE kernel's profile, as data
//   0x1000… images          page aligned; rows name them by offset from the start of the package

export const BOOT_MAGIC_LOW: u32 = 0x425a5456; // "VTZB"
export const BOOT_MAGIC_HIGH: u32 = 0x31544f4f; // "OOT1"

export const BOOT_MAGIC: u32 = 0x00; // u64
export const BOOT_SIZE: u32 = 0x08; // u64, bytes of the whole package
export const BOOT_RAM_PA: u32 = 0x10; // u64, all normal DRAM, the pool included
export const BOOT_RAM_SIZE: u32 = 0x18; // u64
export const BOOT_POOL_PA: u32 = 0x20; // u64, hidden from the hypervisor; 16 MiB aligned
export const BOOT_POOL_SIZE: u32 = 0x28; // u64
export const BOOT_HYPERVISOR_PA: u32 = 0x30; // u64, load address and entry point
export const BOOT_DEVICE_TREE_PA: u32 = 0x38; // u64, in x0 at the hypervisor's entry
export const BOOT_CORE_COUNT: u32 = 0x40; // u32, cores of the machine
export const BOOT_TEE_COUNT: u32 = 0x44; // u32
export const BOOT_POOL_TEE_OFFSET: u32 = 0x48; // u64, where RAM for TEEs starts in the pool; before it, the monitor's own
export const BOOT_HEADER_SIZE: u32 = 0x100;

export const TEE_ROW_BASE: u32 = 0x100;
export const TEE_ROW_SIZE: u32 = 0x80;
export const TEE_MAX: u32 = 8;

export const TEE_NAME: u32 = 0x00; // 16 bytes, zero padded ASCII
export const TEE_IMAGE_OFFSET: u32 = 0x10; // u64
export const TEE_IMAGE_SIZE: u32 = 0x18; // u64
export const TEE_LOAD_IPA: u32 = 0x20; // u64, where the image goes inside the TEE's RAM
export const TEE_ENTRY_IPA: u32 = 0x28; // u64
export const TEE_ENTRY_KIND: u32 = 0x30; // u32, ENTRY_KIND_*
export const TEE_CORE_COUNT: u32 = 0x34; // u32, 1 = one context that moves between vCPUs
export const TEE_TIMER: u32 = 0x38; // u32, TIMER_*
export const TEE_FOREIGN_INTERRUPT: u32 = 0x3c; // u32, FOREIGN_*
export const TEE_FOREIGN_INTID: u32 = 0x40; // u32, for FOREIGN_VIRQ: an SPI of the TEE's distributor
export const TEE_ADAPTED_SITES: u32 = 0x44; // u32, secure-timer instructions the image must hold, exactly
export const TEE_WFI: u32 = 0x48; // u32, WFI_*
export const TEE_DEVICE_TREE_MEMORY: u32 = 0x4c; // u32, offset in the template of 2 big-endian (base, size) u64 pairs
export const TEE_HIDDEN_CAPABILITIES: u32 = 0x50; // u32, bits cleared in the answer to OPTEE_SMC_EXCHANGE_CAPABILITIES
export const TEE_DEVICE_TREE_SIZE: u32 = 0x54; // u32, bytes of the device tree template, 0 = wants none
export const TEE_DEVICE_TREE_OFFSET: u32 = 0x58; // u64, template: the monitor fills in the N world's memory; IPA in x2

export const ENTRY_KIND_VECTOR: u32 = 0; // calls enter at a vector table (OP-TEE)
export const ENTRY_KIND_RESUME: u32 = 1; // calls enter by returning from the TEE's last SMC (seL4); needs a TEE of one core
export const TIMER_CNTPS: u32 = 0; // the secure physical timer, emulated
export const TIMER_CNTV: u32 = 1; // the EL1 virtual timer, the TEE's own while it runs; needs a TEE of one core
export const FOREIGN_VFIQ: u32 = 0;
export const FOREIGN_VIRQ: u32 = 1;
export const FOREIGN_NONE: u32 = 2; // transparent preemption only
export const WFI_FAULTS: u32 = 0; // a WFI means that the TEE has panicked
export const WFI_LEAVES: u32 = 1; // a WFI means that the S world has nothing to do
