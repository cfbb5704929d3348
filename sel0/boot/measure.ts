// SHA-256 (FIPS 180-4) of what is lent, over any number of calls. One computation at a time, of an image or of anything:
// it belongs to whoever has begun last, and a part or an end of another is refused.

import {
  BOOT_ACCEPTED,
  BOOT_MESSAGE_DIGEST,
  BOOT_REFUSED_LENT,
  BOOT_REFUSED_ORDER,
} from "../../abi/boot-compartment";
import {
  COMPARTMENT_MESSAGE_PTR,
  COMPARTMENT_WINDOW_PTR,
  COMPARTMENT_WINDOW_SIZE,
} from "../../abi/compartments";
import { sha256Begin, sha256End, sha256Update } from "../crypto/sha256";

const STATE: usize = memory.data(0x68, 8); // of sha256.ts: SHA256_STATE_SIZE
/** Whose computation it is: an OWNER_*. */
const OWNER: usize = memory.data(4, 4);
/** Bytes so far. */
const SIZE: usize = memory.data(8, 8);

export const OWNER_NOBODY: u32 = 0;
export const OWNER_MEASUREMENT: u32 = 1;
export const OWNER_IMAGE: u32 = 2;

export function beginHash(owner: u32): void {
  store<u32>(OWNER, owner);
  store<u64>(SIZE, 0);
  sha256Begin(STATE);
}

export function continueHash(owner: u32, size: u64): u32 {
  if (load<u32>(OWNER) !== owner) return BOOT_REFUSED_ORDER;
  if (size > <u64>COMPARTMENT_WINDOW_SIZE) return BOOT_REFUSED_LENT;
  sha256Update(STATE, <usize>COMPARTMENT_WINDOW_PTR, <usize>size);
  store<u64>(SIZE, load<u64>(SIZE) + size);
  return BOOT_ACCEPTED;
}

export function endHash(owner: u32, digestPtr: usize): u32 {
  if (load<u32>(OWNER) !== owner) return BOOT_REFUSED_ORDER;
  store<u32>(OWNER, OWNER_NOBODY);
  sha256End(STATE, digestPtr);
  return BOOT_ACCEPTED;
}

/** Of the computation that has ended last, too. */
export function hashedSize(): u64 {
  return load<u64>(SIZE);
}

export function beginMeasurement(): u32 {
  beginHash(OWNER_MEASUREMENT);
  return BOOT_ACCEPTED;
}

export function continueMeasurement(size: u64): u32 {
  return continueHash(OWNER_MEASUREMENT, size);
}

export function endMeasurement(): u32 {
  return endHash(OWNER_MEASUREMENT, <usize>(COMPARTMENT_MESSAGE_PTR + BOOT_MESSAGE_DIGEST));
}
