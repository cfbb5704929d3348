// The hardware unique key of a guest: 16 bytes that its TEE and nobody else gets, for as long as the guest lives, and again
// when a guest of the same identity is created with the same TEE. An OP-TEE derives all of its keys from it.

import { ATTEST_OK } from "../../../abi/attest-compartment";
import { FAULT_KEY, FAULT_KEY_SITE } from "../../../abi/status";
import { deriveGuestKey } from "../attest/attest";
import { nameUnknown } from "../attest/identity";
import { NOT_SUPPORTED } from "../smccc";
import { publishKeyReads } from "../trace/status";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame } from "../worlds/exception-frame";
import { imagePaOf } from "./create";
import { faultTee } from "./fault";
import { Guest } from "./guest";
import { adaptKeySite, KEY_SITE_AS_EXPECTED, otherWordIpa } from "./key-site";

/** Of the 32 bytes that are derived, the first: as many as OP-TEE takes. */
const KEY_SIZE: u64 = 16;

/**
 * A new guest's key, and its way into the image if the profile knows one. By the core that has the claim of the TEE's first core, when the
 * guest's device tree was looked at, and before the TEE runs. False if the TEE was stopped: one that got no key would live on a constant
 * of its image, which anybody could bring about who can make the derivation fail.
 */
export function giveKey(core: CoreArea, guest: Guest): bool {
  const imagePa = imagePaOf(guest);
  const otherIpa = otherWordIpa(guest, imagePa);
  if (otherIpa !== KEY_SITE_AS_EXPECTED) {
    faultTee(guest, FAULT_KEY_SITE, otherIpa);
    return false;
  }
  nameUnknown(core, guest);
  const result = deriveKey(core, guest);
  if (result !== <u64>ATTEST_OK) {
    faultTee(guest, FAULT_KEY, result);
    return false;
  }
  adaptKeySite(guest, imagePa);
  return true;
}

/**
 * Fills `keyLow` and `keyHigh`: from the secret of the device, the guest's identity and the measurement of its TEE's image as it was before
 * any adaptation. ATTEST_OK, or why there is none.
 */
function deriveKey(core: CoreArea, guest: Guest): u64 {
  const keyPtr = changetype<usize>(guest) + offsetof<Guest>("keyLow");
  const result = deriveGuestKey(core, guest, keyPtr, KEY_SIZE);
  guest.hasKey = result === <u64>ATTEST_OK ? 1 : 0;
  return result;
}

/** TEE_HARDWARE_UNIQUE_KEY_FID from the TEE of this guest. Nothing but the three registers is written. */
export function answerKeyCall(guest: Guest, frame: ExceptionFrame): void {
  if (guest.hasKey === 0) {
    frame.x0 = NOT_SUPPORTED;
    return;
  }
  frame.x0 = 0;
  frame.x1 = guest.keyLow;
  frame.x2 = guest.keyHigh;
  guest.keyReads++;
  publishKeyReads(guest);
}
