// The initrd that /chosen names (Devicetree Specification 0.4, section 3.6, and Linux's own properties).

import { IPA_BITS } from "./message";
import { VALUE_INITRD_END, VALUE_INITRD_START, valueNumber } from "./values";

const UNKNOWN: u64 = u64.MAX_VALUE;

export function initrdStart(): u64 {
  return valueNumber(VALUE_INITRD_START, UNKNOWN);
}

/** The first byte behind it. */
export function initrdEnd(): u64 {
  return valueNumber(VALUE_INITRD_END, UNKNOWN);
}

export function isInitrdKnown(): bool {
  return initrdEnd() >> IPA_BITS === 0 && initrdStart() < initrdEnd();
}
