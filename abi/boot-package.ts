// The boot package: what the host writes behind the monitor into secure flash (at BOOT_PACKAGE_PA): a signed manifest of
// everything that boots, and the images of TEEs. The boot compartment verifies it before anything of it is used.
// Little-endian. Offsets in bytes from the start of the package.
//
//   0x000 header            one, BOOT_HEADER_SIZE bytes
//   0x100 TEE rows          BOOT_TEE_COUNT rows of TEE_ROW_SIZE bytes: a TEE kernel's profile, as data
//   0x500 image rows        what is hashed, and how it hashes: IMAGE_TEE_FIRST rows and two for each TEE, in this order
//   0xfc0 signature         Ed25519 (RFC 8032) over all bytes before it
//   0x1000… images          of TEEs, page aligned, each right behind the one before
//
// A byte is under the signature, in the signature, under the hash of an image, or zero: there is no other.

export const BOOT_MAGIC_LOW: u32 = 0x425a5456; // "VTZB"
export const BOOT_MAGIC_HIGH: u32 = 0x32544f4f; // "OOT2"

export const BOOT_MAGIC: u32 = 0x00; // u64
export const BOOT_SIZE: u32 = 0x08; // u64, bytes of the whole package
export const BOOT_VERSION: u32 = 0x10; // u64, of the package: a device takes none below its minimum (abi/device.ts)
export const BOOT_RAM_PA: u32 = 0x18; // u64, all normal DRAM, the pool included
export const BOOT_RAM_SIZE: u32 = 0x20; // u64
export const BOOT_POOL_PA: u32 = 0x28; // u64, hidden from the hypervisor; 16 MiB aligned
export const BOOT_POOL_SIZE: u32 = 0x30; // u64
export const BOOT_POOL_TEE_OFFSET: u32 = 0x38; // u64, where RAM for TEEs starts in the pool; before it, the monitor's own
export const BOOT_CORE_COUNT: u32 = 0x40; // u32, cores of the machine
export const BOOT_TEE_COUNT: u32 = 0x44; // u32
export const BOOT_HEADER_END: u32 = 0x48; // zero from here on
export const BOOT_HEADER_SIZE: u32 = 0x100;

export const TEE_ROW_BASE: u32 = 0x100;
export const TEE_ROW_SIZE: u32 = 0x100;
export const TEE_MAX: u32 = 4;

export const TEE_NAME: u32 = 0x00; // 16 bytes, zero padded ASCII
export const TEE_LOAD_IPA: u32 = 0x10; // u64, where the image goes inside the TEE's RAM
export const TEE_ENTRY_IPA: u32 = 0x18; // u64
export const TEE_ENTRY_KIND: u32 = 0x20; // u32, ENTRY_KIND_*
export const TEE_CORE_COUNT: u32 = 0x24; // u32, 1 = one context that moves between vCPUs
export const TEE_TIMER: u32 = 0x28; // u32, TIMER_*
export const TEE_FOREIGN_INTERRUPT: u32 = 0x2c; // u32, FOREIGN_*
export const TEE_FOREIGN_INTID: u32 = 0x30; // u32, for FOREIGN_VIRQ: an SPI of the TEE's distributor
export const TEE_ADAPTED_SITES: u32 = 0x34; // u32, secure-timer instructions the image must hold, exactly
export const TEE_WFI: u32 = 0x38; // u32, WFI_*
export const TEE_HIDDEN_CAPABILITIES: u32 = 0x3c; // u32, bits cleared in the answer to OPTEE_SMC_EXCHANGE_CAPABILITIES
export const TEE_DEVICE_TREE_MEMORY: u32 = 0x40; // u32, offset in the template of 2 big-endian (base, size) u64 pairs
// The node below /firmware that shows the TEE to its guest (abi/guest-boot-compartment.ts): texts, each with a zero at
// its end; no name = no node. They lie as GUEST_BOOT_NODE_NAME to GUEST_BOOT_METHOD do.
export const TEE_NODE_NAME: u32 = 0x44; // 16 bytes
export const TEE_NODE_COMPATIBLE: u32 = 0x54; // 32 bytes
export const TEE_NODE_METHOD: u32 = 0x74; // 8 bytes
export const TEE_NODE_END: u32 = 0x7c;
export const TEE_KEY_SITE: u32 = 0x7c; // u32, offset in the image of the function that gives its kernel the hardware unique key, 0 = none
export const TEE_KEY_WORDS: u32 = 0x80; // TEE_KEY_WORD_COUNT u32, what stands there
export const TEE_KEY_WORD_COUNT: u32 = 7;
export const TEE_CLOCK: u32 = 0x9c; // u32, CLOCK_*, for TIMER_CNTV
export const TEE_ROW_END: u32 = 0xa0; // zero from here on

export const IMAGE_ROW_BASE: u32 = 0x500;
export const IMAGE_ROW_SIZE: u32 = 0x80;
// The first rows, by index: what lies in RAM when the machine starts.
export const IMAGE_HYPERVISOR: u32 = 0; // its address is its entry point
export const IMAGE_DOM0_KERNEL: u32 = 1;
export const IMAGE_DOM0_INITRD: u32 = 2;
export const IMAGE_DEVICE_TREE: u32 = 3; // its address is in x0 at the hypervisor's entry
// Then for each TEE, in the package: its image; the template of its device tree, of size 0 if it wants none (else the
// monitor fills in the N world's memory, and the TEE finds the tree's IPA in x2).
export const IMAGE_TEE_FIRST: u32 = 4;
export const IMAGES_PER_TEE: u32 = 2;
export const IMAGE_MAX: u32 = 12; // IMAGE_TEE_FIRST + TEE_MAX * IMAGES_PER_TEE

export const IMAGE_KIND: u32 = 0x00; // u32, KIND_*: what the row is for, as its index says too
export const IMAGE_PLACE: u32 = 0x08; // u64, PA in RAM, or offset in the package; page aligned
export const IMAGE_SIZE: u32 = 0x10; // u64, bytes
export const IMAGE_HASH: u32 = 0x20; // SHA-256 (FIPS 180-4) of them
export const IMAGE_NAME: u32 = 0x40; // 24 bytes, zero padded ASCII
export const IMAGE_VERSION: u32 = 0x58; // 40 bytes, zero padded ASCII: what its maker calls it
export const IMAGE_NAME_SIZE: u32 = 24;
export const IMAGE_VERSION_SIZE: u32 = 40;
export const IMAGE_HASH_SIZE: u32 = 32;

export const KIND_HYPERVISOR: u32 = 1;
export const KIND_DOM0_KERNEL: u32 = 2;
export const KIND_DOM0_INITRD: u32 = 3;
export const KIND_DEVICE_TREE: u32 = 4;
export const KIND_TEE: u32 = 5;
export const KIND_TEE_DEVICE_TREE: u32 = 6;

export const BOOT_SIGNATURE: u32 = 0xfc0;
export const BOOT_SIGNATURE_SIZE: u32 = 64;
/** Images begin here. */
export const BOOT_MANIFEST_SIZE: u32 = 0x1000;

export const ENTRY_KIND_VECTOR: u32 = 0; // calls enter at a vector table (OP-TEE)
export const ENTRY_KIND_RESUME: u32 = 1; // calls enter by returning from the TEE's last SMC (seL4); needs a TEE of one core
export const TIMER_CNTPS: u32 = 0; // the secure physical timer, emulated
export const TIMER_CNTV: u32 = 1; // the EL1 virtual timer, the TEE's own while it runs; needs a TEE of one core
export const CLOCK_STOPS: u32 = 0; // stands still while the TEE is away
export const CLOCK_RUNS: u32 = 1; // is the machine's own
export const FOREIGN_VFIQ: u32 = 0;
export const FOREIGN_VIRQ: u32 = 1;
export const FOREIGN_NONE: u32 = 2; // transparent preemption only
export const WFI_FAULTS: u32 = 0; // a WFI means that the TEE has panicked
export const WFI_LEAVES: u32 = 1; // a WFI means that the S world has nothing to do
