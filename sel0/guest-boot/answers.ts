// What a call that went well leaves in the message page beside its code.

import {
  GUEST_BOOT_BANK_COUNT,
  GUEST_BOOT_BANKS,
  GUEST_BOOT_HAS_IDENTITY,
  GUEST_BOOT_HAS_INITRD,
  GUEST_BOOT_IDENTITY,
  GUEST_BOOT_IDENTITY_SIZE,
  GUEST_BOOT_IN_PLACE,
  GUEST_BOOT_INITRD_END,
  GUEST_BOOT_INITRD_START,
  GUEST_BOOT_PLACE_IPA,
  GUEST_BOOT_SIZE,
} from "../../abi/guest-boot-compartment";
import { initrdEnd, initrdStart, isInitrdKnown } from "./initrd";
import { answer32, answer64, answerFlag, messagePtr, treeIpa } from "./message";
import { bankCount, bankEnd, bankStart } from "./ranges";
import { sourcePtr } from "./source";
import { VALUE_CHOSEN_IDENTITY, VALUE_PASSTHROUGH_IDENTITY, valueOffset, valueSize } from "./values";

const BANK_SIZE: u32 = 16;

export function answerFacts(): void {
  if (isInitrdKnown()) {
    answerFlag(GUEST_BOOT_HAS_INITRD);
    answer64(GUEST_BOOT_INITRD_START, initrdStart());
    answer64(GUEST_BOOT_INITRD_END, initrdEnd());
  }
  answer32(GUEST_BOOT_BANK_COUNT, bankCount());
  for (let index: u32 = 0; index < bankCount(); index++) {
    answer64(GUEST_BOOT_BANKS + index * BANK_SIZE, bankStart(index));
    answer64(GUEST_BOOT_BANKS + index * BANK_SIZE + BANK_SIZE / 2, bankEnd(index) - bankStart(index));
  }
  if (!answerIdentity(VALUE_CHOSEN_IDENTITY)) answerIdentity(VALUE_PASSTHROUGH_IDENTITY);
}

/** False, and no answer, if there is none of the right size. */
function answerIdentity(value: u32): bool {
  if (valueSize(value) !== GUEST_BOOT_IDENTITY_SIZE) return false;
  answerFlag(GUEST_BOOT_HAS_IDENTITY);
  const identityPtr = sourcePtr(valueOffset(value), GUEST_BOOT_IDENTITY_SIZE);
  memory.copy(messagePtr(GUEST_BOOT_IDENTITY), identityPtr, <usize>GUEST_BOOT_IDENTITY_SIZE);
  return true;
}

export function answerNewTree(size: u32, placeIpa: u64): void {
  if (placeIpa === treeIpa()) answerFlag(GUEST_BOOT_IN_PLACE);
  answer32(GUEST_BOOT_SIZE, size);
  answer64(GUEST_BOOT_PLACE_IPA, placeIpa);
}
