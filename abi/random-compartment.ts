// What the compartment of random numbers (sel0/random) does, by its operation. It answers a status.

/** a bytes of the message, from its begin, are entropy for everything from now on; b: when, no two of them the same. */
export const RANDOM_SEED: u32 = 0;
/** a: a sample of a counter, mixed in. It is not taken for entropy. */
export const RANDOM_ENTROPY: u32 = 1;
/**
 * a bits for world c of the guest in slot b. The message begins with a sample of a counter, 8 bytes, and afterwards with
 * the bits in three words of 8 bytes: 63 to 0, 127 to 64, 191 to 128. Bits from a on are 0.
 */
export const RANDOM_GENERATE: u32 = 2;
/** The guest in slot a has ended: nothing is left of its generators. */
export const RANDOM_FORGET: u32 = 3;

export const RANDOM_DONE: u32 = 0;
/** There has been no seed, or there must be another (after 2^48 requests). Nothing has changed. */
export const RANDOM_UNSEEDED: u32 = 1;
/** No such operation, size, slot or world. Nothing has changed. */
export const RANDOM_INVALID: u32 = 2;

/** NIST SP 800-90A: of security strength 256. */
export const RANDOM_SEED_SIZE_MIN: u32 = 32;
export const RANDOM_SEED_SIZE_MAX: u32 = 0x1000;
/** Arm DEN0098, TRNG_RND64. */
export const RANDOM_BITS_MAX: u32 = 192;
export const RANDOM_OUTPUT_SIZE: u32 = 24;
export const RANDOM_SLOT_COUNT: u32 = 64;
export const RANDOM_WORLD_NORMAL: u32 = 0;
export const RANDOM_WORLD_SECURE: u32 = 1;
export const RANDOM_WORLD_COUNT: u32 = 2;
