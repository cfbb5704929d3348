// The device tree that a TEE gets in x2: a template from the boot package, in which the monitor fills in where the N
// world's RAM is. The template's `reg` of /memory holds two big-endian (base, size) pairs; the second stays empty.

import { TEE_DEVICE_TREE_MEMORY } from "../../../abi/boot-package";
import {
  NORMAL_RAM_HIGH_IPA_GIB,
  NORMAL_RAM_IPA,
  TEE_DEVICE_TREE_IPA,
  TEE_RAM_IPA,
} from "../../../abi/memory-map";
import { DEFAULT_TEE, imageSizeOf, teeDeviceTree } from "../boot-package";
import { readPhysical32, writePhysical32, writePhysical64 } from "../hw";
import { Guest } from "./guest";

const PAIR_SIZE: u64 = 16;
/** From a property's value back to its length word: the length and the name's offset, 4 bytes each. */
const PROPERTY_HEADER_SIZE: u64 = 8;
const FDT_NOP: u32 = 4;
const GIB_SHIFT: u64 = 30;

/** IPA of the N world's second bank of RAM. */
export const NORMAL_RAM_HIGH_IPA: u64 = (<u64>NORMAL_RAM_HIGH_IPA_GIB) << GIB_SHIFT;

/** Where the template is copied to. */
export function deviceTreePa(guest: Guest): u64 {
  return guest.teeRamPa + <u64>(TEE_DEVICE_TREE_IPA - TEE_RAM_IPA);
}

/**
 * Fills in the template in the TEE's RAM and returns its IPA, or 0 if the profile has none. The sizes are those of the N world's two banks, in
 * bytes; the second may be 0.
 */
export function writeTeeDeviceTree(guest: Guest, lowSize: u64, highSize: u64): u64 {
  if (imageSizeOf(teeDeviceTree(DEFAULT_TEE)) === 0) return 0;
  writeMemory(
    deviceTreePa(guest) + <u64>readPhysical32(guest.profilePa + <u64>TEE_DEVICE_TREE_MEMORY),
    lowSize,
    highSize,
  );
  return <u64>TEE_DEVICE_TREE_IPA;
}

function writeMemory(regPa: u64, lowSize: u64, highSize: u64): void {
  writeBigEndian64(regPa, <u64>NORMAL_RAM_IPA);
  writeBigEndian64(regPa + PAIR_SIZE / 2, lowSize);
  if (highSize !== 0) {
    writeBigEndian64(regPa + PAIR_SIZE, NORMAL_RAM_HIGH_IPA);
    writeBigEndian64(regPa + PAIR_SIZE + PAIR_SIZE / 2, highSize);
    return;
  }
  writePhysical32(regPa - PROPERTY_HEADER_SIZE, bswap<u32>(<u32>PAIR_SIZE));
  for (let offset = PAIR_SIZE; offset < 2 * PAIR_SIZE; offset += 4)
    writePhysical32(regPa + offset, bswap<u32>(FDT_NOP));
}

function writeBigEndian64(pa: u64, value: u64): void {
  writePhysical64(pa, bswap<u64>(value)); // normal memory: alignment does not matter
}
