// CBOR (RFC 8949) in its deterministic encoding, section 4.2.1: the values, and the heads that both directions share.
// Integers are bigints, so that a float is never taken for one.

export type CborValue =
  | bigint
  | number
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly CborValue[]
  | CborMap
  | CborTag
  | CborSimple;

/** Entries in the order of their encoded keys; what a key is compared with is an integer or a text. */
export class CborMap {
  readonly entries: readonly (readonly [CborValue, CborValue])[];

  constructor(entries: readonly (readonly [CborValue, CborValue])[]) {
    this.entries = entries;
  }

  get(key: bigint | string): CborValue {
    return this.entries.find(([candidate]) => candidate === key)?.[1];
  }

  has(key: bigint | string): boolean {
    return this.entries.some(([candidate]) => candidate === key);
  }
}

export class CborTag {
  readonly tag: bigint;
  readonly content: CborValue;

  constructor(tag: bigint, content: CborValue) {
    this.tag = tag;
    this.content = content;
  }
}

/** A simple value (section 3.3) that has no word in this language. */
export class CborSimple {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** Section 3.1. */
export const MAJOR = {
  unsigned: 0,
  negative: 1,
  bytes: 2,
  text: 3,
  array: 4,
  map: 5,
  tag: 6,
  simple: 7,
} as const;

/** Section 3: how an argument is written. A width of 0 is in the initial byte itself. */
export const ARGUMENT_INLINE_MAX = 23;
export const ARGUMENT_WIDTHS: readonly { readonly info: number; readonly width: number }[] = [
  { info: 24, width: 1 },
  { info: 25, width: 2 },
  { info: 26, width: 4 },
  { info: 27, width: 8 },
];
export const INFO_INDEFINITE = 31;

/** Section 3.3. */
export const SIMPLE_WORDS = new Map<number, boolean | null | undefined>([
  [20, false],
  [21, true],
  [22, null],
  [23, undefined],
]);
/** Below it a simple value of one byte more would be a second encoding, or is reserved. */
export const SIMPLE_IN_BYTE_MIN = 32;

export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const size = Math.min(left.length, right.length);
  for (let index = 0; index < size; index++) {
    if (left[index] !== right[index]) return left[index]! - right[index]!;
  }
  return left.length - right.length;
}
