// The attestation compartment (sel0/attest): its operations, its answers, and what lies in the message page. All
// numbers are little-endian; offsets are in bytes from the page's start.

/** In: the device's secret and identity (ATTEST_START_*). Once; the page comes back without the secret. */
export const ATTEST_START: u32 = 1;
/** Out, at 0: the Ed25519 key that verifies this device's evidence, 32 bytes. */
export const ATTEST_PUBLIC_KEY: u32 = 2;
/** In: ATTEST_KEY_*. Out, at 0: the guest's hardware unique key, 32 bytes. */
export const ATTEST_GUEST_KEY: u32 = 3;
/** In: a record (ATTEST_RECORD_*). Out, from 0 on: evidence (docs/attestation.md); the result is its size. */
export const ATTEST_EVIDENCE: u32 = 4;

// Results. What is refused has changed nothing, the message page included. A size is smaller than any of these.
export const ATTEST_OK: u32 = 0;
export const ATTEST_REFUSED_MIN: u32 = 0xffffff00;
export const ATTEST_NO_OPERATION: u32 = 0xffffff00;
export const ATTEST_NOT_STARTED: u32 = 0xffffff01;
export const ATTEST_ALREADY_STARTED: u32 = 0xffffff02;
export const ATTEST_NO_SECRET: u32 = 0xffffff03; // it is all zeros: a device without one
export const ATTEST_NO_GUEST: u32 = 0xffffff04; // the identity is all zeros: a guest without one
export const ATTEST_NOT_LOCKED_DOWN: u32 = 0xffffff05;
export const ATTEST_BAD_NONCE: u32 = 0xffffff06; // its size
export const ATTEST_BAD_RECORD: u32 = 0xffffff07; // a flag or a debug status that nobody knows, or bytes that must be zero
export const ATTEST_BAD_NAME: u32 = 0xffffff08; // the TEE's name or version is no printable ASCII that ends in zeros
export const ATTEST_NOT_MEASURED: u32 = 0xffffff09; // a measurement is all zeros: it was never made

export const ATTEST_START_SECRET: u32 = 0x00; // 32 bytes
export const ATTEST_START_IDENTITY: u32 = 0x20; // 32 bytes

export const ATTEST_KEY_GUEST: u32 = 0x00; // 32 bytes, identity of the guest
export const ATTEST_KEY_TEE: u32 = 0x20; // 32 bytes, measurement of its TEE

export const ATTEST_RECORD_NONCE: u32 = 0x00; // 64 bytes
export const ATTEST_RECORD_NONCE_SIZE: u32 = 0x40; // u32, 8 to 64; what is behind it in the nonce is zero
export const ATTEST_RECORD_FLAGS: u32 = 0x44; // u32, ATTEST_FLAG_*
export const ATTEST_RECORD_DEBUG: u32 = 0x48; // u32, debug status of RFC 9711, section 4.2.9
export const ATTEST_RECORD_ZERO: u32 = 0x4c; // u32
export const ATTEST_RECORD_PACKAGE_VERSION: u32 = 0x50; // u64
export const ATTEST_RECORD_VIOLATIONS: u32 = 0x58; // u64
export const ATTEST_RECORD_GUEST: u32 = 0x60; // 32 bytes, identity
export const ATTEST_RECORD_MONITOR: u32 = 0x80; // 32 bytes, measurement; so are the next two
export const ATTEST_RECORD_HYPERVISOR: u32 = 0xa0;
export const ATTEST_RECORD_TEE: u32 = 0xc0;
export const ATTEST_RECORD_TEE_NAME: u32 = 0xe0; // ASCII, zeros behind it
export const ATTEST_RECORD_TEE_VERSION: u32 = 0x100; // likewise; may be empty
export const ATTEST_RECORD_SIZE: u32 = 0x128;

export const ATTEST_TEE_NAME_SIZE: u32 = 32;
export const ATTEST_TEE_VERSION_SIZE: u32 = 40;

export const ATTEST_FLAG_LOCKED_DOWN: u32 = 1;
export const ATTEST_FLAG_VERIFIED_BOOT: u32 = 2;
export const ATTEST_FLAGS: u32 = 3;

// Keys are HKDF-SHA-256 (RFC 5869) of the device's secret, salted with its identity, with these words as info; for a
// guest its identity and the measurement of its TEE follow.
export const ATTEST_SIGNING_KEY_INFO = "vTZ attestation key";
export const ATTEST_GUEST_KEY_INFO = "vTZ guest key";
/** Largest evidence: the longest nonce, name, version and counts. */
export const ATTEST_EVIDENCE_SIZE_MAX: u32 = 0x400;
