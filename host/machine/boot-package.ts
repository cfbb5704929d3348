// The boot package as bytes: encode and decode of abi/boot-package.ts. The monitor reads it from secure flash.

import * as abi from "../../abi/boot-package.ts";
import type { TeeProfile } from "../../el1/tees/profiles.ts";

export interface BootPackage {
  readonly ramPa: number;
  readonly ramSize: number;
  readonly poolPa: number;
  readonly poolSize: number;
  /** Where TEE RAM starts in the pool. */
  readonly poolTeeOffset: number;
  readonly hypervisorPa: number;
  readonly deviceTreePa: number;
  readonly coreCount: number;
  readonly tees: readonly TeeEntry[];
}

export interface TeeEntry {
  readonly profile: TeeProfile;
  readonly image: Uint8Array;
  /** What the TEE finds in x2, for a profile that wants one. */
  readonly deviceTree?: DeviceTreeTemplate;
}

export interface DeviceTreeTemplate {
  readonly bytes: Uint8Array;
  /** Where the monitor writes the N world's memory: two big-endian (base, size) pairs. */
  readonly memoryOffset: number;
}

export const FIRST_IMAGE_OFFSET = 0x1000;
const PAGE_SIZE = 0x1000;
const MAGIC = (BigInt(abi.BOOT_MAGIC_HIGH) << 32n) | BigInt(abi.BOOT_MAGIC_LOW);

// Fields that are one u32 in the row, by the profile's name for them.
const ROW_WORDS = [
  [abi.TEE_ENTRY_KIND, "entryKind"],
  [abi.TEE_CORE_COUNT, "coreCount"],
  [abi.TEE_TIMER, "timer"],
  [abi.TEE_FOREIGN_INTERRUPT, "foreignInterrupt"],
  [abi.TEE_FOREIGN_INTID, "foreignIntid"],
  [abi.TEE_ADAPTED_SITES, "adaptedSites"],
  [abi.TEE_WFI, "wfi"],
  [abi.TEE_HIDDEN_CAPABILITIES, "hiddenCapabilities"],
] as const;

const HEADER_QUADS = [
  [abi.BOOT_RAM_PA, "ramPa"],
  [abi.BOOT_RAM_SIZE, "ramSize"],
  [abi.BOOT_POOL_PA, "poolPa"],
  [abi.BOOT_POOL_SIZE, "poolSize"],
  [abi.BOOT_POOL_TEE_OFFSET, "poolTeeOffset"],
  [abi.BOOT_HYPERVISOR_PA, "hypervisorPa"],
  [abi.BOOT_DEVICE_TREE_PA, "deviceTreePa"],
] as const;

export function encodeBootPackage(bootPackage: BootPackage): Uint8Array {
  const { tees } = bootPackage;
  if (tees.length > abi.TEE_MAX) throw new RangeError(`${tees.length} TEE images; ${abi.TEE_MAX} fit`);

  const places: { image: number; deviceTree: number }[] = [];
  let size = FIRST_IMAGE_OFFSET;
  const reserve = (length: number) => {
    const at = size;
    size = alignUp(size + length);
    return at;
  };
  for (const { image, deviceTree } of tees) {
    places.push({ image: reserve(image.length), deviceTree: reserve(deviceTree?.bytes.length ?? 0) });
  }

  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  putQuad(view, abi.BOOT_MAGIC, MAGIC);
  putQuad(view, abi.BOOT_SIZE, size);
  for (const [at, key] of HEADER_QUADS) putQuad(view, at, bootPackage[key]);
  view.setUint32(abi.BOOT_CORE_COUNT, bootPackage.coreCount, true);
  view.setUint32(abi.BOOT_TEE_COUNT, tees.length, true);
  tees.forEach((tee, index) => {
    const row = new DataView(bytes.buffer, abi.TEE_ROW_BASE + index * abi.TEE_ROW_SIZE, abi.TEE_ROW_SIZE);
    const place = places[index]!;
    encodeRow(row, tee, place);
    bytes.set(tee.image, place.image);
    if (tee.deviceTree !== undefined) bytes.set(tee.deviceTree.bytes, place.deviceTree);
  });
  return bytes;
}

export function decodeBootPackage(bytes: Uint8Array): BootPackage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < FIRST_IMAGE_OFFSET || view.getBigUint64(abi.BOOT_MAGIC, true) !== MAGIC) {
    throw new Error("not a boot package: wrong magic");
  }
  const size = getQuad(view, abi.BOOT_SIZE);
  if (size > bytes.length) throw new Error(`boot package is cut off: ${bytes.length} of ${size} bytes`);
  const teeCount = view.getUint32(abi.BOOT_TEE_COUNT, true);
  if (teeCount > abi.TEE_MAX) throw new Error(`boot package names ${teeCount} TEEs`);

  const quads = Object.fromEntries(HEADER_QUADS.map(([at, key]) => [key, getQuad(view, at)]));
  const tees = Array.from({ length: teeCount }, (_, index) => decodeRow(bytes, view, index));
  return { ...quads, coreCount: view.getUint32(abi.BOOT_CORE_COUNT, true), tees } as unknown as BootPackage;
}

function encodeRow(
  row: DataView,
  { profile, image, deviceTree }: TeeEntry,
  place: { image: number; deviceTree: number },
): void {
  const name = new TextEncoder().encode(profile.name);
  if (name.length >= abi.TEE_IMAGE_OFFSET - abi.TEE_NAME)
    throw new RangeError(`name too long: ${profile.name}`);
  new Uint8Array(row.buffer, row.byteOffset + abi.TEE_NAME).set(name);
  putQuad(row, abi.TEE_IMAGE_OFFSET, place.image);
  putQuad(row, abi.TEE_IMAGE_SIZE, image.length);
  putQuad(row, abi.TEE_LOAD_IPA, profile.loadIpa);
  putQuad(row, abi.TEE_ENTRY_IPA, profile.entryIpa);
  for (const [at, key] of ROW_WORDS) row.setUint32(at, profile[key], true);
  if (deviceTree === undefined) return;
  row.setUint32(abi.TEE_DEVICE_TREE_SIZE, deviceTree.bytes.length, true);
  row.setUint32(abi.TEE_DEVICE_TREE_MEMORY, deviceTree.memoryOffset, true);
  putQuad(row, abi.TEE_DEVICE_TREE_OFFSET, place.deviceTree);
}

function decodeRow(bytes: Uint8Array, view: DataView, index: number): TeeEntry {
  const base = abi.TEE_ROW_BASE + index * abi.TEE_ROW_SIZE;
  const nameBytes = bytes.subarray(base + abi.TEE_NAME, base + abi.TEE_IMAGE_OFFSET);
  const words = Object.fromEntries(ROW_WORDS.map(([at, key]) => [key, view.getUint32(base + at, true)]));
  const treeSize = view.getUint32(base + abi.TEE_DEVICE_TREE_SIZE, true);
  const profile = {
    name: new TextDecoder().decode(nameBytes).replace(/\0+$/, ""),
    loadIpa: getQuad(view, base + abi.TEE_LOAD_IPA),
    entryIpa: getQuad(view, base + abi.TEE_ENTRY_IPA),
    ...words,
    hasDeviceTree: treeSize !== 0,
  } as TeeProfile;
  const imageSize = getQuad(view, base + abi.TEE_IMAGE_SIZE);
  const image = cut(bytes, getQuad(view, base + abi.TEE_IMAGE_OFFSET), imageSize);
  if (treeSize === 0) return { profile, image };
  const tree = cut(bytes, getQuad(view, base + abi.TEE_DEVICE_TREE_OFFSET), treeSize);
  const memoryOffset = view.getUint32(base + abi.TEE_DEVICE_TREE_MEMORY, true);
  return { profile, image, deviceTree: { bytes: tree, memoryOffset } };
}

function cut(bytes: Uint8Array, offset: number, size: number): Uint8Array {
  if (offset < FIRST_IMAGE_OFFSET || offset + size > bytes.length) {
    throw new Error(`boot package: ${size} bytes at ${offset} lie outside`);
  }
  return bytes.slice(offset, offset + size);
}

function alignUp(value: number): number {
  return Math.ceil(value / PAGE_SIZE) * PAGE_SIZE;
}

function putQuad(view: DataView, at: number, value: number | bigint): void {
  view.setBigUint64(at, BigInt(value), true);
}

function getQuad(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
