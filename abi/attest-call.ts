// How a guest gets evidence of itself (docs/attestation.md) from the monitor: fast SMCs of 64 bits of the vendor-specific
// EL3 monitor service (Arm DEN 0028: owning entity 7), for both of its worlds. Evidence is public and signed: whoever
// carries it can lose it, not change it.

/** x1…x4: a nonce of 32 bytes, little-endian. Answers in x0 its size in bytes, or a code; makes it anew. */
export const ATTEST_MAKE_FID: u32 = 0xc7000010;
/** x1: an offset below the size, a multiple of 8. Answers x0 = 0 and 56 bytes in x1…x7, little-endian; zeros behind it. */
export const ATTEST_READ_FID: u32 = 0xc7000011;

export const ATTEST_CALL_NONCE_SIZE: u32 = 32;
export const ATTEST_CALL_PIECE_SIZE: u32 = 56;

// Codes, as 64-bit negative numbers: NOT_SUPPORTED (−1) the device has no secret, or signs nothing; INVALID_PARAMETERS
// (−2) there is nothing at this offset; DENIED (−3) there is no evidence of this guest: it has no identity, or something
// of it was not measured.
