// What the guest-boot compartment (sel0/guest-boot) is asked and answers: the device tree of a VM, with a node for its
// TEE. Offsets are in the message page (abi/compartments.ts); numbers there are little-endian, strings end with a zero.

/**
 * a: bytes from the start of the tree on that the window holds; b: where in the window the output area begins, c: its
 * size. The two may overlap: the tree is copied first. Answers one of the codes below.
 */
export const GUEST_BOOT_TREE: u32 = 1;

/** The largest tree that is taken; the output area needs no more than GUEST_BOOT_OUTPUT_MAX. */
export const GUEST_BOOT_TREE_MAX: u32 = 0x10000;
export const GUEST_BOOT_OUTPUT_MAX: u32 = 0x11000;

// --- asked ------------------------------------------------------------------------------------------------------
export const GUEST_BOOT_NODE_WANTED: u32 = 0x00; // u32, 0: this kind of TEE has no node
export const GUEST_BOOT_TREE_IPA: u32 = 0x08; // u64, where the guest finds its tree
export const GUEST_BOOT_ENTRY_IPA: u32 = 0x10; // u64, where its first instruction is
export const GUEST_BOOT_ENTRY_BYTES: u32 = 0x18; // the 64 bytes there, or zeros: Linux's Image header, if it is one
export const GUEST_BOOT_ENTRY_BYTES_SIZE: u32 = 64;
export const GUEST_BOOT_NODE_NAME: u32 = 0x60; // the node's name below /firmware
export const GUEST_BOOT_NODE_NAME_SIZE: u32 = 16;
export const GUEST_BOOT_COMPATIBLE: u32 = 0x70; // its properties
export const GUEST_BOOT_COMPATIBLE_SIZE: u32 = 32;
export const GUEST_BOOT_METHOD: u32 = 0x90;
export const GUEST_BOOT_METHOD_SIZE: u32 = 8;

// --- answered; zeros where nothing is known ---------------------------------------------------------------------
export const GUEST_BOOT_FLAGS: u32 = 0x400; // u32, GUEST_BOOT_HAS_*
export const GUEST_BOOT_SIZE: u32 = 0x404; // u32, of the new tree
export const GUEST_BOOT_PLACE_IPA: u32 = 0x408; // u64, where the guest can have it: the old one's place if it fits
export const GUEST_BOOT_INITRD_START: u32 = 0x410; // u64
export const GUEST_BOOT_INITRD_END: u32 = 0x418; // u64, the first byte behind it
export const GUEST_BOOT_IDENTITY: u32 = 0x420; // 32 bytes
export const GUEST_BOOT_IDENTITY_SIZE: u32 = 32;
export const GUEST_BOOT_BAD_OFFSET: u32 = 0x440; // u32, where in the tree the fault was found
export const GUEST_BOOT_BANK_COUNT: u32 = 0x444; // u32
export const GUEST_BOOT_BANKS: u32 = 0x448; // base and size of each, u64
export const GUEST_BOOT_BANK_MAX: u32 = 8; // further banks are left out
export const GUEST_BOOT_ANSWER_SIZE: u32 = 0xc8; // from GUEST_BOOT_FLAGS on

export const GUEST_BOOT_HAS_IDENTITY: u32 = 1;
export const GUEST_BOOT_HAS_INITRD: u32 = 2;
export const GUEST_BOOT_IN_PLACE: u32 = 4; // the new tree's place is the old one's

// --- codes: the first three with the answers above, the others with GUEST_BOOT_BAD_OFFSET only ------------------
export const GUEST_BOOT_DONE: u32 = 0; // the output area holds the new tree
export const GUEST_BOOT_NOT_WANTED: u32 = 1; // nothing was written: the kind of TEE has no node
export const GUEST_BOOT_ACPI: u32 = 2; // nothing was written: the guest takes its devices from ACPI
export const GUEST_BOOT_BAD_OPERATION: u32 = 16;
export const GUEST_BOOT_BAD_AREA: u32 = 17; // a, b and c are not within the window
export const GUEST_BOOT_BAD_REQUEST: u32 = 18; // a string of the request is empty, too long or no name
export const GUEST_BOOT_NO_TREE: u32 = 19; // no magic number
export const GUEST_BOOT_TOO_LARGE: u32 = 20; // more than GUEST_BOOT_TREE_MAX
export const GUEST_BOOT_CUT_OFF: u32 = 21; // more than the window holds
export const GUEST_BOOT_BAD_VERSION: u32 = 22;
export const GUEST_BOOT_BAD_HEADER: u32 = 23; // blocks out of bounds, out of order, overlapping or not aligned
export const GUEST_BOOT_BAD_RESERVATIONS: u32 = 24; // the memory reservation block does not end
export const GUEST_BOOT_BAD_STRUCTURE: u32 = 25; // a token where none of its kind may be, or cut off
export const GUEST_BOOT_TOO_DEEP: u32 = 26;
export const GUEST_BOOT_BAD_NAME: u32 = 27; // of a node or a property: characters, length, no end
export const GUEST_BOOT_BAD_VALUE: u32 = 28; // a property's value is cut off
export const GUEST_BOOT_NO_ROOM: u32 = 29; // the output area is too small
export const GUEST_BOOT_NO_PLACE: u32 = 30; // the guest's memory has no place that is certainly free

// --- properties of ours -----------------------------------------------------------------------------------------
// `vtz,guest-identity`, 32 bytes: of /chosen, or of /passthrough, which is the node that libxl copies into a tree.
