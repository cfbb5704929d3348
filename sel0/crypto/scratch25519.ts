// Where the arithmetic of Curve25519 keeps its values on the way, in one block: whoever has worked on a secret erases
// it as a whole (eraseScratch25519). Nothing in it outlives the call of an Ed25519 function.

/** A field element: ten limbs of 8 bytes (field25519.ts). */
export const FIELD_SIZE: usize = 80;
/** A point: X, Y, Z, T (point25519.ts). */
export const POINT_SIZE: usize = 320;
/** A number below 2^256: eight words of 4 bytes, which are also its encoding (scalar25519.ts). */
export const SCALAR_SIZE: usize = 32;

const SIZE: usize = 0x2280;
const SCRATCH: usize = memory.data(0x2280, 16);

// field25519.ts
export const FIELD_PRODUCT: usize = SCRATCH; // 20 limbs
export const FIELD_POWER: usize = SCRATCH + 0x100; // 2 elements
export const FIELD_CANONICAL: usize = SCRATCH + 0x200;
export const FIELD_BYTES: usize = SCRATCH + 0x280; // 2 encodings
// scalar25519.ts
export const SCALAR_DIFFERENCE: usize = SCRATCH + 0x300;
export const SCALAR_WIDE: usize = SCRATCH + 0x340; // 16 words
// point25519.ts
export const POINT_TEMPORARIES: usize = SCRATCH + 0x400; // 8 elements
export const POINT_SELECTED: usize = SCRATCH + 0x700;
export const POINT_TIMES_4: usize = SCRATCH + 0x880;
export const POINT_MULTIPLES: usize = SCRATCH + 0xa00; // 16 points
// ed25519.ts
export const ED25519_HASH: usize = SCRATCH + 0x1e00; // 64 bytes
export const ED25519_SCALARS: usize = SCRATCH + 0x1e40; // 3 scalars
export const ED25519_SIGNATURE: usize = SCRATCH + 0x1ea0; // 64 bytes
export const ED25519_PUBLIC_KEY: usize = SCRATCH + 0x1ee0; // 32 bytes
export const ED25519_STATE: usize = SCRATCH + 0x1f00; // of SHA-512: 0xc8 bytes
export const ED25519_POINTS: usize = SCRATCH + 0x2000; // 2 points

export function eraseScratch25519(): void {
  memory.fill(SCRATCH, 0, SIZE);
}
