// The manifest of the package that was accepted (abi/boot-package.ts): a copy, so that what was verified is what is
// read, and the fields of it.

import {
  BOOT_MANIFEST_SIZE,
  BOOT_TEE_COUNT,
  IMAGE_PLACE,
  IMAGE_ROW_BASE,
  IMAGE_ROW_SIZE,
  IMAGE_SIZE,
  IMAGE_TEE_FIRST,
  IMAGES_PER_TEE,
} from "../../abi/boot-package";
import { COMPARTMENT_WINDOW_PTR } from "../../abi/compartments";

const MANIFEST: usize = memory.data(0x1000, 64); // BOOT_MANIFEST_SIZE
const IS_OPEN: usize = memory.data(4, 4);

/** Takes the first page of the window for the manifest; nothing is accepted yet. */
export function copyManifest(): void {
  closeManifest();
  memory.copy(MANIFEST, <usize>COMPARTMENT_WINDOW_PTR, <usize>BOOT_MANIFEST_SIZE);
}

export function acceptManifest(): void {
  store<u32>(IS_OPEN, 1);
}

export function closeManifest(): void {
  store<u32>(IS_OPEN, 0);
}

export function isAccepted(): bool {
  return load<u32>(IS_OPEN) !== 0;
}

/** `offset` is below BOOT_MANIFEST_SIZE. */
export function manifestPtr(offset: u32): usize {
  return MANIFEST + <usize>offset;
}

export function manifest32(offset: u32): u32 {
  return load<u32>(manifestPtr(offset));
}

export function manifest64(offset: u32): u64 {
  return load<u64>(manifestPtr(offset));
}

/** Of a package whose number of TEEs was checked. */
export function rowCount(): u32 {
  return IMAGE_TEE_FIRST + manifest32(BOOT_TEE_COUNT) * IMAGES_PER_TEE;
}

/** `row` is below IMAGE_MAX. */
export function rowOffset(row: u32): u32 {
  return IMAGE_ROW_BASE + row * IMAGE_ROW_SIZE;
}

export function placeOf(row: u32): u64 {
  return manifest64(rowOffset(row) + IMAGE_PLACE);
}

export function sizeOf(row: u32): u64 {
  return manifest64(rowOffset(row) + IMAGE_SIZE);
}
