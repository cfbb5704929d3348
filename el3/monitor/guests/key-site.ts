// Lets an unmodified OP-TEE take its hardware unique key from the monitor: the function that clears the caller's 16 bytes
// (its weak tee_otp_get_hw_unique_key) becomes the call of abi/tee.ts. The store is the TEE's own, with its own
// translation and rights: the monitor writes through no address that a TEE gives it. x0…x3 are a callee's to use (AAPCS64,
// section 6.1.1), and x0 is what the function returns, 0 being TEE_SUCCESS.
//
// The host has found the place; the words that it saw there must be there still, or nothing is changed.

import { TEE_KEY_SITE, TEE_KEY_WORD_COUNT, TEE_KEY_WORDS } from "../../../abi/boot-package";
import { TEE_RAM_IPA } from "../../../abi/memory-map";
import { EVENT_KEY_SITE_ADAPTED } from "../../../abi/status";
import { TEE_HARDWARE_UNIQUE_KEY_FID } from "../../../abi/tee";
import {
  INSTRUCTION_BTI_C,
  INSTRUCTION_MOV_X,
  INSTRUCTION_MOV_X_RD_SHIFT,
  INSTRUCTION_MOVK_W,
  INSTRUCTION_MOVK_W_HW_SHIFT,
  INSTRUCTION_MOVK_W_IMM16_SHIFT,
  INSTRUCTION_MOVZ_W,
  INSTRUCTION_MOVZ_W_IMM16_SHIFT,
  INSTRUCTION_RET,
  INSTRUCTION_RET_RN_SHIFT,
  INSTRUCTION_STP_X,
  INSTRUCTION_STP_X_RN_SHIFT,
  INSTRUCTION_STP_X_RT_SHIFT,
  INSTRUCTION_STP_X_RT2_SHIFT,
} from "../arm/instructions.gen";
import { smcInstruction } from "../arm/values";
import { cleanInvalidateRange, dsbSy, icIalluis, isb, readPhysical32, writePhysical32 } from "../hw";
import { recordEvent } from "../trace/events";
import { Guest } from "./guest";

/** No IPA of a word. */
export const KEY_SITE_AS_EXPECTED: u64 = 0;
const INSTRUCTION_SIZE: u64 = 4;
const LINK_REGISTER: u32 = 30;
const FID_LOW: u32 = TEE_HARDWARE_UNIQUE_KEY_FID & 0xffff;
const FID_HIGH: u32 = TEE_HARDWARE_UNIQUE_KEY_FID >> 16;

/** The IPA of the first word at the profile's site that is not as the profile says, or KEY_SITE_AS_EXPECTED; the latter also without a site. */
export function otherWordIpa(guest: Guest, imagePa: u64): u64 {
  if (!hasKeySite(guest)) return KEY_SITE_AS_EXPECTED;
  const sitePa = keySitePa(guest, imagePa);
  for (let index: u64 = 0; index < <u64>TEE_KEY_WORD_COUNT; index++) {
    const offset = index * INSTRUCTION_SIZE;
    const expected = readPhysical32(guest.profilePa + <u64>TEE_KEY_WORDS + offset);
    if (readPhysical32(sitePa + offset) !== expected) return ipaOf(guest, sitePa + offset);
  }
  return KEY_SITE_AS_EXPECTED;
}

/** The function at the site asks the monitor from now on. */
export function adaptKeySite(guest: Guest, imagePa: u64): void {
  if (!hasKeySite(guest)) return;
  const sitePa = keySitePa(guest, imagePa);
  recordEvent(EVENT_KEY_SITE_ADAPTED, guest.id, ipaOf(guest, sitePa), <u64>readPhysical32(sitePa));
  for (let index: u32 = 0; index < TEE_KEY_WORD_COUNT; index++)
    writePhysical32(sitePa + <u64>index * INSTRUCTION_SIZE, callingWord(index));
  cleanInvalidateRange(sitePa, <u64>TEE_KEY_WORD_COUNT * INSTRUCTION_SIZE); // the TEE starts with its caches off
  dsbSy();
  icIalluis();
  isb();
}

function hasKeySite(guest: Guest): bool {
  return readPhysical32(guest.profilePa + <u64>TEE_KEY_SITE) !== 0;
}

function keySitePa(guest: Guest, imagePa: u64): u64 {
  return imagePa + <u64>readPhysical32(guest.profilePa + <u64>TEE_KEY_SITE);
}

function ipaOf(guest: Guest, pa: u64): u64 {
  return <u64>TEE_RAM_IPA + (pa - guest.teeRamPa);
}

/** The function as it is from now on; its argument, the caller's buffer, is in x0. */
function callingWord(index: u32): u32 {
  switch (index) {
    case 0:
      return INSTRUCTION_BTI_C; // what stood here may have been a landing pad
    case 1:
      return INSTRUCTION_MOV_X | (3 << INSTRUCTION_MOV_X_RD_SHIFT); // mov x3, x0
    case 2:
      return INSTRUCTION_MOVZ_W | (FID_LOW << INSTRUCTION_MOVZ_W_IMM16_SHIFT); // movz w0, #…
    case 3:
      return (
        INSTRUCTION_MOVK_W | (1 << INSTRUCTION_MOVK_W_HW_SHIFT) | (FID_HIGH << INSTRUCTION_MOVK_W_IMM16_SHIFT)
      ); // movk w0, #…, lsl #16
    case 4:
      return smcInstruction(0);
    case 5:
      return (
        INSTRUCTION_STP_X |
        (1 << INSTRUCTION_STP_X_RT_SHIFT) |
        (2 << INSTRUCTION_STP_X_RT2_SHIFT) |
        (3 << INSTRUCTION_STP_X_RN_SHIFT)
      ); // stp x1, x2, [x3]
    default:
      return INSTRUCTION_RET | (LINK_REGISTER << INSTRUCTION_RET_RN_SHIFT);
  }
}
