// What the compartment of devices (sel0/devices) does, by its operation. It keeps nothing: the message page is the state
// of one guest's devices, which the monitor keeps for the guest and puts there for the call. All zero is as after reset.
//
//   0x000  the registers of the TZC-400, each at its own offset
//   0x800  DEVICES_SECURE        the peripherals that are secure, a bit each
//   0xf00  DEVICES_ACTION_IPA    what a write asks the monitor to do, and for which range…
//   0xf08  DEVICES_ACTION_SIZE
//   0xf00  DEVICES_ACTION_MASK   …or for which peripherals
//   0xf10  DEVICES_PRESENT       the peripherals that there are, as the monitor has found them

/** Answers what register a reads as. a: DEVICE_* in bits 63 to 32, offset below; c: size of the access in bytes. */
export const DEVICES_READ: u32 = 0;
/**
 * Register a becomes b. Answers an action of the monitor's, by which the write takes effect. The message then holds the
 * state in which it has; the monitor keeps the one before if it refuses.
 */
export const DEVICES_WRITE: u32 = 1;
/** The monitor refused what the last write asked for: a says why (PARTITION_*), b is the first address of which. */
export const DEVICES_REFUSED: u32 = 2;

export const DEVICE_TZC400: u32 = 0;
export const DEVICE_TZPC: u32 = 1;

export const DEVICES_ACTION_NONE: u32 = 0;
/** The range becomes the secure world's alone. */
export const DEVICES_ACTION_SECURE: u32 = 1;
/** It is both worlds' again. */
export const DEVICES_ACTION_RELEASE: u32 = 2;

/** The peripherals become the secure world's alone. */
export const DEVICES_ACTION_SECURE_PERIPHERALS: u32 = 3;
/** They are the normal world's again. */
export const DEVICES_ACTION_RELEASE_PERIPHERALS: u32 = 4;

export const DEVICES_SECURE: u32 = 0x800; // u32
export const DEVICES_ACTION_MASK: u32 = 0xf00; // u32
export const DEVICES_PRESENT: u32 = 0xf10; // u32
export const DEVICES_ACTION_IPA: u32 = 0xf00; // u64
export const DEVICES_ACTION_SIZE: u32 = 0xf08; // u64

/** A region that the normal world does not reach begins and ends at multiples of this: what Xen maps in one piece. */
export const PARTITION_GRANULE: u32 = 0x00200000;
/** Of one region, so that a write takes no longer. */
export const PARTITION_SIZE_MAX: u32 = 0x01000000;
/** Granules of one guest. */
export const PARTITION_GRANULES_MAX: u32 = 32;
/** Pieces of 1 GiB of its address space in which they may lie. */
export const PARTITION_GIBS_MAX: u32 = 4;
/** Pages of devices of one guest, a peripheral each. */
export const PERIPHERALS_MAX: u32 = 24;
/** Pieces of 2 MiB of its first GiB in which those that are secure may lie. */
export const PERIPHERAL_TABLES_MAX: u32 = 4;

// Why a region cannot be taken from the normal world: TZC400_FAIL_ID.
export const PARTITION_DONE: u32 = 0;
/** It does not begin and end at multiples of PARTITION_GRANULE, is empty or too large, or overlaps another one. */
export const PARTITION_RANGE: u32 = 1;
/** Not all of it is memory of the normal world's, or the hypervisor has it in pieces of 1 GiB. */
export const PARTITION_NOT_MEMORY: u32 = 2;
/** A page of it is mapped elsewhere: in another VM, twice in this one, by the hypervisor beside its direct map. */
export const PARTITION_SHARED: u32 = 3;
/** The guest has PARTITION_GRANULES_MAX, or PARTITION_GIBS_MAX, already. */
export const PARTITION_EXHAUSTED: u32 = 4;
/** The compartment or its caller has failed. */
export const PARTITION_FAILED: u32 = 5;
