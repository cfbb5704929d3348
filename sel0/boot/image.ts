// Whether an image, as it lies in memory, is the one that was signed: in one call, or in parts if it is larger than the
// window.

import {
  BOOT_ACCEPTED,
  BOOT_REFUSED_IMAGE_HASH,
  BOOT_REFUSED_IMAGE_SIZE,
  BOOT_REFUSED_LENT,
  BOOT_REFUSED_NO_ROW,
  BOOT_REFUSED_NOT_OPEN,
} from "../../abi/boot-compartment";
import { IMAGE_HASH } from "../../abi/boot-package";
import { COMPARTMENT_WINDOW_PTR, COMPARTMENT_WINDOW_SIZE } from "../../abi/compartments";
import { SHA256_DIGEST_SIZE, sha256 } from "../crypto/sha256";
import { isAccepted, manifestPtr, rowCount, rowOffset, sizeOf } from "./manifest";
import { beginHash, continueHash, endHash, hashedSize, OWNER_IMAGE } from "./measure";

const DIGEST: usize = memory.data(32, 8);
/** Which image is hashed in parts. */
const ROW: usize = memory.data(4, 4);

/** Disturbs no computation that goes on in parts. */
export function checkImage(row: u64, size: u64): u32 {
  const status = checkRowNumber(row);
  if (status !== BOOT_ACCEPTED) return status;
  if (size > <u64>COMPARTMENT_WINDOW_SIZE) return BOOT_REFUSED_LENT;
  if (size !== sizeOf(<u32>row)) return BOOT_REFUSED_IMAGE_SIZE;
  sha256(<usize>COMPARTMENT_WINDOW_PTR, <usize>size, DIGEST);
  return compareDigest(<u32>row);
}

export function beginImage(row: u64): u32 {
  const status = checkRowNumber(row);
  if (status !== BOOT_ACCEPTED) return status;
  store<u32>(ROW, <u32>row);
  beginHash(OWNER_IMAGE);
  return BOOT_ACCEPTED;
}

export function continueImage(size: u64): u32 {
  return isAccepted() ? continueHash(OWNER_IMAGE, size) : BOOT_REFUSED_NOT_OPEN;
}

export function endImage(): u32 {
  if (!isAccepted()) return BOOT_REFUSED_NOT_OPEN;
  const status = endHash(OWNER_IMAGE, DIGEST);
  if (status !== BOOT_ACCEPTED) return status;
  const row = load<u32>(ROW);
  return hashedSize() === sizeOf(row) ? compareDigest(row) : BOOT_REFUSED_IMAGE_SIZE;
}

function checkRowNumber(row: u64): u32 {
  if (!isAccepted()) return BOOT_REFUSED_NOT_OPEN;
  return row < <u64>rowCount() ? BOOT_ACCEPTED : BOOT_REFUSED_NO_ROW;
}

function compareDigest(row: u32): u32 {
  const isSame = memory.compare(DIGEST, manifestPtr(rowOffset(row) + IMAGE_HASH), SHA256_DIGEST_SIZE) === 0;
  return isSame ? BOOT_ACCEPTED : BOOT_REFUSED_IMAGE_HASH;
}
