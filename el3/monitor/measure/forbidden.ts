// The scanner: does a page hold an instruction by which code at EL2 could change translation or its own vectors without
// the monitor? The list is arm/forbidden.ts. A64 instructions are aligned words (Arm ARM B1.2), so looking at every word
// is looking at everything that can be executed. Data that looks like one counts as one: what is in an executable page can
// be jumped to.
//
// Why nothing else has to be looked for: docs/decisions/0011-forbidden-instructions.md. Two of its reasons are the
// monitor's to keep true: HCR_EL2.E2H is never set, so that the `_EL1` names reach EL1's registers only, and EL2 stays
// AArch64 (SCR_EL3.RW), so that T32 and A32 encodings are none.

import { isForbiddenSystemInstruction } from "../arm/forbidden.gen";
import { readPhysical64 } from "../hw";

const SCANNED_PAGE_SIZE: u64 = 0x1000;

export function isForbidden(instruction: u32): bool {
  return isForbiddenSystemInstruction(instruction);
}

/** Byte offset of the first forbidden instruction in the 4 KiB page at `pagePa`, or -1. */
export function findForbidden(pagePa: u64): i32 {
  for (let offset: u64 = 0; offset < SCANNED_PAGE_SIZE; offset += 8) {
    const pair = readPhysical64(pagePa + offset);
    if (isForbidden(<u32>pair)) return <i32>offset;
    if (isForbidden(<u32>(pair >> 32))) return <i32>offset + 4;
  }
  return -1;
}
