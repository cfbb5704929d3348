// The EL1 and EL0 system registers of a world that waits: everything that a world at EL1 can write and that is not banked
// by the switch itself. Saved and loaded by `el3/vectors/context.S` in this order, two at a time.
// ACTLR_EL1 is not here: an S world cannot write it (HCR_EL2.TACR).

@unmanaged
export class El1Context {
  sctlrEl1: u64;
  tcrEl1: u64;
  ttbr0El1: u64;
  ttbr1El1: u64;
  mairEl1: u64;
  amairEl1: u64;
  vbarEl1: u64;
  contextidrEl1: u64;
  tpidrEl1: u64;
  tpidrEl0: u64;
  tpidrroEl0: u64;
  spEl0: u64;
  spEl1: u64;
  elrEl1: u64;
  spsrEl1: u64;
  esrEl1: u64;
  farEl1: u64;
  afsr0El1: u64;
  afsr1El1: u64;
  parEl1: u64;
  cpacrEl1: u64;
  cntkctlEl1: u64;
  mdscrEl1: u64;
  csselrEl1: u64;
}

/** FP and SIMD: V0…V31, then FPCR and FPSR. */
@unmanaged
export class FpContext {
  v: u64; // 32 × 16 bytes start here
}
export const FP_CONTEXT_FPCR: usize = 512;
export const FP_CONTEXT_SIZE: usize = 528;

/** The virtual CPU interface of the GIC, as ICH_* shows it. */
@unmanaged
export class GicContext {
  vmcr: u64;
  ap0r0: u64;
  ap1r0: u64;
  hcr: u64;
  lr0: u64; // 16 list registers start here
}
export const GIC_CONTEXT_SIZE: usize = 32 + 16 * 8;
