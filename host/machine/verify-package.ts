// A boot package verified on the host, with Node's cryptography: what the boot compartment (sel0/boot) decides on the
// machine, written a second time. Tests compare the two.

import { verify } from "node:crypto";
import * as refusal from "../../abi/boot-compartment.ts";
import * as abi from "../../abi/boot-package.ts";
import { PACKAGE_MAGIC, sha256 } from "./boot-package.ts";
import { decodeImageRows, type ImageRow, isInPackage, rowKinds } from "./image-rows.ts";
import { publicKeyObject } from "./keys.ts";

const PAGE_SIZE = 0x1000;
const TEXT = /^[\x20-\x7e]*\0+$/;

/** BOOT_ACCEPTED, or the first BOOT_REFUSED_* of the package itself; of images only those in it are compared. */
export function verifyBootPackage(bytes: Uint8Array, rootKey: Uint8Array, minimumVersion: bigint): number {
  const status = verifyManifest(bytes, rootKey, minimumVersion);
  if (status !== refusal.BOOT_ACCEPTED) return status;
  const isChanged = ({ place, size, hash }: ImageRow) =>
    Buffer.compare(sha256(bytes.subarray(place, place + size)), hash) !== 0;
  return rowsOf(bytes).some((row) => isInPackage(row) && isChanged(row))
    ? refusal.BOOT_REFUSED_IMAGE_HASH
    : refusal.BOOT_ACCEPTED;
}

/** All but the hashes of images. */
export function verifyManifest(bytes: Uint8Array, rootKey: Uint8Array, minimumVersion: bigint): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < abi.BOOT_MANIFEST_SIZE) return refusal.BOOT_REFUSED_SIZE;
  if (view.getBigUint64(abi.BOOT_MAGIC, true) !== PACKAGE_MAGIC) return refusal.BOOT_REFUSED_MAGIC;
  if (view.getBigUint64(abi.BOOT_SIZE, true) !== BigInt(bytes.length)) return refusal.BOOT_REFUSED_SIZE;
  if (!isSigned(bytes, rootKey)) return refusal.BOOT_REFUSED_SIGNATURE;
  if (view.getBigUint64(abi.BOOT_VERSION, true) < minimumVersion) return refusal.BOOT_REFUSED_VERSION;
  const teeCount = view.getUint32(abi.BOOT_TEE_COUNT, true);
  if (teeCount < 1 || teeCount > abi.TEE_MAX) return refusal.BOOT_REFUSED_TEE_COUNT;
  if (!isReservedZero(bytes, teeCount)) return refusal.BOOT_REFUSED_RESERVED;
  return verifyRows(bytes) ?? verifyPlaces(bytes) ?? refusal.BOOT_ACCEPTED;
}

function isSigned(bytes: Uint8Array, rootKey: Uint8Array): boolean {
  const signature = bytes.subarray(abi.BOOT_SIGNATURE, abi.BOOT_SIGNATURE + abi.BOOT_SIGNATURE_SIZE);
  return verify(null, bytes.subarray(0, abi.BOOT_SIGNATURE), publicKeyObject(rootKey), signature);
}

function isReservedZero(bytes: Uint8Array, teeCount: number): boolean {
  const teeEnd = abi.TEE_ROW_BASE + teeCount * abi.TEE_ROW_SIZE;
  const rowEnd = abi.IMAGE_ROW_BASE + rowKinds(teeCount).length * abi.IMAGE_ROW_SIZE;
  const ranges: (readonly [number, number])[] = [
    [abi.BOOT_HEADER_END, abi.BOOT_HEADER_SIZE],
    [teeEnd, abi.IMAGE_ROW_BASE],
    [rowEnd, abi.BOOT_SIGNATURE],
  ];
  for (let row = abi.TEE_ROW_BASE; row < teeEnd; row += abi.TEE_ROW_SIZE)
    ranges.push([row + abi.TEE_ROW_END, row + abi.TEE_ROW_SIZE]);
  for (let row = abi.IMAGE_ROW_BASE; row < rowEnd; row += abi.IMAGE_ROW_SIZE)
    ranges.push(
      [row + abi.IMAGE_KIND + 4, row + abi.IMAGE_PLACE],
      [row + abi.IMAGE_SIZE + 8, row + abi.IMAGE_HASH],
    );
  return ranges.every(([start, end]) => isZero(bytes, start, end));
}

function verifyRows(bytes: Uint8Array): number | undefined {
  const rows = rowsOf(bytes);
  for (const [index, kind] of rowKinds(teeCountOf(bytes)).entries()) {
    const row = rows[index]!;
    if (row.kind !== kind) return row.kind === 0 ? refusal.BOOT_REFUSED_MISSING : refusal.BOOT_REFUSED_KIND;
    if (row.size === 0 && kind !== abi.KIND_TEE_DEVICE_TREE) return refusal.BOOT_REFUSED_MISSING;
    const base = abi.IMAGE_ROW_BASE + index * abi.IMAGE_ROW_SIZE;
    const name = base + abi.IMAGE_NAME;
    const version = base + abi.IMAGE_VERSION;
    if (!isText(bytes, name, abi.IMAGE_NAME_SIZE) || !isText(bytes, version, abi.IMAGE_VERSION_SIZE))
      return refusal.BOOT_REFUSED_TEXT;
  }
  for (let index = 0; index < teeCountOf(bytes); index++)
    if (!isText(bytes, abi.TEE_ROW_BASE + index * abi.TEE_ROW_SIZE, abi.TEE_LOAD_IPA - abi.TEE_NAME))
      return refusal.BOOT_REFUSED_TEXT;
  return undefined;
}

function verifyPlaces(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ramPa = Number(view.getBigUint64(abi.BOOT_RAM_PA, true));
  const poolPa = Number(view.getBigUint64(abi.BOOT_POOL_PA, true));
  const rows = rowsOf(bytes);
  const inRam = rows.filter((row) => !isInPackage(row));
  for (const [index, { place, size }] of inRam.entries()) {
    if (place % PAGE_SIZE !== 0 || place < ramPa || place + size > poolPa) return refusal.BOOT_REFUSED_PLACE;
    const isOver = (other: ImageRow) => place < other.place + other.size && other.place < place + size;
    if (inRam.slice(0, index).some(isOver)) return refusal.BOOT_REFUSED_PLACE;
  }
  let end: number = abi.BOOT_MANIFEST_SIZE;
  const padding: (readonly [number, number])[] = [];
  for (const { place, size } of rows.filter(isInPackage)) {
    const next = end + Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
    if (place !== end || next > bytes.length) return refusal.BOOT_REFUSED_PLACE;
    padding.push([place + size, next]);
    end = next;
  }
  if (end !== bytes.length) return refusal.BOOT_REFUSED_PLACE;
  return padding.every(([start, stop]) => isZero(bytes, start, stop))
    ? undefined
    : refusal.BOOT_REFUSED_PADDING;
}

function rowsOf(bytes: Uint8Array): ImageRow[] {
  return decodeImageRows(bytes, teeCountOf(bytes));
}

function teeCountOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(abi.BOOT_TEE_COUNT, true);
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  return bytes.subarray(start, end).every((byte) => byte === 0);
}

function isText(bytes: Uint8Array, at: number, size: number): boolean {
  return TEXT.test(Buffer.from(bytes.subarray(at, at + size)).toString("latin1"));
}
