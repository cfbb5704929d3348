// Reads the boot package (abi/boot-package.ts) behind the monitor in secure flash, once it was accepted (boot/verify.ts).

import {
  BOOT_TEE_COUNT,
  CLOCK_RUNS,
  ENTRY_KIND_RESUME,
  FOREIGN_NONE,
  FOREIGN_VIRQ,
  IMAGE_NAME,
  IMAGE_PLACE,
  IMAGE_ROW_BASE,
  IMAGE_ROW_SIZE,
  IMAGE_SIZE,
  IMAGE_TEE_FIRST,
  IMAGES_PER_TEE,
  TEE_CLOCK,
  TEE_CORE_COUNT,
  TEE_DEVICE_TREE_MEMORY,
  TEE_ENTRY_KIND,
  TEE_FOREIGN_INTERRUPT,
  TEE_FOREIGN_INTID,
  TEE_KEY_SITE,
  TEE_KEY_WORD_COUNT,
  TEE_LOAD_IPA,
  TEE_ROW_BASE,
  TEE_ROW_SIZE,
  TEE_TIMER,
  TEE_WFI,
  TIMER_CNTV,
  WFI_LEAVES,
} from "../../abi/boot-package";
import {
  BOOT_PACKAGE_PA,
  TEE_DEVICE_TREE_IPA,
  TEE_INTERRUPT_COUNT,
  TEE_RAM_IPA,
  TEE_RAM_SIZE,
} from "../../abi/memory-map";
import { INTID_SPI_FIRST } from "./arm/gic.gen";
import { PAGE_SIZE } from "./arm/page-tables.gen";
import { fatal, readPhysical32, readPhysical64 } from "./hw";
import { TEE_CORE_MAX } from "./storage";
import { FATAL_BOOT_PACKAGE } from "./trace/epitaph";

const PACKAGE_PA: u64 = <u64>BOOT_PACKAGE_PA;
/** What the monitor fills in of a device tree: two pairs of 64 bits (guests/device-tree.ts). */
/** Before a property's value its size, which changes with it, and its name. */
const PROPERTY_HEADER_SIZE: u64 = 8;
const MEMORY_PAIRS_SIZE: u64 = 32;
const INSTRUCTION_SIZE: u64 = 4;

/** Stops the machine if a profile of a package that was accepted (boot/verify.ts) is not to be followed. */
export function checkProfiles(): void {
  for (let index: u32 = 0; index < readBoot32(BOOT_TEE_COUNT); index++) checkTee(index);
}

/** A profile is believed where it chooses, not where it could reach beyond its TEE: behind its RAM is the next guest's. */
function checkTee(index: u32): void {
  const rowPa = profilePa(index);
  if (!fitsItsRam(rowPa, index) || !isKnown(rowPa) || !hasItsCores(rowPa))
    fatal(FATAL_BOOT_PACKAGE, rowPa, 0);
}

function fitsItsRam(rowPa: u64, index: u32): bool {
  const loadIpa = readPhysical64(rowPa + <u64>TEE_LOAD_IPA);
  const imageSize = imageSizeOf(teeImage(index));
  const treeSize = imageSizeOf(teeDeviceTree(index));
  const treeMemory = <u64>readPhysical32(rowPa + <u64>TEE_DEVICE_TREE_MEMORY);
  return (
    imageSize <= <u64>TEE_RAM_SIZE &&
    loadIpa >= <u64>TEE_RAM_IPA &&
    (loadIpa & (PAGE_SIZE - 1)) === 0 &&
    loadIpa - <u64>TEE_RAM_IPA <= <u64>TEE_RAM_SIZE - imageSize &&
    treeSize <= loadIpa - <u64>TEE_DEVICE_TREE_IPA &&
    (treeSize === 0 || (treeMemory >= PROPERTY_HEADER_SIZE && treeMemory + MEMORY_PAIRS_SIZE <= treeSize)) &&
    hasItsKeySite(rowPa, imageSize)
  );
}

/** Whole instructions of the image, if there is a site. */
function hasItsKeySite(rowPa: u64, imageSize: u64): bool {
  const site = <u64>readPhysical32(rowPa + <u64>TEE_KEY_SITE);
  const sizeBehind = <u64>TEE_KEY_WORD_COUNT * INSTRUCTION_SIZE;
  return site === 0 || (site % INSTRUCTION_SIZE === 0 && site + sizeBehind <= imageSize);
}

/** Every word of the row has a meaning. */
function isKnown(rowPa: u64): bool {
  const foreign = readPhysical32(rowPa + <u64>TEE_FOREIGN_INTERRUPT);
  const foreignIntid = readPhysical32(rowPa + <u64>TEE_FOREIGN_INTID);
  return (
    readPhysical32(rowPa + <u64>TEE_ENTRY_KIND) <= ENTRY_KIND_RESUME &&
    readPhysical32(rowPa + <u64>TEE_TIMER) <= TIMER_CNTV &&
    readPhysical32(rowPa + <u64>TEE_WFI) <= WFI_LEAVES &&
    readPhysical32(rowPa + <u64>TEE_CLOCK) <= CLOCK_RUNS &&
    foreign <= FOREIGN_NONE &&
    (foreign !== FOREIGN_VIRQ || (foreignIntid >= INTID_SPI_FIRST && foreignIntid < TEE_INTERRUPT_COUNT))
  );
}

/** A TEE that is entered behind its own SMC, or whose clock stands still, is one context. */
function hasItsCores(rowPa: u64): bool {
  const coreCount = readPhysical32(rowPa + <u64>TEE_CORE_COUNT);
  const isOneContext =
    readPhysical32(rowPa + <u64>TEE_ENTRY_KIND) === ENTRY_KIND_RESUME ||
    readPhysical32(rowPa + <u64>TEE_TIMER) === TIMER_CNTV;
  return coreCount >= 1 && coreCount <= (isOneContext ? 1 : TEE_CORE_MAX);
}

export function readBoot32(offset: u32): u32 {
  return readPhysical32(PACKAGE_PA + <u64>offset);
}

export function readBoot64(offset: u32): u64 {
  return readPhysical64(PACKAGE_PA + <u64>offset);
}

/** Which TEE new guests get: the first. */
export const DEFAULT_TEE: u32 = 0;

/** PA of the profile of TEE `index`. */
export function profilePa(index: u32): u64 {
  return PACKAGE_PA + <u64>(TEE_ROW_BASE + index * TEE_ROW_SIZE);
}

/** The image row of TEE `index`, and that of its device tree's template. */
export function teeImage(index: u32): u32 {
  return IMAGE_TEE_FIRST + index * IMAGES_PER_TEE;
}

export function teeDeviceTree(index: u32): u32 {
  return teeImage(index) + 1;
}

export function imageCount(): u32 {
  return teeImage(readBoot32(BOOT_TEE_COUNT));
}

export function imageNamePa(row: u32): u64 {
  return packagePa(<u64>(IMAGE_ROW_BASE + row * IMAGE_ROW_SIZE + IMAGE_NAME));
}

/** Where the image of a row lies: PA in RAM, or for a TEE's offset in the package. */
export function imagePlace(row: u32): u64 {
  return readBoot64(IMAGE_ROW_BASE + row * IMAGE_ROW_SIZE + IMAGE_PLACE);
}

export function imageSizeOf(row: u32): u64 {
  return readBoot64(IMAGE_ROW_BASE + row * IMAGE_ROW_SIZE + IMAGE_SIZE);
}

/** PA of what a row names by its offset in the package. */
export function packagePa(offset: u64): u64 {
  return PACKAGE_PA + offset;
}
