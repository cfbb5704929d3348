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
