// Values to deterministic CBOR (RFC 8949, section 4.2.1): shortest heads, shortest floats, keys sorted by their bytes.

import {
  ARGUMENT_INLINE_MAX,
  ARGUMENT_WIDTHS,
  CborMap,
  CborSimple,
  CborTag,
  type CborValue,
  compareBytes,
  MAJOR,
  SIMPLE_WORDS,
} from "./cbor.ts";

export function encodeCbor(value: CborValue): Uint8Array {
  if (typeof value === "bigint")
    return value >= 0n ? head(MAJOR.unsigned, value) : head(MAJOR.negative, -1n - value);
  if (typeof value === "number") return encodeFloat(value);
  if (typeof value === "string") return withHead(MAJOR.text, new TextEncoder().encode(value));
  if (value instanceof Uint8Array) return withHead(MAJOR.bytes, value);
  if (value instanceof CborTag) return concat(head(MAJOR.tag, value.tag), encodeCbor(value.content));
  if (value instanceof CborSimple) return head(MAJOR.simple, BigInt(value.value));
  if (value instanceof CborMap) return encodeMap(value);
  if (Array.isArray(value))
    return concat(head(MAJOR.array, BigInt(value.length)), ...value.map((item) => encodeCbor(item)));
  for (const [simple, word] of SIMPLE_WORDS) if (word === value) return head(MAJOR.simple, BigInt(simple));
  throw new TypeError("no CBOR for this value");
}

function encodeMap({ entries }: CborMap): Uint8Array {
  const rows = entries.map(([key, value]) => [encodeCbor(key), encodeCbor(value)] as const);
  rows.sort(([left], [right]) => compareBytes(left, right));
  if (rows.some(([key], index) => index > 0 && compareBytes(rows[index - 1]![0], key) === 0))
    throw new TypeError("a map with the same key twice");
  return concat(head(MAJOR.map, BigInt(rows.length)), ...rows.flat());
}

function withHead(major: number, content: Uint8Array): Uint8Array {
  return concat(head(major, BigInt(content.length)), content);
}

function head(major: number, argument: bigint): Uint8Array {
  if (argument <= ARGUMENT_INLINE_MAX) return Uint8Array.of((major << 5) | Number(argument));
  const form = ARGUMENT_WIDTHS.find(({ width }) => argument < 1n << BigInt(width * 8));
  if (form === undefined) throw new RangeError(`${argument} does not fit into a head`);
  const bytes = new Uint8Array(1 + form.width);
  bytes[0] = (major << 5) | form.info;
  for (let index = 0; index < form.width; index++)
    bytes[form.width - index] = Number((argument >> BigInt(index * 8)) & 0xffn);
  return bytes;
}

// IEEE 754 in half, single and double precision: the shortest that keeps the value; one NaN.

const HALF_NAN = 0x7e00;

function encodeFloat(value: number): Uint8Array {
  const half = Number.isNaN(value) ? HALF_NAN : halfOf(value);
  const bytes = new Uint8Array(9);
  const view = new DataView(bytes.buffer);
  const begin = (info: number) => view.setUint8(0, (MAJOR.simple << 5) | info);
  if (half !== undefined) {
    begin(25);
    view.setUint16(1, half);
    return bytes.subarray(0, 3);
  }
  const isSingle = Math.fround(value) === value;
  begin(isSingle ? 26 : 27);
  if (isSingle) view.setFloat32(1, value);
  else view.setFloat64(1, value);
  return isSingle ? bytes.subarray(0, 5) : bytes;
}

/** The bits in half precision, or undefined if it has no such value. */
function halfOf(value: number): number | undefined {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === Number.POSITIVE_INFINITY) return sign | 0x7c00;
  if (size === 0) return sign;
  const exponent = Math.max(Math.floor(Math.log2(size)), -14);
  const mantissa = size * 2 ** (10 - exponent);
  if (!Number.isInteger(mantissa) || exponent > 15) return undefined;
  // A subnormal has no leading bit: it has the exponent field 0.
  return sign | (mantissa < 0x400 ? mantissa : ((exponent + 15) << 10) | (mantissa - 0x400));
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
