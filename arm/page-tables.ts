// Translation table descriptors, 4 KiB granule. Level is the Arm manual's: 0 at the root of four. Arm ARM, D8.3.

import { bit, bits, layout, valueNamed } from "./describe.ts";

const COMMON = {
  VALID: bit(0, "used by the walk"),
  TABLE: bit(1, "level 0 to 2: a table, not a block; level 3: always set"),
};
const SHAREABILITY = { NONE: 0, OUTER: 2, INNER: 3 };

const STAGE2_FIELDS = {
  ...COMMON,
  MEMATTR: bits(5, 2, "memory type", { DEVICE_NGNRNE: 0, DEVICE_NGNRE: 1, NON_CACHEABLE: 5, WRITE_BACK: 15 }),
  S2AP: bits(7, 6, "access", { NONE: 0, RO: 1, WO: 2, RW: 3 }),
  SH: bits(9, 8, "shareability", SHAREABILITY),
  AF: bit(10, "access flag"),
  DBM: bit(51, "dirty bit modifier"),
  CONTIGUOUS: bit(52, "one of a run"),
  XN: bits(54, 53, "execute never (bit 53 counts with FEAT_XNX)", { EXECUTE: 0, NEVER: 2 }),
};

export const descriptors = [
  layout("STAGE1", "Stage 1 block or page", {
    ...COMMON,
    ATTR_INDEX: bits(4, 2, "which byte of MAIR"),
    NS: bit(5, "EL3 and secure: the output is non-secure"),
    // At EL2 and EL3 only the upper bit counts, and the lower reads as one.
    AP: bits(7, 6, "access", { RW_PRIVILEGED: 0, RW: 1, RO_PRIVILEGED: 2, RO: 3, RES1: 1, READ_ONLY: 2 }),
    SH: bits(9, 8, "shareability", SHAREABILITY),
    AF: bit(10, "access flag"),
    NG: bit(11, "not global"),
    CONTIGUOUS: bit(52, "one of a run"),
    PXN: bit(53, "EL1: privileged execute never"),
    XN: bit(54, "execute never"),
  }),
  layout("STAGE1_TABLE", "Stage 1 table", {
    ...COMMON,
    PXNTABLE: bit(59, "PXN below"),
    XNTABLE: bit(60, "XN below"),
    APTABLE: bits(62, 61, "access below"),
    NSTABLE: bit(63, "non-secure below"),
  }),
  layout("STAGE2", "Stage 2 block or page", STAGE2_FIELDS),
];

/** Kinds in bits 1:0, output addresses up to bit 47, and whole sets of attributes. */
export const descriptorConstants = {
  DESCRIPTOR_VALID: 1n,
  DESCRIPTOR_TYPE_MASK: 3n,
  DESCRIPTOR_INVALID: 0n,
  DESCRIPTOR_BLOCK: 1n,
  DESCRIPTOR_TABLE: 3n, // level 0 to 2
  DESCRIPTOR_PAGE: 3n, // level 3
  TABLE_OUTPUT_ADDRESS_MASK: 0x0000_ffff_ffff_f000n,
  /** What a leaf at EL2 carries besides its address: bits 11:2 and 63:48. */
  STAGE1_ATTRIBUTES_MASK: 0xffff_0000_0000_0ffcn,
  PAGE_OUTPUT_ADDRESS_MASK: 0x0000_ffff_ffff_f000n,
  BLOCK_L1_OUTPUT_ADDRESS_MASK: 0x0000_ffff_c000_0000n,
  BLOCK_L2_OUTPUT_ADDRESS_MASK: 0x0000_ffff_ffe0_0000n,
  STAGE2_BLOCK_NORMAL_RWX: stage2Normal(1n),
  STAGE2_PAGE_NORMAL_RWX: stage2Normal(3n),
};

function stage2Normal(kind: bigint): bigint {
  const { MEMATTR, S2AP, SH, AF } = STAGE2_FIELDS;
  const parts = [
    [MEMATTR, valueNamed(MEMATTR, "WRITE_BACK")],
    [S2AP, valueNamed(S2AP, "RW")],
    [SH, valueNamed(SH, "INNER")],
    [AF, 1n],
  ] as const;
  return parts.reduce((descriptor, [field, value]) => descriptor | (value << BigInt(field.low)), kind);
}

export const tableConstants = {
  PAGE_SIZE: 0x1000n,
  PAGE_SHIFT: 12n,
  BLOCK_L1_SIZE: 0x4000_0000n,
  BLOCK_L2_SIZE: 0x20_0000n,
  TABLE_ENTRIES: 512n,
  LAST_LEVEL: 3n,
  TABLE_ADDRESS_BITS: 9n, // that one level translates
  LEVEL_SHIFT_0: 39n,
  LEVEL_SHIFT_1: 30n,
  LEVEL_SHIFT_2: 21n,
  LEVEL_SHIFT_3: 12n,
};
