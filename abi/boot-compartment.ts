// What the boot compartment (sel0/boot) does, and what it answers. Sizes are of what the call lends, in bytes, from the
// start of the window. There is one computation of a hash at a time: from *_BEGIN to *_END no other begins.

export const BOOT_OPEN: u32 = 1; // verifies the boot package; a = its size; the message as below
export const BOOT_IMAGE: u32 = 2; // compares image row a with what is lent: b bytes
export const BOOT_IMAGE_BEGIN: u32 = 3; // the same in parts, for what is larger than the window: row a
export const BOOT_IMAGE_PART: u32 = 4; // a bytes of it; all parts but the last are multiples of 64
export const BOOT_IMAGE_END: u32 = 5;
export const BOOT_MEASURE_BEGIN: u32 = 6; // SHA-256 of whatever is lent
export const BOOT_MEASURE_PART: u32 = 7; // a bytes more
export const BOOT_MEASURE_END: u32 = 8; // the digest is in the message, at BOOT_MESSAGE_DIGEST

// The message of BOOT_OPEN, in bytes from its start.
export const BOOT_MESSAGE_ROOT_KEY: u32 = 0x00; // 32 bytes, Ed25519
export const BOOT_MESSAGE_MINIMUM_VERSION: u32 = 0x20; // u64
// The message that BOOT_MEASURE_END leaves.
export const BOOT_MESSAGE_DIGEST: u32 = 0x00; // 32 bytes

export const BOOT_ACCEPTED: u32 = 0;
// The package. A refused one is not open: no image is accepted after it.
export const BOOT_REFUSED_MAGIC: u32 = 1; // no boot package, or one of another format
export const BOOT_REFUSED_SIZE: u32 = 2; // cut off: another size than it says
export const BOOT_REFUSED_SIGNATURE: u32 = 3; // not signed by the device's root key, or changed afterwards
export const BOOT_REFUSED_VERSION: u32 = 4; // older than the device's minimum
export const BOOT_REFUSED_TEE_COUNT: u32 = 5; // no TEE, or more than there is room for
export const BOOT_REFUSED_MISSING: u32 = 6; // an image that must be there is not in the manifest
export const BOOT_REFUSED_KIND: u32 = 7; // a row names another image than its index
export const BOOT_REFUSED_PLACE: u32 = 8; // an image lies where it may not: over another, or outside of RAM or package
export const BOOT_REFUSED_TEXT: u32 = 9; // a name or version is not printable ASCII, padded with zeros
export const BOOT_REFUSED_RESERVED: u32 = 10; // something stands in the manifest where nothing is defined
export const BOOT_REFUSED_PADDING: u32 = 11; // something stands between images or behind the last
// An image.
export const BOOT_REFUSED_IMAGE_SIZE: u32 = 12; // another size than its row says
export const BOOT_REFUSED_IMAGE_HASH: u32 = 13; // it is not what was signed
// The call.
export const BOOT_REFUSED_NOT_OPEN: u32 = 14; // no package was accepted
export const BOOT_REFUSED_NO_ROW: u32 = 15; // the package has no such row
export const BOOT_REFUSED_ORDER: u32 = 16; // a part or an end of what was not begun
export const BOOT_REFUSED_LENT: u32 = 17; // more than a window holds
export const BOOT_REFUSED_OPERATION: u32 = 18; // there is no such operation
