// SHA-256 (FIPS 180-4) over physical memory, a page at a time: sha256Begin, sha256Page for each page, at most one
// sha256Tail for what is left of the last, sha256End; then sha256Word is the digest. There is one state, in storage.ts:
// the caller holds one and the same lock from sha256Begin until it has read the digest.
//
// A to h, K, W, Σ and σ are the standard's; words of the message are big-endian.

import { readPhysical8, readPhysical64 } from "../hw";
import { sha256State } from "../storage";
import { SHA256_BLOCK, SHA256_BLOCK_SIZE, SHA256_ROUNDS, SHA256_SCHEDULE } from "./sha256-state";

const MEASURED_PAGE_SIZE: u64 = 0x1000;
/** Where the length of the message stands in the last block. */
const LENGTH_OFFSET: u32 = 56;
const PADDING_FIRST_BYTE: u8 = 0x80;

/** Section 4.2.2. */
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

/** Section 5.3.3. */
export function sha256Begin(): void {
  const state = sha256State();
  state.hash0 = 0x6a09e667;
  state.hash1 = 0xbb67ae85;
  state.hash2 = 0x3c6ef372;
  state.hash3 = 0xa54ff53a;
  state.hash4 = 0x510e527f;
  state.hash5 = 0x9b05688c;
  state.hash6 = 0x1f83d9ab;
  state.hash7 = 0x5be0cd19;
  state.messageSize = 0;
  state.blockSize = 0;
}

/** The 4 KiB page at `pagePa`. */
export function sha256Page(pagePa: u64): void {
  addBlocks(pagePa, MEASURED_PAGE_SIZE);
}

/** The last bytes of a message that is no whole number of pages, from an 8-byte boundary; only sha256End may follow. */
export function sha256Tail(pa: u64, size: u64): void {
  const wholeSize = size & ~(<u64>SHA256_BLOCK_SIZE - 1);
  addBlocks(pa, wholeSize);
  for (let offset = wholeSize; offset < size; offset++) appendByte(<u8>readPhysical8(pa + offset)); // below 64
}

/** Padding, section 5.1.1: a one, zeros, and the length in bits at the end of a block. */
export function sha256End(): void {
  const state = sha256State();
  const messageBits: u64 = (state.messageSize + <u64>state.blockSize) * 8;
  appendByte(PADDING_FIRST_BYTE);
  while (state.blockSize !== LENGTH_OFFSET) appendByte(0); // below 64: a full block starts anew
  const lengthPtr = changetype<usize>(state) + SHA256_BLOCK + <usize>LENGTH_OFFSET;
  store<u32>(lengthPtr, swapBytes(<u32>(messageBits >> 32)));
  store<u32>(lengthPtr, swapBytes(<u32>messageBits), 4);
  compress();
}

/** Word `index`, below 8, of the digest. */
export function sha256Word(index: u32): u32 {
  return load<u32>(changetype<usize>(sha256State()) + <usize>(index & 7) * 4);
}

/** `size` is a multiple of the block's. */
function addBlocks(pa: u64, size: u64): void {
  const state = sha256State();
  const blockPtr = changetype<usize>(state) + SHA256_BLOCK;
  for (let offset: u64 = 0; offset < size; offset += 8) {
    const place = <usize>offset & (<usize>SHA256_BLOCK_SIZE - 1);
    store<u64>(blockPtr + place, readPhysical64(pa + offset));
    if (place === <usize>SHA256_BLOCK_SIZE - 8) compress();
  }
  state.messageSize += size;
}

function appendByte(byte: u8): void {
  const state = sha256State();
  store<u8>(changetype<usize>(state) + SHA256_BLOCK + <usize>state.blockSize, byte);
  state.blockSize++;
  if (state.blockSize === SHA256_BLOCK_SIZE) {
    compress();
    state.blockSize = 0;
  }
}

/** Section 6.2.2: the block into the hash. */
function compress(): void {
  expandSchedule();
  const state = sha256State();
  const schedulePtr = changetype<usize>(state) + SHA256_SCHEDULE;
  let a = state.hash0;
  let b = state.hash1;
  let c = state.hash2;
  let d = state.hash3;
  let e = state.hash4;
  let f = state.hash5;
  let g = state.hash6;
  let h = state.hash7;
  for (let offset: usize = 0; offset < <usize>SHA256_ROUNDS * 4; offset += 4) {
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const t1 = h + bigSigma1(e) + choice + load<u32>(K + offset) + load<u32>(schedulePtr + offset);
    const t2 = bigSigma0(a) + majority;
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  state.hash0 += a;
  state.hash1 += b;
  state.hash2 += c;
  state.hash3 += d;
  state.hash4 += e;
  state.hash5 += f;
  state.hash6 += g;
  state.hash7 += h;
}

function expandSchedule(): void {
  const blockPtr = changetype<usize>(sha256State()) + SHA256_BLOCK;
  const schedulePtr = changetype<usize>(sha256State()) + SHA256_SCHEDULE;
  for (let offset: usize = 0; offset < <usize>SHA256_BLOCK_SIZE; offset += 4) {
    store<u32>(schedulePtr + offset, swapBytes(load<u32>(blockPtr + offset)));
  }
  for (let offset = <usize>SHA256_BLOCK_SIZE; offset < <usize>SHA256_ROUNDS * 4; offset += 4) {
    const ptr = schedulePtr + offset;
    const word =
      smallSigma1(load<u32>(ptr - 2 * 4)) +
      load<u32>(ptr - 7 * 4) +
      smallSigma0(load<u32>(ptr - 15 * 4)) +
      load<u32>(ptr - 16 * 4);
    store<u32>(ptr, word);
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

function swapBytes(x: u32): u32 {
  return (rotl<u32>(x, 8) & 0x00ff00ff) | (rotr<u32>(x, 8) & 0xff00ff00);
}
