// Adapts a TEE image after it was copied into the TEE's RAM: the instructions of the secure physical timer
// (CNTPS_*_EL1) are undefined at NS-EL1, so each becomes an SMC that names the access, and the monitor emulates the timer
// (worlds/timer.ts). Sites are found by encoding, listed as events, and counted: the profile says how many there must be.
//
//   SMC #imm16   15 14 13 12…8   7    6:5   4:0
//                 0  0  1    0  read  reg    Rt      reg: 0 TVAL, 1 CTL, 2 CVAL

import { TEE_RAM_IPA } from "../../../abi/memory-map";
import { EVENT_SITE_ADAPTED } from "../../../abi/status";
import {
  SYSTEM_ACCESS_OP2_MASK,
  SYSTEM_ACCESS_OP2_SHIFT,
  SYSTEM_ACCESS_READ,
  SYSTEM_ACCESS_RT_MASK,
} from "../arm/instructions.gen";
import { isCntpsAccess, smcInstruction } from "../arm/values";
import { readPhysical32, writePhysical32 } from "../hw";
import { recordEvent } from "../trace/events";
import { Guest } from "./guest";

export const TIMER_CALL: u32 = 0x2000;
export const TIMER_CALL_READ: u32 = 0x80;
export const TIMER_CALL_REGISTER_SHIFT: u32 = 5;
export const TIMER_CALL_REGISTER_MASK: u32 = 3;
export const TIMER_CALL_RT_MASK: u32 = 0x1f;

/** Rewrites the sites in `size` bytes at `pa` and returns their number. */
export function adaptImage(guest: Guest, pa: u64, size: u64): u32 {
  let sites: u32 = 0;
  for (let offset: u64 = 0; offset + 4 <= size; offset += 4) {
    const instruction = readPhysical32(pa + offset);
    if (!isCntpsAccess(instruction)) continue;
    const register = (instruction & SYSTEM_ACCESS_OP2_MASK) >> SYSTEM_ACCESS_OP2_SHIFT;
    if (register > 2) continue; // no such register: data
    let imm16 = TIMER_CALL | (register << TIMER_CALL_REGISTER_SHIFT) | (instruction & SYSTEM_ACCESS_RT_MASK);
    if ((instruction & SYSTEM_ACCESS_READ) !== 0) imm16 |= TIMER_CALL_READ;
    writePhysical32(pa + offset, smcInstruction(imm16));
    recordEvent(
      EVENT_SITE_ADAPTED,
      guest.id,
      <u64>TEE_RAM_IPA + (pa + offset - guest.teeRamPa),
      <u64>instruction,
    );
    sites++;
  }
  return sites;
}
