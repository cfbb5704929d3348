// The formats of the tables that are walked here, as EL2's control registers must name them at lockdown; from then on they cannot change
// (decision 0025). Walks go through the caches, by which EL3 reads and writes the tables, and find no other meaning in them than EL3.
// Arm ARM, D19.2: SCTLR_EL2, TCR_EL2, VTCR_EL2.

import {
  SCTLR_EL2_C,
  SCTLR_EL2_EE,
  SCTLR_EL2_M,
  SCTLR_EL2_WXN,
  TCR_EL2_DS,
  TCR_EL2_HD,
  TCR_EL2_HPD,
  TCR_EL2_IRGN0_MASK,
  TCR_EL2_IRGN0_WRITE_BACK,
  TCR_EL2_ORGN0_MASK,
  TCR_EL2_ORGN0_WRITE_BACK,
  TCR_EL2_SH0_INNER,
  TCR_EL2_SH0_MASK,
  TCR_EL2_T0SZ_MASK,
  TCR_EL2_TG0_MASK,
  VTCR_EL2_DS,
  VTCR_EL2_HA,
  VTCR_EL2_HD,
  VTCR_EL2_IRGN0_MASK,
  VTCR_EL2_IRGN0_WRITE_BACK,
  VTCR_EL2_ORGN0_MASK,
  VTCR_EL2_ORGN0_WRITE_BACK,
  VTCR_EL2_PS_B48,
  VTCR_EL2_PS_MASK,
  VTCR_EL2_SH0_INNER,
  VTCR_EL2_SH0_MASK,
  VTCR_EL2_SL0_LEVEL_0,
  VTCR_EL2_SL0_MASK,
  VTCR_EL2_T0SZ_MASK,
  VTCR_EL2_TG0_K4,
  VTCR_EL2_TG0_MASK,
  VTCR_EL2_VS,
} from "../arm/registers.gen";

/** 48-bit addresses, which take all of a root of level 0. */
const T0SZ_48_BITS: u64 = 16;
/** 40-bit addresses: one more, and there is no bit left for level 0. */
const T0SZ_40_BITS: u64 = 24;

const SCTLR_MASK: u64 = SCTLR_EL2_M | SCTLR_EL2_C | SCTLR_EL2_WXN | SCTLR_EL2_EE;
const SCTLR_NEEDED: u64 = SCTLR_EL2_M | SCTLR_EL2_C | SCTLR_EL2_WXN;

const TCR_WALKS_MASK: u64 = TCR_EL2_IRGN0_MASK | TCR_EL2_ORGN0_MASK | TCR_EL2_SH0_MASK;
const TCR_WALKS: u64 = TCR_EL2_IRGN0_WRITE_BACK | TCR_EL2_ORGN0_WRITE_BACK | TCR_EL2_SH0_INNER;
const TCR_MASK: u64 =
  TCR_EL2_T0SZ_MASK | TCR_EL2_TG0_MASK | TCR_WALKS_MASK | TCR_EL2_HD | TCR_EL2_HPD | TCR_EL2_DS;

const VTCR_WALKS_MASK: u64 = VTCR_EL2_IRGN0_MASK | VTCR_EL2_ORGN0_MASK | VTCR_EL2_SH0_MASK;
const VTCR_WALKS: u64 = VTCR_EL2_IRGN0_WRITE_BACK | VTCR_EL2_ORGN0_WRITE_BACK | VTCR_EL2_SH0_INNER;
const VTCR_MASK: u64 =
  VTCR_EL2_SL0_MASK |
  VTCR_EL2_TG0_MASK |
  VTCR_WALKS_MASK |
  VTCR_EL2_VS |
  VTCR_EL2_HA |
  VTCR_EL2_HD |
  VTCR_EL2_DS;

/** Stage 1 of EL2 is on, little-endian, from level 0 with 4 KiB pages, and what is writable does not execute. */
export function isStage1Format(sctlr: u64, tcr: u64): bool {
  return (sctlr & SCTLR_MASK) === SCTLR_NEEDED && (tcr & TCR_MASK) === (T0SZ_48_BITS | TCR_WALKS);
}

/** Stage 2 starts at level 0, in one table, with 4 KiB pages, 8-bit VMIDs and addresses of at most 48 bits. Hardware writes no entry. */
export function isStage2Format(vtcr: u64): bool {
  const t0sz = vtcr & VTCR_EL2_T0SZ_MASK;
  return (
    (vtcr & VTCR_MASK) === (VTCR_EL2_SL0_LEVEL_0 | VTCR_EL2_TG0_K4 | VTCR_WALKS) &&
    t0sz >= T0SZ_48_BITS &&
    t0sz <= T0SZ_40_BITS &&
    (vtcr & VTCR_EL2_PS_MASK) <= VTCR_EL2_PS_B48
  );
}
