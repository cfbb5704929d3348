// The manifest's rows one by one: each is of the kind that its index asks for, none is missing, and what is text is text.

import {
  BOOT_ACCEPTED,
  BOOT_REFUSED_KIND,
  BOOT_REFUSED_MISSING,
  BOOT_REFUSED_TEXT,
} from "../../abi/boot-compartment";
import {
  BOOT_TEE_COUNT,
  IMAGE_KIND,
  IMAGE_NAME,
  IMAGE_NAME_SIZE,
  IMAGE_TEE_FIRST,
  IMAGE_VERSION,
  IMAGE_VERSION_SIZE,
  IMAGES_PER_TEE,
  KIND_HYPERVISOR,
  KIND_TEE,
  KIND_TEE_DEVICE_TREE,
  TEE_LOAD_IPA,
  TEE_NAME,
  TEE_ROW_BASE,
  TEE_ROW_SIZE,
} from "../../abi/boot-package";
import { manifest32, manifestPtr, rowCount, rowOffset, sizeOf } from "./manifest";
import { isZero } from "./reserved";

const TEE_NAME_SIZE: u32 = TEE_LOAD_IPA - TEE_NAME;
/** Of printable ASCII. */
const FIRST_CHARACTER: u8 = 0x20;
const LAST_CHARACTER: u8 = 0x7e;

export function checkRows(): u32 {
  for (let row: u32 = 0; row < rowCount(); row++) {
    const status = checkRow(row);
    if (status !== BOOT_ACCEPTED) return status;
  }
  for (let tee: u32 = 0; tee < manifest32(BOOT_TEE_COUNT); tee++) {
    if (!isText(TEE_ROW_BASE + tee * TEE_ROW_SIZE + TEE_NAME, TEE_NAME_SIZE)) return BOOT_REFUSED_TEXT;
  }
  return BOOT_ACCEPTED;
}

function checkRow(row: u32): u32 {
  const kind = manifest32(rowOffset(row) + IMAGE_KIND);
  if (kind === 0) return BOOT_REFUSED_MISSING;
  if (kind !== kindAt(row)) return BOOT_REFUSED_KIND;
  if (sizeOf(row) === 0 && kind !== KIND_TEE_DEVICE_TREE) return BOOT_REFUSED_MISSING;
  const isReadable =
    isText(rowOffset(row) + IMAGE_NAME, IMAGE_NAME_SIZE) &&
    isText(rowOffset(row) + IMAGE_VERSION, IMAGE_VERSION_SIZE);
  return isReadable ? BOOT_ACCEPTED : BOOT_REFUSED_TEXT;
}

/** The first rows have the kinds in order, then TEEs and their trees take turns. */
function kindAt(row: u32): u32 {
  if (row < IMAGE_TEE_FIRST) return KIND_HYPERVISOR + row;
  return KIND_TEE + ((row - IMAGE_TEE_FIRST) % IMAGES_PER_TEE);
}

/** Printable ASCII, then zeros, one at least. */
function isText(start: u32, size: u32): bool {
  for (let length: u32 = 0; length < size; length++) {
    const character = load<u8>(manifestPtr(start + length));
    if (character === 0) return isZero(manifestPtr(start + length), size - length);
    if (character < FIRST_CHARACTER || character > LAST_CHARACTER) return false;
  }
  return false;
}
