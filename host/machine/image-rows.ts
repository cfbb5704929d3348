// The manifest's rows of images as bytes: the second half of abi/boot-package.ts.

import * as abi from "../../abi/boot-package.ts";

export interface ImageRow {
  /** KIND_* */
  readonly kind: number;
  /** PA in RAM, or offset in the package. */
  readonly place: number;
  readonly size: number;
  /** SHA-256 of its bytes. */
  readonly hash: Uint8Array;
  readonly name: string;
  /** What its maker calls it. */
  readonly version: string;
}

/** The kinds of the rows of a package with so many TEEs, in order. */
export function rowKinds(teeCount: number): number[] {
  const inRam = [abi.KIND_HYPERVISOR, abi.KIND_DOM0_KERNEL, abi.KIND_DOM0_INITRD, abi.KIND_DEVICE_TREE];
  const perTee = [abi.KIND_TEE, abi.KIND_TEE_DEVICE_TREE];
  return [...inRam, ...Array.from({ length: teeCount }, () => perTee).flat()];
}

export function isInPackage({ kind }: Pick<ImageRow, "kind">): boolean {
  return kind === abi.KIND_TEE || kind === abi.KIND_TEE_DEVICE_TREE;
}

export function encodeImageRow(row: ImageRow): Uint8Array {
  const bytes = new Uint8Array(abi.IMAGE_ROW_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(abi.IMAGE_KIND, row.kind, true);
  view.setBigUint64(abi.IMAGE_PLACE, BigInt(row.place), true);
  view.setBigUint64(abi.IMAGE_SIZE, BigInt(row.size), true);
  if (row.hash.length !== abi.IMAGE_HASH_SIZE) throw new RangeError(`a hash of ${row.hash.length} bytes`);
  bytes.set(row.hash, abi.IMAGE_HASH);
  bytes.set(encodeText(row.name, abi.IMAGE_NAME_SIZE), abi.IMAGE_NAME);
  bytes.set(encodeText(row.version, abi.IMAGE_VERSION_SIZE), abi.IMAGE_VERSION);
  return bytes;
}

/** The rows of a package with so many TEEs. */
export function decodeImageRows(bytes: Uint8Array, teeCount: number): ImageRow[] {
  return rowKinds(teeCount).map((_, index) =>
    decodeRow(bytes, abi.IMAGE_ROW_BASE + index * abi.IMAGE_ROW_SIZE),
  );
}

function decodeRow(bytes: Uint8Array, base: number): ImageRow {
  const view = new DataView(bytes.buffer, bytes.byteOffset + base, abi.IMAGE_ROW_SIZE);
  const text = (at: number, size: number) => decodeText(bytes.subarray(base + at, base + at + size));
  return {
    kind: view.getUint32(abi.IMAGE_KIND, true),
    place: Number(view.getBigUint64(abi.IMAGE_PLACE, true)),
    size: Number(view.getBigUint64(abi.IMAGE_SIZE, true)),
    hash: bytes.slice(base + abi.IMAGE_HASH, base + abi.IMAGE_HASH + abi.IMAGE_HASH_SIZE),
    name: text(abi.IMAGE_NAME, abi.IMAGE_NAME_SIZE),
    version: text(abi.IMAGE_VERSION, abi.IMAGE_VERSION_SIZE),
  };
}

/** Printable ASCII that leaves room for a zero. */
export function encodeText(text: string, size: number): Uint8Array {
  if (text.length >= size || !/^[\x20-\x7e]*$/.test(text))
    throw new RangeError(`“${text}”: no text of ${size - 1} characters`);
  return new TextEncoder().encode(text);
}

export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes).replace(/\0+$/, "");
}
