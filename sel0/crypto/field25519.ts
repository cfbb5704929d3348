// The field of Curve25519: integers modulo p = 2^255 - 19 (RFC 8032, section 5.1).
//
// An element is ten signed limbs of 26 bits, an i64 each: the sum of limb[i] × 2^(26 i). WebAssembly has no product of
// 128 bits; limbs of 26 bits leave room for the sum of ten products. A product has *tight* limbs: at most 2^26 + 2 by
// magnitude. Sums and differences are not carried: a factor's limbs may have 2^29, which is 8 tight ones added up.
//
// No branch and no address depends on a value: how long an operation takes tells nothing of it, as far as the source
// can say it (decision 0028). The result may lie where an operand does.

import { FIELD_BYTES, FIELD_CANONICAL, FIELD_POWER, FIELD_PRODUCT, FIELD_SIZE } from "./scratch25519";

const LIMB_SIZE: usize = 8;
const LIMB_BITS: u64 = 26;
const LIMB_MASK: i64 = 0x3ffffff;
const LAST_LIMB: usize = 9 * LIMB_SIZE;
/** Of the bits of the last limb that are below 2^255. */
const LAST_BITS: i64 = 21;
const LAST_MASK: i64 = 0x1fffff;
/** 2^255 and 2^260, modulo p. */
const FOLD_255: i64 = 19;
const FOLD_260: i64 = 608;

export const FIELD_ENCODED_SIZE: usize = 32;

export function fieldSet(resultPtr: usize, value: i64): void {
  memory.fill(resultPtr, 0, FIELD_SIZE);
  store<i64>(resultPtr, value);
}

export function fieldCopy(resultPtr: usize, aPtr: usize): void {
  memory.copy(resultPtr, aPtr, FIELD_SIZE);
}

export function fieldAdd(resultPtr: usize, aPtr: usize, bPtr: usize): void {
  for (let offset: usize = 0; offset < FIELD_SIZE; offset += LIMB_SIZE) {
    store<i64>(resultPtr + offset, load<i64>(aPtr + offset) + load<i64>(bPtr + offset));
  }
}

export function fieldSubtract(resultPtr: usize, aPtr: usize, bPtr: usize): void {
  for (let offset: usize = 0; offset < FIELD_SIZE; offset += LIMB_SIZE) {
    store<i64>(resultPtr + offset, load<i64>(aPtr + offset) - load<i64>(bPtr + offset));
  }
}

export function fieldNegate(resultPtr: usize, aPtr: usize): void {
  for (let offset: usize = 0; offset < FIELD_SIZE; offset += LIMB_SIZE) {
    store<i64>(resultPtr + offset, -load<i64>(aPtr + offset));
  }
}

export function fieldMultiply(resultPtr: usize, aPtr: usize, bPtr: usize): void {
  memory.fill(FIELD_PRODUCT, 0, 2 * FIELD_SIZE);
  for (let row: usize = 0; row < FIELD_SIZE; row += LIMB_SIZE) {
    const a = load<i64>(aPtr + row);
    const rowPtr = FIELD_PRODUCT + row;
    for (let column: usize = 0; column < FIELD_SIZE; column += LIMB_SIZE) {
      store<i64>(rowPtr + column, load<i64>(rowPtr + column) + a * load<i64>(bPtr + column));
    }
  }
  foldProduct(resultPtr);
}

/** The upper half is carried first: a sum of products times 608 would not fit. */
function foldProduct(resultPtr: usize): void {
  const lastPtr = FIELD_PRODUCT + FIELD_SIZE + LAST_LIMB;
  let carry: i64 = 0;
  for (let ptr = FIELD_PRODUCT; ptr < lastPtr; ptr += LIMB_SIZE) {
    const value = load<i64>(ptr) + carry;
    store<i64>(ptr, value & LIMB_MASK);
    carry = value >> LIMB_BITS;
  }
  store<i64>(lastPtr, carry); // below 2^33: it is the only one that stays as it is
  carry = 0;
  for (let offset: usize = 0; offset < FIELD_SIZE; offset += LIMB_SIZE) {
    const upper = load<i64>(FIELD_PRODUCT + FIELD_SIZE + offset);
    const value = load<i64>(FIELD_PRODUCT + offset) + upper * FOLD_260 + carry;
    store<i64>(resultPtr + offset, value & LIMB_MASK);
    carry = value >> LIMB_BITS;
  }
  const first = load<i64>(resultPtr) + carry * FOLD_260;
  store<i64>(resultPtr, first & LIMB_MASK);
  store<i64>(resultPtr, load<i64>(resultPtr, LIMB_SIZE) + (first >> LIMB_BITS), LIMB_SIZE);
}

/** To the power 2^252 - 3, which is (p - 5) / 8. */
export function fieldPower252(resultPtr: usize, aPtr: usize): void {
  powerOnes(FIELD_POWER, aPtr);
  squareTimes(FIELD_POWER, 2);
  fieldMultiply(resultPtr, FIELD_POWER, aPtr);
}

/** To the power p - 2 = 32 × (2^250 - 1) + 11. Of 0 it is 0. */
export function fieldInvert(resultPtr: usize, aPtr: usize): void {
  const elevenPtr = FIELD_POWER + FIELD_SIZE;
  powerOnes(FIELD_POWER, aPtr); // before it uses the second
  squareTimes(FIELD_POWER, 5);
  fieldCopy(elevenPtr, aPtr); // 1, 2, 4, 5, 10, 11
  squareTimes(elevenPtr, 2);
  fieldMultiply(elevenPtr, elevenPtr, aPtr);
  squareTimes(elevenPtr, 1);
  fieldMultiply(elevenPtr, elevenPtr, aPtr);
  fieldMultiply(resultPtr, FIELD_POWER, elevenPtr);
}

/** To the power 2^250 - 1, 250 ones: the number of ones is doubled, and one is added, as the bits of 250 say. */
function powerOnes(resultPtr: usize, aPtr: usize): void {
  const onesPtr = FIELD_POWER + FIELD_SIZE;
  fieldCopy(resultPtr, aPtr);
  let ones: u32 = 1;
  for (let bit: u32 = 7; bit > 0; bit--) {
    fieldCopy(onesPtr, resultPtr);
    squareTimes(resultPtr, ones);
    fieldMultiply(resultPtr, resultPtr, onesPtr);
    ones *= 2;
    if (((250 >> (bit - 1)) & 1) === 0) continue;
    squareTimes(resultPtr, 1);
    fieldMultiply(resultPtr, resultPtr, aPtr);
    ones++;
  }
}

function squareTimes(ptr: usize, count: u32): void {
  for (let done: u32 = 0; done < count; done++) fieldMultiply(ptr, ptr, ptr);
}

/** Bit 255 of the encoding is not the field's; a value from p on is taken modulo p: the caller compares. */
export function fieldDecode(resultPtr: usize, bytesPtr: usize): void {
  for (let limb: u32 = 0; limb < 10; limb++) {
    const bit = limb * <u32>LIMB_BITS;
    const wordPtr = bytesPtr + ((<usize>bit >> 6) << 3);
    const shift = <u64>bit & 63;
    let value = load<u64>(wordPtr) >> shift;
    if (shift > 64 - LIMB_BITS) value |= load<u64>(wordPtr + 8) << (64 - shift);
    store<i64>(resultPtr + <usize>limb * LIMB_SIZE, <i64>value & (limb === 9 ? LAST_MASK : LIMB_MASK));
  }
}

/** The one encoding: below p, little-endian, bit 255 clear. */
export function fieldEncode(bytesPtr: usize, aPtr: usize): void {
  const ptr = FIELD_CANONICAL;
  fieldCopy(ptr, aPtr);
  carryOnce(ptr); // below 2^255, but for 19 × 2^8 more or less
  carryOnce(ptr); // below 2^255, but for the first limb's carry
  carryOnce(ptr);
  subtractModulus(ptr);
  let pending: u64 = 0;
  let pendingBits: u64 = 0;
  let nextPtr = bytesPtr;
  for (let offset: usize = 0; offset < FIELD_SIZE; offset += LIMB_SIZE) {
    pending |= load<u64>(ptr + offset) << pendingBits;
    for (pendingBits += LIMB_BITS; pendingBits >= 8; pendingBits -= 8) {
      store<u8>(nextPtr, <u8>pending);
      pending >>= 8;
      nextPtr++;
    }
  }
}

function carryOnce(ptr: usize): void {
  let carry: i64 = 0;
  for (let offset: usize = 0; offset < LAST_LIMB; offset += LIMB_SIZE) {
    const value = load<i64>(ptr + offset) + carry;
    store<i64>(ptr + offset, value & LIMB_MASK);
    carry = value >> LIMB_BITS;
  }
  const last = load<i64>(ptr, LAST_LIMB) + carry;
  store<i64>(ptr, last & LAST_MASK, LAST_LIMB);
  store<i64>(ptr, load<i64>(ptr) + (last >> LAST_BITS) * FOLD_255);
}

/** Of a value below 2^255: it is at least p if 19 more have bit 255, and then those without it are what is left. */
function subtractModulus(ptr: usize): void {
  let carry: i64 = FOLD_255;
  for (let offset: usize = 0; offset < LAST_LIMB; offset += LIMB_SIZE) {
    carry = (load<i64>(ptr + offset) + carry) >> LIMB_BITS;
  }
  carry = ((load<i64>(ptr, LAST_LIMB) + carry) >> LAST_BITS) * FOLD_255;
  for (let offset: usize = 0; offset < FIELD_SIZE; offset += LIMB_SIZE) {
    const value = load<i64>(ptr + offset) + carry;
    store<i64>(ptr + offset, value & LIMB_MASK);
    carry = value >> LIMB_BITS;
  }
  store<i64>(ptr, load<i64>(ptr, LAST_LIMB) & LAST_MASK, LAST_LIMB);
}

export function fieldIsEqual(aPtr: usize, bPtr: usize): bool {
  fieldEncode(FIELD_BYTES, aPtr);
  fieldEncode(FIELD_BYTES + FIELD_ENCODED_SIZE, bPtr);
  let difference: u64 = 0;
  for (let offset: usize = 0; offset < FIELD_ENCODED_SIZE; offset += 8) {
    difference |= load<u64>(FIELD_BYTES + offset) ^ load<u64>(FIELD_BYTES + FIELD_ENCODED_SIZE + offset);
  }
  return difference === 0;
}

/** The standard's sign of an element: the lowest bit of its encoding. */
export function fieldSign(aPtr: usize): u32 {
  fieldEncode(FIELD_BYTES, aPtr);
  return load<u8>(FIELD_BYTES) & 1;
}
