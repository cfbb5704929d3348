// Whether a boot package is to be believed: of the right kind, whole, signed by the device's root key, not older than the
// device's minimum, and then that every byte of it has a meaning. Nothing is read from it before its signature is
// verified but the two words that say what it is and how long.

import {
  BOOT_ACCEPTED,
  BOOT_MESSAGE_MINIMUM_VERSION,
  BOOT_MESSAGE_ROOT_KEY,
  BOOT_REFUSED_LENT,
  BOOT_REFUSED_MAGIC,
  BOOT_REFUSED_RESERVED,
  BOOT_REFUSED_SIGNATURE,
  BOOT_REFUSED_SIZE,
  BOOT_REFUSED_TEE_COUNT,
  BOOT_REFUSED_VERSION,
} from "../../abi/boot-compartment";
import {
  BOOT_MAGIC,
  BOOT_MAGIC_HIGH,
  BOOT_MAGIC_LOW,
  BOOT_MANIFEST_SIZE,
  BOOT_SIGNATURE,
  BOOT_SIZE,
  BOOT_TEE_COUNT,
  BOOT_VERSION,
  TEE_MAX,
} from "../../abi/boot-package";
import { COMPARTMENT_MESSAGE_PTR, COMPARTMENT_WINDOW_SIZE } from "../../abi/compartments";
import { ed25519Verify } from "../crypto/ed25519";
import { acceptManifest, closeManifest, copyManifest, manifest32, manifest64, manifestPtr } from "./manifest";
import { checkPlaces } from "./places";
import { isReservedZero } from "./reserved";
import { checkRows } from "./rows";

const MAGIC: u64 = ((<u64>BOOT_MAGIC_HIGH) << 32) | <u64>BOOT_MAGIC_LOW;

/** The package is lent whole: `size` bytes. What was open before is not any more, whatever the answer is. */
export function openPackage(size: u64): u32 {
  closeManifest();
  if (size > <u64>COMPARTMENT_WINDOW_SIZE) return BOOT_REFUSED_LENT;
  if (size < <u64>BOOT_MANIFEST_SIZE) return BOOT_REFUSED_SIZE;
  copyManifest();
  const status = checkPackage(size);
  if (status === BOOT_ACCEPTED) acceptManifest();
  return status;
}

function checkPackage(size: u64): u32 {
  if (manifest64(BOOT_MAGIC) !== MAGIC) return BOOT_REFUSED_MAGIC;
  if (manifest64(BOOT_SIZE) !== size) return BOOT_REFUSED_SIZE;
  if (!isSigned()) return BOOT_REFUSED_SIGNATURE;
  if (manifest64(BOOT_VERSION) < minimumVersion()) return BOOT_REFUSED_VERSION;
  const teeCount = manifest32(BOOT_TEE_COUNT);
  if (teeCount < 1 || teeCount > TEE_MAX) return BOOT_REFUSED_TEE_COUNT;
  if (!isReservedZero()) return BOOT_REFUSED_RESERVED;
  const status = checkRows();
  return status === BOOT_ACCEPTED ? checkPlaces(size) : status;
}

/** RFC 8032, section 5.1.7, over all of the manifest before the signature. */
function isSigned(): bool {
  return ed25519Verify(
    <usize>(COMPARTMENT_MESSAGE_PTR + BOOT_MESSAGE_ROOT_KEY),
    manifestPtr(0),
    <usize>BOOT_SIGNATURE,
    manifestPtr(BOOT_SIGNATURE),
  );
}

function minimumVersion(): u64 {
  return load<u64>(<usize>(COMPARTMENT_MESSAGE_PTR + BOOT_MESSAGE_MINIMUM_VERSION));
}
