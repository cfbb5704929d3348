// Points of edwards25519 (RFC 8032, section 5.1): -x² + y² = 1 + d x² y². A point is (X, Y, Z, T), four field elements
// with x = X/Z, y = Y/Z and x y = T/Z. Addition is complete: it needs no case for equal points or the neutral one.
//
// But for decoding, which is of public bytes, no branch and no address depends on a value.

import {
  fieldAdd,
  fieldCopy,
  fieldDecode,
  fieldEncode,
  fieldInvert,
  fieldIsEqual,
  fieldMultiply,
  fieldNegate,
  fieldPower252,
  fieldSet,
  fieldSign,
  fieldSubtract,
} from "./field25519";
import {
  FIELD_BYTES,
  FIELD_SIZE,
  POINT_MULTIPLES,
  POINT_SELECTED,
  POINT_SIZE,
  POINT_TEMPORARIES,
  POINT_TIMES_4,
} from "./scratch25519";

const Y: usize = FIELD_SIZE;
const Z: usize = 2 * FIELD_SIZE;
const T: usize = 3 * FIELD_SIZE;

// The names of the standard's formulas; those of decoding share their places.
const A: usize = POINT_TEMPORARIES;
const B: usize = POINT_TEMPORARIES + FIELD_SIZE;
const C: usize = POINT_TEMPORARIES + 2 * FIELD_SIZE;
const D: usize = POINT_TEMPORARIES + 3 * FIELD_SIZE;
const E: usize = POINT_TEMPORARIES + 4 * FIELD_SIZE;
const F: usize = POINT_TEMPORARIES + 5 * FIELD_SIZE;
const G: usize = POINT_TEMPORARIES + 6 * FIELD_SIZE;
const H: usize = POINT_TEMPORARIES + 7 * FIELD_SIZE;

const SIGN_BYTE: usize = 31;
const SIGN_SHIFT: u8 = 7;
const SIGN_CLEAR: u8 = 0x7f;
/** A scalar is taken in digits of 4 bits, for each of which there is a multiple. */
const DIGIT_COUNT: usize = 64;
const MULTIPLE_COUNT: usize = 16;

/** d = -121665/121666, 2 d, and a square root of -1, as limbs. */
const CURVE_D: usize = memory.data<i64>([
  0x35978a3, 0x2d37284, 0x18ab75e, 0x1350507, 0x000700a, 0x1de7a26, 0x0740797, 0x3f9ce33, 0x0ee2b6f,
  0x01480db,
]);
const CURVE_2D: usize = memory.data<i64>([
  0x2b2f159, 0x1a6e509, 0x3156ebd, 0x26a0a0e, 0x000e014, 0x3bcf44c, 0x0e80f2e, 0x3f39c66, 0x1dc56df,
  0x00901b6,
]);
const ROOT_OF_MINUS_1: usize = memory.data<i64>([
  0x20ea0b0, 0x386c9d2, 0x2478c4e, 0x01ab4bf, 0x32f4318, 0x37ef5e9, 0x0d00993, 0x37c2cad, 0x0804fc1,
  0x00ae0c9,
]);

/** B: y = 4/5, x positive; X, Y, Z, T. */
const BASE_POINT: usize = memory.data<i64>([
  0x325d51a, 0x18b5823, 0x27b2c95, 0x1825496, 0x0692cc7, 0x375b717, 0x24e231f, 0x14ffb02, 0x2d3cd6e,
  0x0085a4d, 0x2666658, 0x1999999, 0x2666666, 0x1999999, 0x2666666, 0x1999999, 0x2666666, 0x1999999,
  0x2666666, 0x0199999, 0x0000001, 0x0000000, 0x0000000, 0x0000000, 0x0000000, 0x0000000, 0x0000000,
  0x0000000, 0x0000000, 0x0000000, 0x1b7dda3, 0x3a2ace9, 0x12f56dd, 0x201dd45, 0x120f09f, 0x12af8df,
  0x2a4e8e6, 0x1d9959b, 0x30fd78b, 0x019e1d7,
]);

export function pointBase(): usize {
  return BASE_POINT;
}

function pointSetNeutral(pointPtr: usize): void {
  fieldSet(pointPtr, 0);
  fieldSet(pointPtr + Y, 1);
  fieldSet(pointPtr + Z, 1);
  fieldSet(pointPtr + T, 0);
}

export function pointNegate(resultPtr: usize, pointPtr: usize): void {
  fieldNegate(resultPtr, pointPtr);
  fieldCopy(resultPtr + Y, pointPtr + Y);
  fieldCopy(resultPtr + Z, pointPtr + Z);
  fieldNegate(resultPtr + T, pointPtr + T);
}

/** Section 5.1.4. */
export function pointAdd(resultPtr: usize, pPtr: usize, qPtr: usize): void {
  fieldSubtract(A, pPtr + Y, pPtr);
  fieldSubtract(B, qPtr + Y, qPtr);
  fieldMultiply(A, A, B);
  fieldAdd(B, pPtr + Y, pPtr);
  fieldAdd(C, qPtr + Y, qPtr);
  fieldMultiply(B, B, C);
  fieldMultiply(C, pPtr + T, qPtr + T);
  fieldMultiply(C, C, CURVE_2D);
  fieldMultiply(D, pPtr + Z, qPtr + Z);
  fieldAdd(D, D, D);
  fieldSubtract(E, B, A);
  fieldSubtract(F, D, C);
  fieldAdd(G, D, C);
  fieldAdd(H, B, A);
  multiplyOut(resultPtr);
}

/** Section 5.1.4. */
export function pointDouble(resultPtr: usize, pPtr: usize): void {
  fieldMultiply(A, pPtr, pPtr);
  fieldMultiply(B, pPtr + Y, pPtr + Y);
  fieldMultiply(C, pPtr + Z, pPtr + Z);
  fieldAdd(C, C, C);
  fieldAdd(H, A, B);
  fieldAdd(E, pPtr, pPtr + Y);
  fieldMultiply(E, E, E);
  fieldSubtract(E, H, E);
  fieldSubtract(G, A, B);
  fieldAdd(F, C, G);
  multiplyOut(resultPtr);
}

function multiplyOut(resultPtr: usize): void {
  fieldMultiply(resultPtr, E, F);
  fieldMultiply(resultPtr + Y, G, H);
  fieldMultiply(resultPtr + T, E, H);
  fieldMultiply(resultPtr + Z, F, G);
}

/** The point times a number below 2^256; each digit costs the same. `resultPtr` is not the point's. */
export function pointMultiply(resultPtr: usize, pointPtr: usize, scalarPtr: usize): void {
  pointSetNeutral(POINT_MULTIPLES);
  for (let index: usize = 1; index < MULTIPLE_COUNT; index++) {
    const multiplePtr = POINT_MULTIPLES + index * POINT_SIZE;
    pointAdd(multiplePtr, multiplePtr - POINT_SIZE, pointPtr);
  }
  pointSetNeutral(resultPtr);
  for (let digit = DIGIT_COUNT; digit > 0; digit--) {
    for (let bit: u32 = 0; bit < 4; bit++) pointDouble(resultPtr, resultPtr);
    selectMultiple(digitOf(scalarPtr, digit - 1));
    pointAdd(resultPtr, resultPtr, POINT_SELECTED);
  }
}

function digitOf(scalarPtr: usize, digit: usize): u32 {
  const byte: u32 = load<u8>(scalarPtr + (digit >> 1));
  return (byte >> ((<u32>digit & 1) << 2)) & 15;
}

/** All multiples are read, and one is kept: which one is not to be seen in what is read. */
function selectMultiple(digit: u32): void {
  memory.fill(POINT_SELECTED, 0, POINT_SIZE);
  for (let index: u32 = 0; index < <u32>MULTIPLE_COUNT; index++) {
    const mask = <i64>((<u64>(index ^ digit) - 1) >> 63) * -1; // of 0 alone, one less has the highest bit
    const multiplePtr = POINT_MULTIPLES + <usize>index * POINT_SIZE;
    for (let offset: usize = 0; offset < POINT_SIZE; offset += 8) {
      const kept = load<i64>(POINT_SELECTED + offset) | (load<i64>(multiplePtr + offset) & mask);
      store<i64>(POINT_SELECTED + offset, kept);
    }
  }
}

/** Section 5.1.2: y, and the sign of x in bit 255. */
export function pointEncode(bytesPtr: usize, pointPtr: usize): void {
  fieldInvert(A, pointPtr + Z);
  fieldMultiply(B, pointPtr, A);
  fieldMultiply(C, pointPtr + Y, A);
  const sign = fieldSign(B);
  fieldEncode(bytesPtr, C);
  store<u8>(bytesPtr, load<u8>(bytesPtr, SIGN_BYTE) | ((<u8>sign) << SIGN_SHIFT), SIGN_BYTE);
}

/** Section 5.1.3. Refuses a y that is not below p, one that no point has, and a sign of 0. */
export function pointDecode(pointPtr: usize, bytesPtr: usize): bool {
  fieldDecode(pointPtr + Y, bytesPtr);
  if (!isCanonical(pointPtr + Y, bytesPtr)) return false;
  const sign: u32 = load<u8>(bytesPtr, SIGN_BYTE) >> SIGN_SHIFT;
  if (!findX(pointPtr, pointPtr + Y)) return false;
  fieldSet(H, 0);
  if (sign === 1 && fieldIsEqual(pointPtr, H)) return false;
  if (fieldSign(pointPtr) !== sign) fieldNegate(pointPtr, pointPtr);
  fieldSet(pointPtr + Z, 1);
  fieldMultiply(pointPtr + T, pointPtr, pointPtr + Y);
  return true;
}

function isCanonical(yPtr: usize, bytesPtr: usize): bool {
  fieldEncode(FIELD_BYTES, yPtr);
  for (let offset: usize = 0; offset < SIGN_BYTE; offset++) {
    if (load<u8>(FIELD_BYTES + offset) !== load<u8>(bytesPtr + offset)) return false;
  }
  return load<u8>(FIELD_BYTES, SIGN_BYTE) === (load<u8>(bytesPtr, SIGN_BYTE) & SIGN_CLEAR);
}

/** x² = u / v with u = y² - 1 and v = d y² + 1; x = u v³ (u v⁷)^((p - 5) / 8), perhaps times the root of -1. */
function findX(xPtr: usize, yPtr: usize): bool {
  const uPtr = A;
  const vPtr = B;
  fieldSet(C, 1);
  fieldMultiply(D, yPtr, yPtr);
  fieldSubtract(uPtr, D, C);
  fieldMultiply(vPtr, D, CURVE_D);
  fieldAdd(vPtr, vPtr, C);
  fieldMultiply(D, vPtr, vPtr);
  fieldMultiply(E, D, vPtr); // v³
  fieldMultiply(D, E, D);
  fieldMultiply(D, D, vPtr);
  fieldMultiply(D, D, vPtr); // v⁷
  fieldMultiply(D, D, uPtr);
  fieldPower252(D, D);
  fieldMultiply(D, D, E);
  fieldMultiply(xPtr, D, uPtr);
  fieldMultiply(E, xPtr, xPtr);
  fieldMultiply(E, E, vPtr); // v x²
  if (fieldIsEqual(E, uPtr)) return true;
  fieldNegate(uPtr, uPtr);
  fieldMultiply(xPtr, xPtr, ROOT_OF_MINUS_1);
  return fieldIsEqual(E, uPtr);
}

/** Whether its order divides 8: then four times it is one of the two points with x = 0, (0, 1) and (0, -1). */
export function pointHasSmallOrder(pointPtr: usize): bool {
  pointDouble(POINT_TIMES_4, pointPtr);
  pointDouble(POINT_TIMES_4, POINT_TIMES_4);
  fieldSet(H, 0);
  return fieldIsEqual(POINT_TIMES_4, H);
}
