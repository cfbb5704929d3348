// A writer of CBOR in its deterministic encoding (RFC 8949, section 4.2.1). Each function writes one head, or one item
// without others in it, and answers where it ends. The order of a map's keys is the caller's.

import { putText, textLength } from "./bytes";

// Section 3.1.
const MAJOR_UNSIGNED: u32 = 0;
const MAJOR_NEGATIVE: u32 = 1;
const MAJOR_BYTES: u32 = 2;
const MAJOR_TEXT: u32 = 3;
const MAJOR_ARRAY: u32 = 4;
const MAJOR_MAP: u32 = 5;
const MAJOR_TAG: u32 = 6;
const MAJOR_SIMPLE: u32 = 7;
const MAJOR_SHIFT: u32 = 5;

// Section 3: the widths of an argument, and section 3.3.
const ARGUMENT_INLINE_MAX: u64 = 23;
const ARGUMENT_1_BYTE: u32 = 24;
const SIMPLE_FALSE: u64 = 20;
const SIMPLE_TRUE: u64 = 21;

export function cborUnsigned(ptr: usize, value: u64): usize {
  return head(ptr, MAJOR_UNSIGNED, value);
}

/** −1 − `argument`. */
export function cborNegative(ptr: usize, argument: u64): usize {
  return head(ptr, MAJOR_NEGATIVE, argument);
}

export function cborBytes(ptr: usize, bytesPtr: usize, size: usize): usize {
  return content(head(ptr, MAJOR_BYTES, <u64>size), bytesPtr, size);
}

/** `size` bytes of ASCII. */
export function cborAscii(ptr: usize, bytesPtr: usize, size: usize): usize {
  return content(head(ptr, MAJOR_TEXT, <u64>size), bytesPtr, size);
}

/** A string literal of ASCII (bytes.ts). */
export function cborText(ptr: usize, text: usize): usize {
  return putText(head(ptr, MAJOR_TEXT, <u64>textLength(text)), text);
}

/** `count` items follow. */
export function cborArray(ptr: usize, count: u64): usize {
  return head(ptr, MAJOR_ARRAY, count);
}

/** `count` keys, each with its value, follow. */
export function cborMap(ptr: usize, count: u64): usize {
  return head(ptr, MAJOR_MAP, count);
}

/** One item follows. */
export function cborTag(ptr: usize, tag: u64): usize {
  return head(ptr, MAJOR_TAG, tag);
}

export function cborBool(ptr: usize, value: bool): usize {
  return head(ptr, MAJOR_SIMPLE, value ? SIMPLE_TRUE : SIMPLE_FALSE);
}

/** The shortest form: in the initial byte, or in 1, 2, 4 or 8 bytes behind it, the highest first. */
function head(ptr: usize, major: u32, argument: u64): usize {
  if (argument <= ARGUMENT_INLINE_MAX) {
    store<u8>(ptr, (major << MAJOR_SHIFT) | <u32>argument);
    return ptr + 1;
  }
  const log = widthLog(argument);
  store<u8>(ptr, (major << MAJOR_SHIFT) | (ARGUMENT_1_BYTE + log));
  const width = (<usize>1) << (<usize>log);
  for (let index: usize = 0; index < width; index++)
    store<u8>(ptr + width - index, <u32>((argument >> (<u64>index * 8)) & 0xff));
  return ptr + 1 + width;
}

/** Of the bytes that the argument takes: 1, 2, 4 or 8. */
function widthLog(argument: u64): u32 {
  if (argument <= <u64>u8.MAX_VALUE) return 0;
  if (argument <= <u64>u16.MAX_VALUE) return 1;
  return argument <= <u64>u32.MAX_VALUE ? 2 : 3;
}

function content(ptr: usize, bytesPtr: usize, size: usize): usize {
  memory.copy(ptr, bytesPtr, size);
  return ptr + size;
}
