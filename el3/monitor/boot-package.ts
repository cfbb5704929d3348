// Reads the boot package (abi/boot-package.ts) that the host wrote behind the monitor into secure flash.

import {
  BOOT_MAGIC,
  BOOT_MAGIC_HIGH,
  BOOT_MAGIC_LOW,
  BOOT_TEE_COUNT,
  TEE_CORE_COUNT,
  TEE_DEVICE_TREE_SIZE,
  TEE_IMAGE_SIZE,
  TEE_LOAD_IPA,
  TEE_MAX,
  TEE_ROW_BASE,
  TEE_ROW_SIZE,
} from "../../abi/boot-package";
import { BOOT_PACKAGE_PA, TEE_DEVICE_TREE_IPA, TEE_RAM_IPA, TEE_RAM_SIZE } from "../../abi/memory-map";
import { fatal, readPhysical32, readPhysical64 } from "./hw";
import { TEE_CORE_MAX } from "./storage";
import { FATAL_BOOT_PACKAGE } from "./trace/epitaph";

const PACKAGE_PA: u64 = <u64>BOOT_PACKAGE_PA;

/** Stops the machine if what lies in flash is not a boot package. */
export function checkBootPackage(): void {
  const magic = readPhysical64(PACKAGE_PA + <u64>BOOT_MAGIC);
  if (magic !== (((<u64>BOOT_MAGIC_HIGH) << 32) | <u64>BOOT_MAGIC_LOW))
    fatal(FATAL_BOOT_PACKAGE, PACKAGE_PA, magic);
  const teeCount = readBoot32(BOOT_TEE_COUNT);
  if (teeCount < 1 || teeCount > TEE_MAX) fatal(FATAL_BOOT_PACKAGE, <u64>BOOT_TEE_COUNT, <u64>teeCount);
  for (let index: u32 = 0; index < teeCount; index++)
    checkTee(PACKAGE_PA + <u64>(TEE_ROW_BASE + index * TEE_ROW_SIZE));
}

/** What a profile puts into a TEE's RAM must lie inside it: behind it is the next guest's. */
function checkTee(rowPa: u64): void {
  const loadIpa = readPhysical64(rowPa + <u64>TEE_LOAD_IPA);
  const imageSize = readPhysical64(rowPa + <u64>TEE_IMAGE_SIZE);
  const treeSize = <u64>readPhysical32(rowPa + <u64>TEE_DEVICE_TREE_SIZE);
  const isInside =
    imageSize <= <u64>TEE_RAM_SIZE &&
    loadIpa >= <u64>TEE_RAM_IPA &&
    loadIpa - <u64>TEE_RAM_IPA <= <u64>TEE_RAM_SIZE - imageSize &&
    treeSize <= loadIpa - <u64>TEE_DEVICE_TREE_IPA &&
    <u64>readPhysical32(rowPa + <u64>TEE_CORE_COUNT) <= <u64>TEE_CORE_MAX;
  if (!isInside) fatal(FATAL_BOOT_PACKAGE, rowPa, imageSize);
}

export function readBoot32(offset: u32): u32 {
  return readPhysical32(PACKAGE_PA + <u64>offset);
}

export function readBoot64(offset: u32): u64 {
  return readPhysical64(PACKAGE_PA + <u64>offset);
}

/** PA of the profile that new guests get: the first row. */
export function defaultProfilePa(): u64 {
  return PACKAGE_PA + <u64>TEE_ROW_BASE;
}

/** PA of what a row names by its offset in the package. */
export function packagePa(offset: u64): u64 {
  return PACKAGE_PA + offset;
}
