// Deterministic CBOR (RFC 8949, section 4.2.1) to values, and nothing else: each value has one encoding that is taken.
// Not taken: longer heads than needed, indefinite lengths, keys out of order or twice, longer floats, text that is no
// UTF-8, reserved encodings, bytes behind the end.

import {
  ARGUMENT_INLINE_MAX,
  ARGUMENT_WIDTHS,
  CborMap,
  CborSimple,
  CborTag,
  type CborValue,
  compareBytes,
  INFO_INDEFINITE,
  MAJOR,
  SIMPLE_IN_BYTE_MIN,
  SIMPLE_WORDS,
} from "./cbor.ts";
import { encodeCbor } from "./cbor-encode.ts";

export class CborError extends Error {
  readonly offset: number;

  constructor(what: string, offset: number) {
    super(`${what} at byte ${offset}`);
    this.name = "CborError";
    this.offset = offset;
  }
}

/** Nothing that we read is deeper. */
const DEPTH_MAX = 16;

/** One item that fills `bytes`. Throws a CborError for anything that is not its one encoding. */
export function decodeCbor(bytes: Uint8Array): CborValue {
  const reader = new Reader(bytes);
  const value = reader.item(0);
  if (reader.offset !== bytes.length) throw new CborError("more bytes than the item has", reader.offset);
  return value;
}

class Reader {
  readonly bytes: Uint8Array;
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  item(depth: number): CborValue {
    const start = this.offset;
    if (depth > DEPTH_MAX) throw new CborError("nested too deeply", start);
    const initial = this.take(1)[0]!;
    const major = initial >> 5;
    const info = initial & 0x1f;
    if (major === MAJOR.simple) return this.simple(info, start);
    const argument = this.argument(info, start);
    switch (major) {
      case MAJOR.unsigned:
        return argument;
      case MAJOR.negative:
        return -1n - argument;
      case MAJOR.bytes:
        return this.take(this.count(argument, start)).slice();
      case MAJOR.text:
        return this.text(this.count(argument, start), start);
      case MAJOR.array:
        return Array.from({ length: this.count(argument, start) }, () => this.item(depth + 1));
      case MAJOR.map:
        return this.map(this.count(argument, start), depth);
      default:
        return new CborTag(argument, this.item(depth + 1));
    }
  }

  take(size: number): Uint8Array {
    if (size > this.bytes.length - this.offset) throw new CborError("cut off", this.bytes.length);
    this.offset += size;
    return this.bytes.subarray(this.offset - size, this.offset);
  }

  argument(info: number, start: number): bigint {
    if (info <= ARGUMENT_INLINE_MAX) return BigInt(info);
    if (info === INFO_INDEFINITE) throw new CborError("indefinite length", start);
    const form = ARGUMENT_WIDTHS.find((row) => row.info === info);
    if (form === undefined) throw new CborError("reserved encoding", start);
    const argument = this.take(form.width).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
    const shorter = form.width === 1 ? BigInt(ARGUMENT_INLINE_MAX) : (1n << BigInt(form.width * 4)) - 1n;
    if (argument <= shorter) throw new CborError("longer than needed", start);
    return argument;
  }

  /** Each byte or item takes a byte at least: a count beyond what is left is refused before anything is made of it. */
  count(argument: bigint, start: number): number {
    if (argument > BigInt(this.bytes.length - this.offset)) throw new CborError("cut off", start);
    return Number(argument);
  }

  text(size: number, start: number): string {
    const bytes = this.take(size);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new CborError("text that is no UTF-8", start);
    }
  }

  map(count: number, depth: number): CborMap {
    const entries: [CborValue, CborValue][] = [];
    let last: Uint8Array | undefined;
    for (let index = 0; index < count; index++) {
      const start = this.offset;
      const key = this.item(depth + 1);
      const encoded = this.bytes.subarray(start, this.offset);
      const order = last === undefined ? 1 : compareBytes(encoded, last);
      if (order === 0) throw new CborError("the same key twice", start);
      if (order < 0) throw new CborError("keys out of order", start);
      last = encoded;
      entries.push([key, this.item(depth + 1)]);
    }
    return new CborMap(entries);
  }

  simple(info: number, start: number): CborValue {
    const form = ARGUMENT_WIDTHS.find((row) => row.info === info);
    if (form === undefined) {
      if (info > ARGUMENT_INLINE_MAX)
        throw new CborError(info === INFO_INDEFINITE ? "indefinite length" : "reserved encoding", start);
      return SIMPLE_WORDS.has(info) ? SIMPLE_WORDS.get(info) : new CborSimple(info);
    }
    const bytes = this.take(form.width);
    if (form.width === 1) {
      if (bytes[0]! < SIMPLE_IN_BYTE_MIN) throw new CborError("reserved encoding", start);
      return new CborSimple(bytes[0]!);
    }
    const value = floatOf(bytes);
    if (compareBytes(encodeCbor(value), this.bytes.subarray(start, this.offset)) !== 0)
      throw new CborError("longer than needed", start);
    return value;
  }
}

function floatOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 8) return view.getFloat64(0);
  if (bytes.length === 4) return view.getFloat32(0);
  const bits = view.getUint16(0);
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  const sign = bits >> 15 === 0 ? 1 : -1;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (mantissa + 0x400) * 2 ** (exponent - 25);
}
