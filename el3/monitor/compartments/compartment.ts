// What the monitor keeps of one compartment. The first part is what el3/vectors/compartment.S loads and stores; an
// El1Context follows the record.

import { El1Context } from "../worlds/el1-context";

@unmanaged
export class Compartment {
  // In: x0…x4 at its entry, where that is, and the operand of TLBI ASIDE1.
  x0: u64;
  x1: u64;
  x2: u64;
  x3: u64;
  x4: u64;
  entryVa: u64;
  asid: u64;
  // Out, besides x0.
  esrEl3: u64;
  esrEl1: u64;
  farEl1: u64;
  // The rest is the monitor's own.
  index: u32;
  /** 1 if its memory is to be made anew before the next call. */
  isStale: u32;
  /** Its own pages (images.ts): tables of level 2, text and memory; tables for what is lent; image; variables and stack; linear memory. */
  tablesPa: u64;
  windowTablesPa: u64;
  imagePa: u64;
  stackPa: u64;
  memoryPa: u64;
  textSize: u64;
  rodataSize: u64;
  memorySize: u64;
  windowTableCount: u32;
  /** Of the window's tables, those that this call uses. */
  windowTablesUsed: u32;
  keepsState: u32;
  /** How long a call may take. */
  boundTicks: u64;
}

/** Offset of its El1Context. */
export const COMPARTMENT_EL1: usize = 0x100;

export function el1ContextOf(compartment: Compartment): El1Context {
  return changetype<El1Context>(changetype<usize>(compartment) + COMPARTMENT_EL1);
}
