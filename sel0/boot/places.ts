// Where the manifest says that images lie: those of RAM inside the hypervisor's part of it and apart from each other;
// those of the package one behind the other from its first page to its last, with zeros between.

import { BOOT_ACCEPTED, BOOT_REFUSED_PADDING, BOOT_REFUSED_PLACE } from "../../abi/boot-compartment";
import { BOOT_MANIFEST_SIZE, BOOT_POOL_PA, BOOT_RAM_PA, IMAGE_TEE_FIRST } from "../../abi/boot-package";
import { COMPARTMENT_WINDOW_PTR } from "../../abi/compartments";
import { manifest64, placeOf, rowCount, sizeOf } from "./manifest";
import { isZero } from "./reserved";

const PAGE_SIZE: u64 = 0x1000;

/** The package of `packageSize` bytes is in the window. */
export function checkPlaces(packageSize: u64): u32 {
  for (let row: u32 = 0; row < IMAGE_TEE_FIRST; row++)
    if (!isInRam(row) || overlapsEarlier(row)) return BOOT_REFUSED_PLACE;
  let end: u64 = <u64>BOOT_MANIFEST_SIZE;
  for (let row = IMAGE_TEE_FIRST; row < rowCount(); row++) {
    if (placeOf(row) !== end || sizeOf(row) > packageSize - end) return BOOT_REFUSED_PLACE;
    end = pageEnd(row);
    if (end > packageSize) return BOOT_REFUSED_PLACE;
  }
  if (end !== packageSize) return BOOT_REFUSED_PLACE;
  return isPaddingZero() ? BOOT_ACCEPTED : BOOT_REFUSED_PADDING;
}

function isInRam(row: u32): bool {
  const place = placeOf(row);
  const endPa = manifest64(BOOT_POOL_PA);
  return (
    (place & (PAGE_SIZE - 1)) === 0 &&
    place >= manifest64(BOOT_RAM_PA) &&
    place <= endPa &&
    sizeOf(row) <= endPa - place
  );
}

/** Of rows that are in RAM, so that no sum is too large. */
function overlapsEarlier(row: u32): bool {
  for (let other: u32 = 0; other < row; other++) {
    const isBehind = placeOf(other) + sizeOf(other) <= placeOf(row);
    const isBefore = placeOf(row) + sizeOf(row) <= placeOf(other);
    if (!isBehind && !isBefore) return true;
  }
  return false;
}

/** Where the last page of an image ends; the image is known to end within the window. */
function pageEnd(row: u32): u64 {
  return (placeOf(row) + sizeOf(row) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

function isPaddingZero(): bool {
  for (let row = IMAGE_TEE_FIRST; row < rowCount(); row++) {
    const imageEnd = placeOf(row) + sizeOf(row);
    if (!isZero(<usize>COMPARTMENT_WINDOW_PTR + <usize>imageEnd, <u32>(pageEnd(row) - imageEnd)))
      return false;
  }
  return true;
}
