// The boot package as bytes: encode and decode of abi/boot-package.ts. The monitor reads it from secure flash.

import { createHash, type KeyObject, sign } from "node:crypto";
import * as abi from "../../abi/boot-package.ts";
import type { TeeNode, TeeProfile } from "../../el1/tees/profiles.ts";
import { decodeImageRows, decodeText, encodeImageRow, encodeText, type ImageRow } from "./image-rows.ts";
import { decodeKeySite, encodeKeySite } from "./key-site-words.ts";
import type { KeySite } from "./tee-key-site.ts";

export interface BootPackage {
  /** What devices compare with the lowest that they take. */
  readonly version: bigint;
  readonly ramPa: number;
  readonly ramSize: number;
  readonly poolPa: number;
  readonly poolSize: number;
  /** Where TEE RAM starts in the pool. */
  readonly poolTeeOffset: number;
  readonly coreCount: number;
  readonly hypervisor: RamImage;
  readonly dom0Kernel: RamImage;
  readonly dom0Initrd: RamImage;
  readonly deviceTree: RamImage;
  readonly tees: readonly TeeEntry[];
}

/** What lies in RAM when the machine starts: the package holds its hash only. */
export interface RamImage {
  readonly name: string;
  readonly version: string;
  readonly pa: number;
  readonly size: number;
  readonly hash: Uint8Array;
}

export interface TeeEntry {
  readonly profile: TeeProfile;
  readonly image: Uint8Array;
  /** What the image's maker calls it. */
  readonly version: string;
  /** What the TEE finds in x2, for a profile that wants one. */
  readonly deviceTree?: DeviceTreeTemplate;
  /** Where its kernel takes the hardware unique key from; absent if that is not known. */
  readonly keySite?: KeySite;
}

export interface DeviceTreeTemplate {
  readonly bytes: Uint8Array;
  /** Where the monitor writes the N world's memory: two big-endian (base, size) pairs. */
  readonly memoryOffset: number;
}

const PAGE_SIZE = 0x1000;
export const PACKAGE_MAGIC = (BigInt(abi.BOOT_MAGIC_HIGH) << 32n) | BigInt(abi.BOOT_MAGIC_LOW);

// Fields that are one u32 in the row, by the profile's name for them.
const ROW_WORDS = [
  [abi.TEE_ENTRY_KIND, "entryKind"],
  [abi.TEE_CORE_COUNT, "coreCount"],
  [abi.TEE_TIMER, "timer"],
  [abi.TEE_FOREIGN_INTERRUPT, "foreignInterrupt"],
  [abi.TEE_FOREIGN_INTID, "foreignIntid"],
  [abi.TEE_ADAPTED_SITES, "adaptedSites"],
  [abi.TEE_WFI, "wfi"],
  [abi.TEE_CLOCK, "clock"],
  [abi.TEE_HIDDEN_CAPABILITIES, "hiddenCapabilities"],
] as const;

const HEADER_QUADS = [
  [abi.BOOT_RAM_PA, "ramPa"],
  [abi.BOOT_RAM_SIZE, "ramSize"],
  [abi.BOOT_POOL_PA, "poolPa"],
  [abi.BOOT_POOL_SIZE, "poolSize"],
  [abi.BOOT_POOL_TEE_OFFSET, "poolTeeOffset"],
] as const;

/** By the index of their rows. */
const RAM_IMAGES = [
  ["hypervisor", abi.KIND_HYPERVISOR],
  ["dom0Kernel", abi.KIND_DOM0_KERNEL],
  ["dom0Initrd", abi.KIND_DOM0_INITRD],
  ["deviceTree", abi.KIND_DEVICE_TREE],
] as const;

/** Without a signature, which is all zeros: see signBootPackage. */
export function encodeBootPackage(bootPackage: BootPackage): Uint8Array {
  const { tees } = bootPackage;
  if (tees.length > abi.TEE_MAX) throw new RangeError(`${tees.length} TEE images; ${abi.TEE_MAX} fit`);

  const rows: ImageRow[] = RAM_IMAGES.map(([key, kind]) => {
    const { pa, ...image } = bootPackage[key];
    return { kind, place: pa, ...image };
  });
  const images: { bytes: Uint8Array; place: number }[] = [];
  let size: number = abi.BOOT_MANIFEST_SIZE;
  const append = (kind: number, bytes: Uint8Array, { profile, version }: TeeEntry) => {
    rows.push({ kind, place: size, size: bytes.length, hash: sha256(bytes), name: profile.name, version });
    images.push({ bytes, place: size });
    size = alignUp(size + bytes.length);
  };
  for (const tee of tees) {
    append(abi.KIND_TEE, tee.image, tee);
    append(abi.KIND_TEE_DEVICE_TREE, tee.deviceTree?.bytes ?? new Uint8Array(0), tee);
  }

  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  putQuad(view, abi.BOOT_MAGIC, PACKAGE_MAGIC);
  putQuad(view, abi.BOOT_SIZE, size);
  putQuad(view, abi.BOOT_VERSION, bootPackage.version);
  for (const [at, key] of HEADER_QUADS) putQuad(view, at, bootPackage[key]);
  view.setUint32(abi.BOOT_CORE_COUNT, bootPackage.coreCount, true);
  view.setUint32(abi.BOOT_TEE_COUNT, tees.length, true);
  tees.forEach((tee, index) => {
    bytes.set(encodeTeeRow(tee), abi.TEE_ROW_BASE + index * abi.TEE_ROW_SIZE);
  });
  rows.forEach((row, index) => {
    bytes.set(encodeImageRow(row), abi.IMAGE_ROW_BASE + index * abi.IMAGE_ROW_SIZE);
  });
  for (const image of images) bytes.set(image.bytes, image.place);
  return bytes;
}

/** Puts the signature into its place. */
export function signBootPackage(bytes: Uint8Array, privateKey: KeyObject): Uint8Array {
  bytes.set(sign(null, bytes.subarray(0, abi.BOOT_SIGNATURE), privateKey), abi.BOOT_SIGNATURE);
  return bytes;
}

/** What it says, whoever says it: verifyBootPackage believes nothing. */
export function decodeBootPackage(bytes: Uint8Array): BootPackage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < abi.BOOT_MANIFEST_SIZE || view.getBigUint64(abi.BOOT_MAGIC, true) !== PACKAGE_MAGIC) {
    throw new Error("not a boot package: wrong magic");
  }
  const size = getQuad(view, abi.BOOT_SIZE);
  if (size > bytes.length) throw new Error(`boot package is cut off: ${bytes.length} of ${size} bytes`);
  const teeCount = view.getUint32(abi.BOOT_TEE_COUNT, true);
  if (teeCount > abi.TEE_MAX) throw new Error(`boot package names ${teeCount} TEEs`);

  const rows = decodeImageRows(bytes, teeCount);
  const quads = Object.fromEntries(HEADER_QUADS.map(([at, key]) => [key, getQuad(view, at)]));
  const inRam = Object.fromEntries(RAM_IMAGES.map(([key], index) => [key, ramImage(rows[index]!)]));
  const tees = Array.from({ length: teeCount }, (_, index) => decodeTee(bytes, rows, index));
  return {
    version: view.getBigUint64(abi.BOOT_VERSION, true),
    ...quads,
    coreCount: view.getUint32(abi.BOOT_CORE_COUNT, true),
    ...inRam,
    tees,
  } as unknown as BootPackage;
}

function ramImage({ place, size, hash, name, version }: ImageRow): RamImage {
  return { name, version, pa: place, size, hash };
}

const NODE_TEXTS = [
  [abi.TEE_NODE_NAME, abi.TEE_NODE_COMPATIBLE, "name"],
  [abi.TEE_NODE_COMPATIBLE, abi.TEE_NODE_METHOD, "compatible"],
  [abi.TEE_NODE_METHOD, abi.TEE_NODE_END, "method"],
] as const;

function decodeNode(row: Uint8Array): TeeNode {
  const texts = NODE_TEXTS.map(([at, end, key]) => [key, decodeText(row.subarray(at, end))]);
  return Object.fromEntries(texts) as unknown as TeeNode;
}

function encodeTeeRow({ profile, deviceTree, keySite }: TeeEntry): Uint8Array {
  const bytes = new Uint8Array(abi.TEE_ROW_SIZE);
  const row = new DataView(bytes.buffer);
  bytes.set(encodeText(profile.name, abi.TEE_LOAD_IPA - abi.TEE_NAME), abi.TEE_NAME);
  putQuad(row, abi.TEE_LOAD_IPA, profile.loadIpa);
  putQuad(row, abi.TEE_ENTRY_IPA, profile.entryIpa);
  for (const [at, key] of ROW_WORDS) row.setUint32(at, profile[key], true);
  row.setUint32(abi.TEE_DEVICE_TREE_MEMORY, deviceTree?.memoryOffset ?? 0, true);
  if (keySite !== undefined) encodeKeySite(row, keySite);
  const { node } = profile;
  if (node !== undefined)
    for (const [at, end, key] of NODE_TEXTS) bytes.set(encodeText(node[key], end - at), at);
  return bytes;
}

function decodeTee(bytes: Uint8Array, rows: readonly ImageRow[], index: number): TeeEntry {
  const view = new DataView(
    bytes.buffer,
    bytes.byteOffset + abi.TEE_ROW_BASE + index * abi.TEE_ROW_SIZE,
    abi.TEE_ROW_SIZE,
  );
  const nameBytes = new Uint8Array(view.buffer, view.byteOffset + abi.TEE_NAME, abi.TEE_LOAD_IPA);
  const imageRow = rows[abi.IMAGE_TEE_FIRST + index * abi.IMAGES_PER_TEE]!;
  const treeRow = rows[abi.IMAGE_TEE_FIRST + index * abi.IMAGES_PER_TEE + 1]!;
  const words = Object.fromEntries(ROW_WORDS.map(([at, key]) => [key, view.getUint32(at, true)]));
  const profile = {
    name: decodeText(nameBytes),
    loadIpa: getQuad(view, abi.TEE_LOAD_IPA),
    entryIpa: getQuad(view, abi.TEE_ENTRY_IPA),
    ...words,
    hasDeviceTree: treeRow.size !== 0,
    ...(view.getUint8(abi.TEE_NODE_NAME) === 0
      ? {}
      : { node: decodeNode(new Uint8Array(view.buffer, view.byteOffset)) }),
  } as TeeProfile;
  const keySite = decodeKeySite(view);
  const tee = {
    profile,
    image: cut(bytes, imageRow),
    version: imageRow.version,
    ...(keySite === undefined ? {} : { keySite }),
  };
  if (treeRow.size === 0) return tee;
  const memoryOffset = view.getUint32(abi.TEE_DEVICE_TREE_MEMORY, true);
  return { ...tee, deviceTree: { bytes: cut(bytes, treeRow), memoryOffset } };
}

function cut(bytes: Uint8Array, { place, size }: ImageRow): Uint8Array {
  if (place < abi.BOOT_MANIFEST_SIZE || place + size > bytes.length) {
    throw new Error(`boot package: ${size} bytes at ${place} lie outside`);
  }
  return bytes.slice(place, place + size);
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
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
