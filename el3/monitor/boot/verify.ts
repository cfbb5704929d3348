// Verified boot: the signed package, then every image that it names where it lies, by the boot compartment (sel0/boot).
// Nothing of the package is read before it was accepted, and nothing of the normal world runs before every image was.
// A TEE's image is compared again in the RAM of each guest that gets it.

import {
  BOOT_ACCEPTED,
  BOOT_IMAGE_BEGIN,
  BOOT_IMAGE_END,
  BOOT_IMAGE_PART,
  BOOT_MESSAGE_MINIMUM_VERSION,
  BOOT_MESSAGE_ROOT_KEY,
  BOOT_OPEN,
  BOOT_REFUSED_LENT,
  BOOT_REFUSED_NOT_OPEN,
} from "../../../abi/boot-compartment";
import { BOOT_MANIFEST_SIZE, BOOT_SIZE, IMAGE_TEE_FIRST } from "../../../abi/boot-package";
import { COMPARTMENT_BOOT } from "../../../abi/compartments";
import {
  DEVICE_MAGIC,
  DEVICE_MAGIC_HIGH,
  DEVICE_MAGIC_LOW,
  DEVICE_MINIMUM_VERSION,
  DEVICE_ROOT_KEY,
  DEVICE_ROOT_KEY_SIZE,
} from "../../../abi/device";
import { BOOT_PACKAGE_PA, DEVICE_PAGE_PA, FLASH_SIZE } from "../../../abi/memory-map";
import { BLOCK_L2_SIZE } from "../arm/page-tables.gen";
import { imageCount, imagePlace, imageSizeOf, packagePa, readBoot64 } from "../boot-package";
import { callCompartment, closeCompartment, messagePa, openCompartment } from "../compartments/call";
import { lend, takeBack } from "../compartments/lend";
import { cleanInvalidateRange, copyPhysical, fatal, readPhysical64, writePhysical64 } from "../hw";
import { FATAL_BOOT_DEVICE } from "../trace/epitaph";
import { CoreArea } from "../worlds/core-area";
import { refuseImage, refusePackage } from "./refuse";

const DEVICE_PA: u64 = <u64>DEVICE_PAGE_PA;
const PACKAGE_SIZE_MAX: u64 = <u64>(FLASH_SIZE - BOOT_PACKAGE_PA);
/** What one call hashes: it must end within the compartment's time, and one table is enough to lend it. */
const PART_SIZE: u64 = BLOCK_L2_SIZE;

/** Returns if the package in flash is the device's, whole and not too old. */
export function verifyPackage(core: CoreArea): void {
  const magic = readPhysical64(DEVICE_PA + <u64>DEVICE_MAGIC);
  if (magic !== (((<u64>DEVICE_MAGIC_HIGH) << 32) | <u64>DEVICE_MAGIC_LOW))
    fatal(FATAL_BOOT_DEVICE, DEVICE_PA, magic);
  const status = openPackage(core);
  if (status !== <u64>BOOT_ACCEPTED) refusePackage(status, readBoot64(BOOT_SIZE));
}

/** Returns if every image is what was signed. The caller has told the machine where its RAM is. */
export function verifyImages(core: CoreArea): void {
  for (let row: u32 = 0; row < imageCount(); row++) {
    const isInRam = row < IMAGE_TEE_FIRST;
    const pa = isInRam ? imagePlace(row) : packagePa(imagePlace(row));
    if (isInRam) cleanInvalidateRange(pa, imageSizeOf(row)); // its caches are off at first: it reads what is hashed
    const status = compareImage(core, row, pa);
    if (status !== <u64>BOOT_ACCEPTED) refuseImage(row, status);
  }
}

/** Copies a row's image out of the package and compares the copy: BOOT_ACCEPTED, or why it may not run. */
export function placeImage(core: CoreArea, row: u32, toPa: u64): u64 {
  copyPhysical(toPa, packagePa(imagePlace(row)), imageSizeOf(row));
  let status = compareImage(core, row, toPa);
  if (status === <u64>BOOT_REFUSED_NOT_OPEN) {
    // The compartment has faulted since, and begun anew.
    status = openPackage(core);
    if (status === <u64>BOOT_ACCEPTED) status = compareImage(core, row, toPa);
  }
  return status;
}

function openPackage(core: CoreArea): u64 {
  const it = openCompartment(COMPARTMENT_BOOT);
  const pa = messagePa(it);
  copyPhysical(pa + <u64>BOOT_MESSAGE_ROOT_KEY, DEVICE_PA + <u64>DEVICE_ROOT_KEY, <u64>DEVICE_ROOT_KEY_SIZE);
  writePhysical64(
    pa + <u64>BOOT_MESSAGE_MINIMUM_VERSION,
    readPhysical64(DEVICE_PA + <u64>DEVICE_MINIMUM_VERSION),
  );
  const size = lentSize();
  const isLent = lend(it, 0, packagePa(0), size, false);
  const status = isLent ? callCompartment(core, it, BOOT_OPEN, size, 0, 0) : <u64>BOOT_REFUSED_LENT;
  closeCompartment(it);
  return status;
}

/** What the package says that it is long; one that says nonsense is looked at no further than its manifest, and refused. */
function lentSize(): u64 {
  const size = readBoot64(BOOT_SIZE);
  return size >= <u64>BOOT_MANIFEST_SIZE && size <= PACKAGE_SIZE_MAX ? size : <u64>BOOT_MANIFEST_SIZE;
}

/** `pa` begins a page. */
function compareImage(core: CoreArea, row: u32, pa: u64): u64 {
  const it = openCompartment(COMPARTMENT_BOOT);
  const size = imageSizeOf(row);
  let status = callCompartment(core, it, BOOT_IMAGE_BEGIN, <u64>row, 0, 0);
  for (let offset: u64 = 0; offset < size && status === <u64>BOOT_ACCEPTED; offset += PART_SIZE) {
    const part = size - offset < PART_SIZE ? size - offset : PART_SIZE;
    takeBack(it);
    const isLent = lend(it, 0, pa + offset, part, false);
    status = isLent ? callCompartment(core, it, BOOT_IMAGE_PART, part, 0, 0) : <u64>BOOT_REFUSED_LENT;
  }
  if (status === <u64>BOOT_ACCEPTED) status = callCompartment(core, it, BOOT_IMAGE_END, 0, 0, 0);
  closeCompartment(it);
  return status;
}
