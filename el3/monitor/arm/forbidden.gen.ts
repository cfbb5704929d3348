// Instructions that no code at EL2 may contain. Made by `node arm/generate.ts` from arm/; do not edit.

export function isForbiddenSystemInstruction(instruction: u32): bool {
  if ((instruction & 0xffa80000) !== 0xd5080000) return false; // common to all
  if ((instruction & 0xffffffe0) === 0xd51c1000) return true; // msr SCTLR_EL2, xt
  if ((instruction & 0xffffffe0) === 0xd55c1000) return true; // msrr SCTLR_EL2, xt, xt+1
  if ((instruction & 0xffffffe0) === 0xd51c1060) return true; // msr SCTLR2_EL2, xt
  if ((instruction & 0xffffffe0) === 0xd55c1060) return true; // msrr SCTLR2_EL2, xt, xt+1
  if ((instruction & 0xffffffe0) === 0xd51c1100) return true; // msr HCR_EL2, xt
  if ((instruction & 0xffffffe0) === 0xd55c1100) return true; // msrr HCR_EL2, xt, xt+1
  if ((instruction & 0xffffffe0) === 0xd51c1240) return true; // msr HCRX_EL2, xt
  if ((instruction & 0xffffffe0) === 0xd55c1240) return true; // msrr HCRX_EL2, xt, xt+1
  if ((instruction & 0xffffffe0) === 0xd51cc000) return true; // msr VBAR_EL2, xt
  if ((instruction & 0xffffffe0) === 0xd55cc000) return true; // msrr VBAR_EL2, xt, xt+1
  if ((instruction & 0xffffffe0) === 0xd518a2a0) return true; // msr S2POR_EL1, xt
  if ((instruction & 0xffffffe0) === 0xd558a2a0) return true; // msrr S2POR_EL1, xt, xt+1
  if ((instruction & 0xfffff000) === 0xd51c2000) return true; // msr S3_4_C2_*, xt
  if ((instruction & 0xfffff000) === 0xd55c2000) return true; // msrr S3_4_C2_*, xt, xt+1
  if ((instruction & 0xfffff000) === 0xd51ca000) return true; // msr S3_4_C10_*, xt
  if ((instruction & 0xfffff000) === 0xd55ca000) return true; // msrr S3_4_C10_*, xt, xt+1
  if ((instruction & 0xfff8f000) === 0xd518b000) return true; // msr S3_*_C11_*, xt
  if ((instruction & 0xfff8f000) === 0xd508b000) return true; // sys #*, C11, *, #*, xt
  if ((instruction & 0xfff8f000) === 0xd518f000) return true; // msr S3_*_C15_*, xt
  if ((instruction & 0xfff8f000) === 0xd508f000) return true; // sys #*, C15, *, #*, xt
  if ((instruction & 0xffffffe0) === 0xd5087640) return true; // dc isw, xt
  if ((instruction & 0xffffffe0) === 0xd5087680) return true; // dc igsw, xt
  if ((instruction & 0xffffffe0) === 0xd50876c0) return true; // dc igdsw, xt
  return false;
}
