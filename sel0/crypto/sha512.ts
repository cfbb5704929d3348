// SHA-512 (FIPS 180-4) over linear memory. A computation lies where its caller says: sha512Begin, any number of
// sha512Update, sha512End. Several may be under way at once; whole blocks are hashed where the message lies.
//
// A to h, K, W, Σ and σ are the standard's; words of the message are big-endian. A state of SHA512_STATE_SIZE bytes,
// on an 8-byte boundary:
//
//   0x00   hash         H0…H7
//   0x40   messageSize  bytes so far; those of a block that is not whole yet are the rest by 128
//   0x48   block        128 bytes

export const SHA512_DIGEST_SIZE: usize = 64;
export const SHA512_BLOCK_SIZE: usize = 128;
export const SHA512_STATE_SIZE: usize = 0xc8;

const MESSAGE_SIZE: usize = 0x40;
const BLOCK: usize = 0x48;
const SCHEDULE_SIZE: usize = 640; // 80 words
/** Where the length of the message, 16 bytes, stands in the last block. Its upper half is 0: memory is smaller. */
const LENGTH: usize = 112;
const LENGTH_LOW: usize = 120;
const PADDING_FIRST_BYTE: u8 = 0x80;

/** W, of the block that is hashed; nothing of it is needed from one to the next. */
const W: usize = memory.data(640, 8);

/** Of a computation that is begun and ended in one call. */
const SINGLE: usize = memory.data(0xc8, 8);

/** Section 4.2.3: of the cube roots of the first 80 primes. */
const K: usize = memory.data<u64>([
  0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
  0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
  0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
  0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
  0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
  0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
  0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
  0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
  0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
  0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
  0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
  0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
  0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
  0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
  0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
  0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
]);

/** Section 5.3.5: of the square roots of the first 8. */
const H: usize = memory.data<u64>([
  0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1, 0x510e527fade682d1,
  0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
]);

export function sha512Begin(statePtr: usize): void {
  memory.copy(statePtr, H, SHA512_DIGEST_SIZE);
  store<u64>(statePtr, 0, MESSAGE_SIZE);
}

export function sha512Update(statePtr: usize, ptr: usize, size: usize): void {
  const filled = <usize>load<u64>(statePtr, MESSAGE_SIZE) & (SHA512_BLOCK_SIZE - 1);
  store<u64>(statePtr, load<u64>(statePtr, MESSAGE_SIZE) + <u64>size, MESSAGE_SIZE);
  const blockPtr = statePtr + BLOCK;
  if (filled + size < SHA512_BLOCK_SIZE) {
    memory.copy(blockPtr + filled, ptr, size);
    return;
  }
  const endPtr = ptr + size;
  let nextPtr = ptr;
  if (filled !== 0) {
    const missing = SHA512_BLOCK_SIZE - filled;
    memory.copy(blockPtr + filled, ptr, missing);
    compress(statePtr, blockPtr);
    nextPtr += missing;
  }
  for (; endPtr - nextPtr >= SHA512_BLOCK_SIZE; nextPtr += SHA512_BLOCK_SIZE) compress(statePtr, nextPtr);
  memory.copy(blockPtr, nextPtr, endPtr - nextPtr);
}

/** Padding, section 5.1.2: a one, zeros, and the length in bits at the end of a block. The state is erased. */
export function sha512End(statePtr: usize, digestPtr: usize): void {
  const messageSize = load<u64>(statePtr, MESSAGE_SIZE);
  const blockPtr = statePtr + BLOCK;
  let filled = <usize>messageSize & (SHA512_BLOCK_SIZE - 1);
  store<u8>(blockPtr + filled, PADDING_FIRST_BYTE);
  filled++;
  if (filled > LENGTH) {
    memory.fill(blockPtr + filled, 0, SHA512_BLOCK_SIZE - filled);
    compress(statePtr, blockPtr);
    filled = 0;
  }
  memory.fill(blockPtr + filled, 0, LENGTH_LOW - filled);
  store<u64>(blockPtr, bswap<u64>(messageSize << 3), LENGTH_LOW);
  compress(statePtr, blockPtr);
  for (let offset: usize = 0; offset < SHA512_DIGEST_SIZE; offset += 8) {
    store<u64>(digestPtr + offset, bswap<u64>(load<u64>(statePtr + offset)));
  }
  memory.fill(statePtr, 0, SHA512_STATE_SIZE);
  memory.fill(W, 0, SCHEDULE_SIZE);
}

/** The digest of one message. */
export function sha512(ptr: usize, size: usize, digestPtr: usize): void {
  sha512Begin(SINGLE);
  sha512Update(SINGLE, ptr, size);
  sha512End(SINGLE, digestPtr);
}

/** Section 6.4.2: a block into the hash. Eight rounds at a time: each variable has its name again after them. */
function compress(statePtr: usize, blockPtr: usize): void {
  expandSchedule(blockPtr);
  let a = load<u64>(statePtr);
  let b = load<u64>(statePtr, 8);
  let c = load<u64>(statePtr, 16);
  let d = load<u64>(statePtr, 24);
  let e = load<u64>(statePtr, 32);
  let f = load<u64>(statePtr, 40);
  let g = load<u64>(statePtr, 48);
  let h = load<u64>(statePtr, 56);
  for (let offset: usize = 0; offset < SCHEDULE_SIZE; offset += 8 * 8) {
    h += t1(e, f, g, offset);
    d += h;
    h += t2(a, b, c);
    g += t1(d, e, f, offset + 8);
    c += g;
    g += t2(h, a, b);
    f += t1(c, d, e, offset + 16);
    b += f;
    f += t2(g, h, a);
    e += t1(b, c, d, offset + 24);
    a += e;
    e += t2(f, g, h);
    d += t1(a, b, c, offset + 32);
    h += d;
    d += t2(e, f, g);
    c += t1(h, a, b, offset + 40);
    g += c;
    c += t2(d, e, f);
    b += t1(g, h, a, offset + 48);
    f += b;
    b += t2(c, d, e);
    a += t1(f, g, h, offset + 56);
    e += a;
    a += t2(b, c, d);
  }
  add(statePtr, a);
  add(statePtr + 8, b);
  add(statePtr + 16, c);
  add(statePtr + 24, d);
  add(statePtr + 32, e);
  add(statePtr + 40, f);
  add(statePtr + 48, g);
  add(statePtr + 56, h);
}

function add(ptr: usize, value: u64): void {
  store<u64>(ptr, load<u64>(ptr) + value);
}

/** T1 of a round, without its h. */
function t1(e: u64, f: u64, g: u64, offset: usize): u64 {
  return bigSigma1(e) + ((e & f) ^ (~e & g)) + load<u64>(K + offset) + load<u64>(W + offset);
}

function t2(a: u64, b: u64, c: u64): u64 {
  return bigSigma0(a) + ((a & b) ^ (a & c) ^ (b & c));
}

function expandSchedule(blockPtr: usize): void {
  for (let offset: usize = 0; offset < SHA512_BLOCK_SIZE; offset += 8) {
    store<u64>(W + offset, bswap<u64>(load<u64>(blockPtr + offset)));
  }
  for (let offset = SHA512_BLOCK_SIZE; offset < SCHEDULE_SIZE; offset += 8) {
    const ptr = W + offset;
    const sum = smallSigma1(load<u64>(ptr - 2 * 8)) + load<u64>(ptr - 7 * 8);
    store<u64>(ptr, sum + smallSigma0(load<u64>(ptr - 15 * 8)) + load<u64>(ptr - 16 * 8));
  }
}

// Section 4.1.3.

function bigSigma0(x: u64): u64 {
  return rotr<u64>(x, 28) ^ rotr<u64>(x, 34) ^ rotr<u64>(x, 39);
}

function bigSigma1(x: u64): u64 {
  return rotr<u64>(x, 14) ^ rotr<u64>(x, 18) ^ rotr<u64>(x, 41);
}

function smallSigma0(x: u64): u64 {
  return rotr<u64>(x, 1) ^ rotr<u64>(x, 8) ^ (x >> 7);
}

function smallSigma1(x: u64): u64 {
  return rotr<u64>(x, 19) ^ rotr<u64>(x, 61) ^ (x >> 6);
}
