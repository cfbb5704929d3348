// SHA-256 (FIPS 180-4) over linear memory. A computation lies where its caller says: sha256Begin, any number of
// sha256Update, sha256End. Several may be under way at once; whole blocks are hashed where the message lies.
//
// A to h, K, W, Σ and σ are the standard's; words of the message are big-endian. A state of SHA256_STATE_SIZE bytes,
// on an 8-byte boundary:
//
//   0x00   hash         H0…H7
//   0x20   messageSize  bytes so far; those of a block that is not whole yet are the rest by 64
//   0x28   block        64 bytes

export const SHA256_DIGEST_SIZE: usize = 32;
export const SHA256_BLOCK_SIZE: usize = 64;
export const SHA256_STATE_SIZE: usize = 0x68;

const MESSAGE_SIZE: usize = 0x20;
const BLOCK: usize = 0x28;
const SCHEDULE_SIZE: usize = 256; // 64 words
/** Where the length of the message stands in the last block. */
const LENGTH: usize = 56;
const PADDING_FIRST_BYTE: u8 = 0x80;

/** W, of the block that is hashed; nothing of it is needed from one to the next. */
const W: usize = memory.data(256, 8);

/** Of a computation that is begun and ended in one call. */
const SINGLE: usize = memory.data(0x68, 8);

/** Section 4.2.2: of the cube roots of the first 64 primes. */
const K: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);

/** Section 5.3.3: of the square roots of the first 8. */
const H: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

export function sha256Begin(statePtr: usize): void {
  memory.copy(statePtr, H, SHA256_DIGEST_SIZE);
  store<u64>(statePtr, 0, MESSAGE_SIZE);
}

export function sha256Update(statePtr: usize, ptr: usize, size: usize): void {
  const filled = <usize>load<u64>(statePtr, MESSAGE_SIZE) & (SHA256_BLOCK_SIZE - 1);
  store<u64>(statePtr, load<u64>(statePtr, MESSAGE_SIZE) + <u64>size, MESSAGE_SIZE);
  const blockPtr = statePtr + BLOCK;
  if (filled + size < SHA256_BLOCK_SIZE) {
    memory.copy(blockPtr + filled, ptr, size);
    return;
  }
  const endPtr = ptr + size;
  let nextPtr = ptr;
  if (filled !== 0) {
    const missing = SHA256_BLOCK_SIZE - filled;
    memory.copy(blockPtr + filled, ptr, missing);
    compress(statePtr, blockPtr);
    nextPtr += missing;
  }
  for (; endPtr - nextPtr >= SHA256_BLOCK_SIZE; nextPtr += SHA256_BLOCK_SIZE) compress(statePtr, nextPtr);
  memory.copy(blockPtr, nextPtr, endPtr - nextPtr);
}

/** Padding, section 5.1.1: a one, zeros, and the length in bits at the end of a block. The state is erased. */
export function sha256End(statePtr: usize, digestPtr: usize): void {
  const messageSize = load<u64>(statePtr, MESSAGE_SIZE);
  const blockPtr = statePtr + BLOCK;
  let filled = <usize>messageSize & (SHA256_BLOCK_SIZE - 1);
  store<u8>(blockPtr + filled, PADDING_FIRST_BYTE);
  filled++;
  if (filled > LENGTH) {
    memory.fill(blockPtr + filled, 0, SHA256_BLOCK_SIZE - filled);
    compress(statePtr, blockPtr);
    filled = 0;
  }
  memory.fill(blockPtr + filled, 0, LENGTH - filled);
  store<u64>(blockPtr, bswap<u64>(messageSize << 3), LENGTH);
  compress(statePtr, blockPtr);
  for (let offset: usize = 0; offset < SHA256_DIGEST_SIZE; offset += 4) {
    store<u32>(digestPtr + offset, bswap<u32>(load<u32>(statePtr + offset)));
  }
  memory.fill(statePtr, 0, SHA256_STATE_SIZE);
  memory.fill(W, 0, SCHEDULE_SIZE);
}

/** The digest of one message. */
export function sha256(ptr: usize, size: usize, digestPtr: usize): void {
  sha256Begin(SINGLE);
  sha256Update(SINGLE, ptr, size);
  sha256End(SINGLE, digestPtr);
}

/** Section 6.2.2: a block into the hash. Eight rounds at a time: each variable has its name again after them. */
function compress(statePtr: usize, blockPtr: usize): void {
  expandSchedule(blockPtr);
  let a = load<u32>(statePtr);
  let b = load<u32>(statePtr, 4);
  let c = load<u32>(statePtr, 8);
  let d = load<u32>(statePtr, 12);
  let e = load<u32>(statePtr, 16);
  let f = load<u32>(statePtr, 20);
  let g = load<u32>(statePtr, 24);
  let h = load<u32>(statePtr, 28);
  for (let offset: usize = 0; offset < SCHEDULE_SIZE; offset += 8 * 4) {
    h += t1(e, f, g, offset);
    d += h;
    h += t2(a, b, c);
    g += t1(d, e, f, offset + 4);
    c += g;
    g += t2(h, a, b);
    f += t1(c, d, e, offset + 8);
    b += f;
    f += t2(g, h, a);
    e += t1(b, c, d, offset + 12);
    a += e;
    e += t2(f, g, h);
    d += t1(a, b, c, offset + 16);
    h += d;
    d += t2(e, f, g);
    c += t1(h, a, b, offset + 20);
    g += c;
    c += t2(d, e, f);
    b += t1(g, h, a, offset + 24);
    f += b;
    b += t2(c, d, e);
    a += t1(f, g, h, offset + 28);
    e += a;
    a += t2(b, c, d);
  }
  add(statePtr, a);
  add(statePtr + 4, b);
  add(statePtr + 8, c);
  add(statePtr + 12, d);
  add(statePtr + 16, e);
  add(statePtr + 20, f);
  add(statePtr + 24, g);
  add(statePtr + 28, h);
}

function add(ptr: usize, value: u32): void {
  store<u32>(ptr, load<u32>(ptr) + value);
}

/** T1 of a round, without its h. */
function t1(e: u32, f: u32, g: u32, offset: usize): u32 {
  return bigSigma1(e) + ((e & f) ^ (~e & g)) + load<u32>(K + offset) + load<u32>(W + offset);
}

function t2(a: u32, b: u32, c: u32): u32 {
  return bigSigma0(a) + ((a & b) ^ (a & c) ^ (b & c));
}

function expandSchedule(blockPtr: usize): void {
  for (let offset: usize = 0; offset < SHA256_BLOCK_SIZE; offset += 4) {
    store<u32>(W + offset, bswap<u32>(load<u32>(blockPtr + offset)));
  }
  for (let offset = SHA256_BLOCK_SIZE; offset < SCHEDULE_SIZE; offset += 4) {
    const ptr = W + offset;
    const sum = smallSigma1(load<u32>(ptr - 2 * 4)) + load<u32>(ptr - 7 * 4);
    store<u32>(ptr, sum + smallSigma0(load<u32>(ptr - 15 * 4)) + load<u32>(ptr - 16 * 4));
  }
}

// Section 4.1.2.

function bigSigma0(x: u32): u32 {
  return rotr<u32>(x, 2) ^ rotr<u32>(x, 13) ^ rotr<u32>(x, 22);
}

function bigSigma1(x: u32): u32 {
  return rotr<u32>(x, 6) ^ rotr<u32>(x, 11) ^ rotr<u32>(x, 25);
}

function smallSigma0(x: u32): u32 {
  return rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3);
}

function smallSigma1(x: u32): u32 {
  return rotr<u32>(x, 17) ^ rotr<u32>(x, 19) ^ (x >> 10);
}
