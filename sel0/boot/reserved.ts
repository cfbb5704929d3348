// What the format does not define is zero: a field that a later format has cannot go unnoticed in a monitor that does not
// know it.

import {
  BOOT_HEADER_END,
  BOOT_HEADER_SIZE,
  BOOT_SIGNATURE,
  BOOT_TEE_COUNT,
  IMAGE_HASH,
  IMAGE_KIND,
  IMAGE_PLACE,
  IMAGE_ROW_BASE,
  IMAGE_SIZE,
  TEE_ROW_BASE,
  TEE_ROW_END,
  TEE_ROW_SIZE,
} from "../../abi/boot-package";
import { manifest32, manifestPtr, rowCount, rowOffset } from "./manifest";

/** Of a manifest whose number of TEEs was checked. */
export function isReservedZero(): bool {
  const teeCount = manifest32(BOOT_TEE_COUNT);
  if (!isGap(BOOT_HEADER_END, BOOT_HEADER_SIZE)) return false;
  for (let tee: u32 = 0; tee < teeCount; tee++) {
    const offset = teeOffset(tee);
    if (!isGap(offset + TEE_ROW_END, offset + TEE_ROW_SIZE)) return false;
  }
  if (!isGap(teeOffset(teeCount), IMAGE_ROW_BASE)) return false;
  for (let row: u32 = 0; row < rowCount(); row++) if (!hasNoExtras(rowOffset(row))) return false;
  return isGap(rowOffset(rowCount()), BOOT_SIGNATURE);
}

function hasNoExtras(offset: u32): bool {
  return (
    isGap(offset + IMAGE_KIND + sizeof<u32>(), offset + IMAGE_PLACE) &&
    isGap(offset + IMAGE_SIZE + sizeof<u64>(), offset + IMAGE_HASH)
  );
}

function teeOffset(tee: u32): u32 {
  return TEE_ROW_BASE + tee * TEE_ROW_SIZE;
}

/** From `start` up to `end` of the manifest. */
function isGap(start: u32, end: u32): bool {
  return isZero(manifestPtr(start), end - start);
}

export function isZero(ptr: usize, size: u32): bool {
  for (let offset: usize = 0; offset < <usize>size; offset++) if (load<u8>(ptr + offset) !== 0) return false;
  return true;
}
