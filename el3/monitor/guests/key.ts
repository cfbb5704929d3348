// The hardware unique key of a guest: 16 bytes that its TEE and nobody else gets, for as long as the guest lives, and again
// when a guest of the same identity is created with the same TEE. An OP-TEE derives all of its keys from it.

import { NOT_SUPPORTED } from "../smccc";
import { publishKeyReads } from "../trace/status";
import { ExceptionFrame } from "../worlds/exception-frame";
import { Guest } from "./guest";
import { adaptKeySite, KEY_SITE_AS_EXPECTED, otherWordIpa } from "./key-site";

/**
 * A new guest's key, and its way into the image at `imagePa` if the profile knows one. KEY_SITE_AS_EXPECTED, or the IPA of a word that is
 * not as the profile says: then nothing has changed.
 */
export function giveKey(guest: Guest, imagePa: u64): u64 {
  const otherIpa = otherWordIpa(guest, imagePa);
  if (otherIpa !== KEY_SITE_AS_EXPECTED) return otherIpa;
  guest.hasKey = deriveKey(guest) ? 1 : 0;
  if (guest.hasKey !== 0) adaptKeySite(guest, imagePa);
  return KEY_SITE_AS_EXPECTED;
}

/**
 * Fills `keyLow` and `keyHigh`: from the secret of the device, the guest's identity and the measurement of its TEE's image as it was before
 * any adaptation. False if there is no secret to derive it from, as on every machine today: the TEE then lives on what its image holds.
 */
function deriveKey(_guest: Guest): bool {
  return false;
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
