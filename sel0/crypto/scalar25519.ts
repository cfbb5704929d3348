// Integers modulo L, the order of Ed25519's base point (RFC 8032, section 5.1). Eight words of 32 bits, the lowest
// first: on a little-endian machine that is the standard's encoding. Bit after bit and plain: it is a hundredth of a
// signature's work. No branch and no address depends on a value.

import { SCALAR_DIFFERENCE, SCALAR_SIZE, SCALAR_WIDE } from "./scratch25519";

export const SCALAR_WIDE_SIZE: usize = 64;

const WIDE_BITS: u32 = 512;

/** L = 2^252 + 27742317777372353535851937790883648493. */
const ORDER: usize = memory.data<u32>([
  0x5cf5d3ed, 0x5812631a, 0xa2f79cd6, 0x14def9de, 0x00000000, 0x00000000, 0x00000000, 0x10000000,
]);

/** Whether it is below L. */
export function scalarIsCanonical(scalarPtr: usize): bool {
  return subtractOrder(scalarPtr) !== 0;
}

/** A number of 64 bytes modulo L, by long division. `resultPtr` is not in it. */
export function scalarReduce(resultPtr: usize, widePtr: usize): void {
  memory.fill(resultPtr, 0, SCALAR_SIZE);
  for (let bit = WIDE_BITS; bit > 0; bit--) {
    const word = load<u32>(widePtr + ((<usize>(bit - 1) >> 5) << 2));
    doubleAndAdd(resultPtr, (word >> ((bit - 1) & 31)) & 1);
    keepBelowOrder(resultPtr);
  }
}

/** a × b + c modulo L; a × b + c is below 2^512 for all a, b and c. */
export function scalarMultiplyAdd(resultPtr: usize, aPtr: usize, bPtr: usize, cPtr: usize): void {
  memory.fill(SCALAR_WIDE, 0, SCALAR_WIDE_SIZE);
  memory.copy(SCALAR_WIDE, cPtr, SCALAR_SIZE);
  for (let row: usize = 0; row < SCALAR_SIZE; row += 4) {
    const a: u64 = load<u32>(aPtr + row);
    const rowPtr = SCALAR_WIDE + row;
    let carry: u64 = 0;
    for (let column: usize = 0; column < SCALAR_SIZE; column += 4) {
      const sum = a * <u64>load<u32>(bPtr + column) + <u64>load<u32>(rowPtr + column) + carry; // at most 2^64 - 1
      store<u32>(rowPtr + column, <u32>sum);
      carry = sum >> 32;
    }
    store<u32>(rowPtr, <u32>carry, SCALAR_SIZE); // no row before has been there
  }
  scalarReduce(resultPtr, SCALAR_WIDE);
}

function doubleAndAdd(ptr: usize, bit: u32): void {
  let carry = bit;
  for (let offset: usize = 0; offset < SCALAR_SIZE; offset += 4) {
    const word = load<u32>(ptr + offset);
    store<u32>(ptr + offset, (word << 1) | carry);
    carry = word >> 31;
  }
}

/** Of what is below 2 L. */
function keepBelowOrder(ptr: usize): void {
  const keep: u32 = 0 - subtractOrder(ptr);
  for (let offset: usize = 0; offset < SCALAR_SIZE; offset += 4) {
    const word = load<u32>(ptr + offset);
    const difference = load<u32>(SCALAR_DIFFERENCE + offset);
    store<u32>(ptr + offset, difference ^ (keep & (word ^ difference)));
  }
}

/** What L leaves of it, to SCALAR_DIFFERENCE; answers 1 if it is below L, else 0. */
function subtractOrder(ptr: usize): u32 {
  let borrow: u64 = 0;
  for (let offset: usize = 0; offset < SCALAR_SIZE; offset += 4) {
    const difference = <u64>load<u32>(ptr + offset) - <u64>load<u32>(ORDER + offset) - borrow;
    store<u32>(SCALAR_DIFFERENCE + offset, <u32>difference);
    borrow = difference >> 63;
  }
  return <u32>borrow;
}
