// What the monitor tells the outside: a status page and an event ring at the start of the pool, in normal DRAM,
// so that the host reads them with QMP `pmemsave` while the machine runs. Nothing secret lies there.
// Little-endian. Offsets in bytes from BOOT_POOL_PA.

export const STATUS_MAGIC_LOW: u32 = 0x535a5456; // "VTZS"
export const STATUS_MAGIC_HIGH: u32 = 0x31544154; // "TAT1"

export const STATUS_MAGIC: u32 = 0x00; // u64
export const STATUS_GUEST_SLOTS: u32 = 0x08; // u32, rows below
export const STATUS_EVENT_SLOTS: u32 = 0x0c; // u32, entries of the ring
export const STATUS_EVENT_COUNT: u32 = 0x10; // u64, events ever written; entry n lies at n % slots
export const STATUS_POOL_TOTAL: u32 = 0x18; // u64, bytes of the pool that TEEs can have
export const STATUS_POOL_FREE: u32 = 0x20; // u64
export const STATUS_GUESTS_CREATED: u32 = 0x28; // u64, ever
export const STATUS_GUESTS_DESTROYED: u32 = 0x30; // u64, ever
export const STATUS_HARDENED_SITES: u32 = 0x38; // u64, hardening calls in the hypervisor's executable pages, at lockdown
export const STATUS_TEXT_PAGES: u32 = 0x40; // u64, executable pages of the hypervisor now
export const STATUS_STAGE1_TABLES: u32 = 0x48; // u64, tables of EL2's stage 1 now, the monitor's own left out
export const STATUS_TABLE_STORES: u32 = 0x50; // u64, the hypervisor's stores to tables that were performed
export const STATUS_VIOLATIONS: u32 = 0x58; // u64, acts of the hypervisor that were refused
export const STATUS_MEASUREMENT: u32 = 0x60; // 32 bytes, SHA-256 of the executable pages in the order of their VAs, at lockdown
export const STATUS_COMPARTMENT_CALLS: u32 = 0x80; // u64, calls of compartments, ever
export const STATUS_COMPARTMENT_FAULTS: u32 = 0x88; // u64, those that did not end by themselves
export const STATUS_DMA_BLOCKED: u32 = 0xf8; // u64, accesses of devices that the SMMU has refused, ever
export const STATUS_GUEST_BASE: u32 = 0x100;
export const STATUS_GUEST_SIZE: u32 = 0x80;

// A row per guest slot.
export const GUEST_STATE: u32 = 0x00; // u32, GUEST_*
export const GUEST_VMID: u32 = 0x04; // u32, of its N world
export const GUEST_ID: u32 = 0x08; // u64, 1 for the first guest that ever was, never used again
export const GUEST_SWITCHES: u32 = 0x10; // u64, entries into the S world by a call
export const GUEST_FOREIGN: u32 = 0x18; // u64, foreign interrupts made pending for the TEE
export const GUEST_PREEMPTIONS: u32 = 0x20; // u64, times the TEE did not leave within the bound
export const GUEST_EXITS: u32 = 0x28; // u64, other exits of the S world (device emulation, traps)
export const GUEST_TEE_CORES: u32 = 0x30; // u32, cores that are up in the TEE
export const GUEST_ADAPTED_SITES: u32 = 0x34; // u32, instructions adapted in its image
export const GUEST_TIMER_INTERRUPTS: u32 = 0x38; // u64, secure-timer interrupts delivered
export const GUEST_BOOT_TICKS: u32 = 0x40; // u64, CNTPCT ticks from the first entry to ENTRY_DONE
export const GUEST_SECURE_GRANULES: u32 = 0x4c; // u32, granules of 2 MiB of its N world's memory that its TEE has now
export const GUEST_MEASUREMENT: u32 = 0x50; // 32 bytes, SHA-256 of its TEE's image as it was signed
export const GUEST_KEY_READS: u32 = 0x48; // u32, times its TEE has taken the hardware unique key; 0 = it knows no key, or a constant of its image

export const GUEST_NONE: u32 = 0;
export const GUEST_BOOTING: u32 = 1;
export const GUEST_READY: u32 = 2;
export const GUEST_FAULTED: u32 = 3;

// The event ring.
export const EVENT_BASE: u32 = 0x1000;
export const EVENT_SIZE: u32 = 0x20;
export const EVENT_SLOTS: u32 = 384;
export const EVENT_TICKS: u32 = 0x00; // u64, CNTPCT
export const EVENT_KIND: u32 = 0x08; // u32, EVENT_*
export const EVENT_GUEST: u32 = 0x0c; // u32, guest id, 0 = none
export const EVENT_ARGUMENT_0: u32 = 0x10; // u64
export const EVENT_ARGUMENT_1: u32 = 0x18; // u64

export const EVENT_MONITOR_BOOTED: u32 = 1;
export const EVENT_LOCKDOWN: u32 = 2; // first load of a stage-2 root; VTTBR_EL2, hardened sites
export const EVENT_GUEST_CREATED: u32 = 3; // VTTBR_EL2, PA of the TEE's RAM
export const EVENT_SITE_ADAPTED: u32 = 4; // IPA, original instruction
export const EVENT_TEE_READY: u32 = 5; // vector table, boot ticks
export const EVENT_TEE_CORE_ON: u32 = 6; // core
export const EVENT_TEE_FAULTED: u32 = 7; // FAULT_*, ELR or syndrome
export const EVENT_GUEST_DESTROYED: u32 = 8; // switches
export const EVENT_POOL_EXHAUSTED: u32 = 9; // VTTBR_EL2
export const EVENT_VIOLATION: u32 = 10; // VIOLATION_*, where
export const EVENT_DEPRIVILEGED: u32 = 11; // executable pages, stage-1 tables
export const EVENT_MEASURED: u32 = 12; // 16 bytes of the executable pages' SHA-256, twice
export const EVENT_KEY_SITE_ADAPTED: u32 = 13; // IPA, first original instruction
export const EVENT_DMA_BLOCKED: u32 = 32; // stream ID (bits 31:0) and the SMMU's event number (bits 63:32), address
export const EVENT_COMPARTMENT_FAULTED: u32 = 34; // compartment (bits 31:0) and operation (63:32), COMPARTMENT_* (63:32) and detail (31:0)
export const EVENT_GUEST_TREE: u32 = 40; // a VM's device tree: GUEST_BOOT_* or GUEST_TREE_FAULTED; IPA of the new one, or where the old one is wrong
export const EVENT_MEMORY_SECURED: u32 = 35; // memory of its N world is a TEE's: IPA, size
export const EVENT_MEMORY_RETURNED: u32 = 36; // and is not any more: IPA, size
export const EVENT_DMA_LOST: u32 = 33; // blocked accesses that nobody could record: SMMU_GERROR

// What the hypervisor may not do, and attempted (argument 0 of EVENT_VIOLATION; argument 1 says where).
export const VIOLATION_STAGE2_ROOT: u32 = 1; // a root that is none, is bound to another VMID, or maps what it may not: VTTBR_EL2
export const VIOLATION_STORE: u32 = 2; // a store to a read-only page that may not be performed: VA
export const VIOLATION_REGISTER: u32 = 3; // another value for a register that is fixed: imm16 of the SMC
export const VIOLATION_HCR: u32 = 4; // HCR_EL2 with TGE or E2H: the value
export const VIOLATION_CALL: u32 = 5; // an SMC that nobody wrote: imm16

// Argument 0 of EVENT_GUEST_TREE, beside the codes of abi/guest-boot-compartment.ts: the VM keeps its tree.
export const GUEST_TREE_FAULTED: u32 = 0x80; // the compartment did not answer
export const GUEST_TREE_NOT_MAPPED: u32 = 0x81; // the place that it chose is not the VM's to write

// How a compartment has failed (EVENT_COMPARTMENT_FAULTED); the detail is the low word of what stands behind it.
export const COMPARTMENT_TRAPPED: u32 = 1; // WebAssembly trapped: EPITAPH_TRAP_* of el3/link/wasm-rt.h
export const COMPARTMENT_ABORTED: u32 = 2; // it touched what is not mapped for it: FAR_EL1
export const COMPARTMENT_OVERRAN: u32 = 3; // it took too long: ESR_EL1
export const COMPARTMENT_UNDEFINED: u32 = 4; // anything else: ESR_EL1

// Why a TEE was stopped (argument 0 of EVENT_TEE_FAULTED; argument 1 is the detail).
export const FAULT_ADAPTED_SITES: u32 = 1; // the image has another number of secure-timer sites: how many
export const FAULT_PANIC: u32 = 2; // WFI where the profile says that it means a panic: ELR
export const FAULT_MEMORY: u32 = 3; // an address that nothing backs: IPA
export const FAULT_EXCEPTION: u32 = 4; // an exception that a TEE has no reason to cause: ESR_EL2
export const FAULT_CALL: u32 = 5; // an SMC of the dispatcher's ABI at the wrong moment: x0
export const FAULT_CORE_ON: u32 = 6; // a core's CPU_ON entry did not succeed: core
export const FAULT_STUCK: u32 = 7; // it never left although interrupts waited: ELR
export const FAULT_IMAGE: u32 = 8; // the image in its RAM is not the one that was signed: BOOT_REFUSED_*
export const FAULT_KEY_SITE: u32 = 9; // the image has other instructions where its key is to be put: IPA of the first other one
export const FAULT_MEMORY_LOST: u32 = 10; // the hypervisor took back memory that it had turned secure: PA
export const FAULT_KEY: u32 = 11; // its guest's hardware unique key could not be derived: ATTEST_*, or all bits if the compartment failed
