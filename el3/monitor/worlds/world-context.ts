// One layout for everything that waits: a core's normal world and a core of a guest's TEE each own an area of
// WORLD_CONTEXT_SIZE bytes of linear memory.
//
//   0x000  the owner's own fields (CoreArea, TeeCore)
//   0x100  ExceptionFrame    general registers, ELR_EL3, SPSR_EL3
//   0x210  El1Context        EL1 and EL0 system registers
//   0x2d0  GicContext        virtual CPU interface
//   0x370  FpContext         FP and SIMD
//   0x580  (unused)

import { ExceptionFrame } from "./exception-frame";

export const WORLD_FRAME: usize = 0x100;
export const WORLD_EL1: usize = 0x210;
export const WORLD_GIC: usize = 0x2d0;
export const WORLD_FP: usize = 0x370;
export const WORLD_CONTEXT_SIZE: usize = 0x600;

export function frameOf(ownerPtr: usize): ExceptionFrame {
  return changetype<ExceptionFrame>(ownerPtr + WORLD_FRAME);
}

// By constant offsets from the owner, so that one check of bounds does for its own fields and these: where instructions count.

export function spsrOf(ownerPtr: usize): u64 {
  return load<u64>(ownerPtr, WORLD_FRAME + offsetof<ExceptionFrame>("spsrEl3"));
}

/** The general register `index`; 31 is zero, as XZR in an instruction's Rt. */
export function registerOf(ownerPtr: usize, index: u32): u64 {
  return index < 31 ? load<u64>(ownerPtr + ((<usize>index) << 3), WORLD_FRAME) : 0;
}
