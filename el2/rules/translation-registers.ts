// What the hypervisor may not do itself: write the registers that decide what memory it and its guests can reach.
// A rule is a row; its place in the list is the index in the immediate of the SMC that stands there instead
// (abi/hardening.ts). MSR has the same size as SMC and both leave every other register alone, so nothing moves.

import {
  HARDENED_HCR_EL2,
  HARDENED_MAIR_EL2,
  HARDENED_SCTLR_EL2,
  HARDENED_TCR_EL2,
  HARDENED_TTBR0_EL2,
  HARDENED_VBAR_EL2,
  HARDENED_VTCR_EL2,
  HARDENED_VTTBR_EL2,
} from "../../abi/hardening.ts";

export interface HardeningRule {
  /** Arm ARM's name; arm/registers.ts has the encoding. */
  readonly register: string;
  readonly index: number;
  /** What a hostile write would reach. */
  readonly reason: string;
}

export const hardeningRules: readonly HardeningRule[] = [
  {
    register: "TTBR0_EL2",
    index: HARDENED_TTBR0_EL2,
    reason: "another stage 1: any memory becomes the hypervisor's",
  },
  { register: "TCR_EL2", index: HARDENED_TCR_EL2, reason: "the same tables, read differently" },
  {
    register: "MAIR_EL2",
    index: HARDENED_MAIR_EL2,
    reason: "device or non-cacheable views of checked pages",
  },
  { register: "SCTLR_EL2", index: HARDENED_SCTLR_EL2, reason: "stage 1 off, WXN off" },
  {
    register: "VBAR_EL2",
    index: HARDENED_VBAR_EL2,
    reason: "exits of a guest's secure world seen by the hypervisor",
  },
  {
    register: "VTTBR_EL2",
    index: HARDENED_VTTBR_EL2,
    reason: "another stage 2: any memory becomes a guest's",
  },
  { register: "VTCR_EL2", index: HARDENED_VTCR_EL2, reason: "the same stage 2 tables, read differently" },
  { register: "HCR_EL2", index: HARDENED_HCR_EL2, reason: "stage 2 off, SMCs kept from the monitor" },
];
