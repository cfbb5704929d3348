// The virtual TZPC of a guest (BP147, Arm DTO 0015): three protection registers of eight peripherals each. Bit n of
// register m is the peripheral 8 × m + n: a page of devices that the guest's normal world had at its begin, in the order
// of their addresses. All are non-secure then; a bit of none stays set. A write that changes something is answered with an
// action, and the bits change with it or not at all.

import { COMPARTMENT_MESSAGE_PTR } from "../../abi/compartments";
import {
  DEVICES_ACTION_MASK,
  DEVICES_ACTION_NONE,
  DEVICES_ACTION_RELEASE_PERIPHERALS,
  DEVICES_ACTION_SECURE_PERIPHERALS,
  DEVICES_PRESENT,
  DEVICES_SECURE,
} from "../../abi/devices-compartment";
import {
  TZPC_DECPROT_COUNT,
  TZPC_DECPROT_STRIDE,
  TZPC_DECPROT_WIDTH,
  TZPC_DECPROT0_CLR,
  TZPC_DECPROT0_SET,
  TZPC_DECPROT0_STAT,
  TZPC_DECPROT0_STAT_BITS_MASK,
  TZPC_PCELLID0,
  TZPC_PCELLIDS,
  TZPC_PERIPHID0,
  TZPC_PERIPHIDS,
} from "./tzpc.gen";

const STATE: usize = <usize>COMPARTMENT_MESSAGE_PTR;
const SECURE: usize = STATE + <usize>DEVICES_SECURE;
const DECPROT_END: u32 = TZPC_DECPROT0_STAT + TZPC_DECPROT_COUNT * TZPC_DECPROT_STRIDE;

export function readTzpc(offset: u32): u32 {
  if (isProtection(offset)) {
    if (registerOf(offset) !== TZPC_DECPROT0_STAT) return 0; // the other two are written
    return ~(load<u32>(SECURE) >> shiftOf(offset)) & TZPC_DECPROT0_STAT_BITS_MASK;
  }
  const bitOf = (offset & 0xc) << 1; // a byte each, in a word of its own
  switch (offset & ~(<u32>0xf)) {
    case TZPC_PERIPHID0:
      return (TZPC_PERIPHIDS >> bitOf) & 0xff;
    case TZPC_PCELLID0:
      return (TZPC_PCELLIDS >> bitOf) & 0xff;
    default:
      return 0;
  }
}

function isProtection(offset: u32): bool {
  return offset >= TZPC_DECPROT0_STAT && offset < DECPROT_END;
}

/** The register of DECPROT0 at whose place this one stands. */
function registerOf(offset: u32): u32 {
  return TZPC_DECPROT0_STAT + ((offset - TZPC_DECPROT0_STAT) % TZPC_DECPROT_STRIDE);
}

/** Where the peripherals of a protection register are among all. */
function shiftOf(offset: u32): u32 {
  return ((offset - TZPC_DECPROT0_STAT) / TZPC_DECPROT_STRIDE) * TZPC_DECPROT_WIDTH;
}

/** Answers an action. */
export function writeTzpc(offset: u32, value: u32): u32 {
  if (!isProtection(offset)) return DEVICES_ACTION_NONE;
  const named = (value & TZPC_DECPROT0_STAT_BITS_MASK) << shiftOf(offset);
  const secure = load<u32>(SECURE);
  switch (registerOf(offset)) {
    case TZPC_DECPROT0_CLR:
      return change(secure, secure | (named & load<u32>(STATE + <usize>DEVICES_PRESENT)));
    case TZPC_DECPROT0_SET:
      return change(secure, secure & ~named);
    default:
      return DEVICES_ACTION_NONE;
  }
}

function change(before: u32, after: u32): u32 {
  if (before === after) return DEVICES_ACTION_NONE;
  store<u32>(SECURE, after);
  store<u32>(STATE + <usize>DEVICES_ACTION_MASK, before ^ after);
  return (after & ~before) !== 0 ? DEVICES_ACTION_SECURE_PERIPHERALS : DEVICES_ACTION_RELEASE_PERIPHERALS;
}
