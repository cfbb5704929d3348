// Translation: roots, control, attributes, and thread pointers. Arm ARM, D17.2 and D8.

import { at, bit, bits, type Fields, register } from "./describe.ts";

const CACHEABILITY = { NON_CACHEABLE: 0, WRITE_BACK: 1, WRITE_THROUGH: 2, WRITE_BACK_NO_ALLOCATE: 3 };
const SHAREABILITY = { NONE: 0, OUTER: 2, INNER: 3 };
const ADDRESS_SIZE = { B32: 0, B36: 1, B40: 2, B42: 3, B44: 4, B48: 5, B52: 6 };

/** TCR_EL2 (without VHE) and TCR_EL3. */
const SINGLE_RANGE: Fields = {
  T0SZ: bits(5, 0, "64 - bits of virtual address"),
  IRGN0: bits(9, 8, "inner cacheability of walks", CACHEABILITY),
  ORGN0: bits(11, 10, "outer cacheability of walks", CACHEABILITY),
  SH0: bits(13, 12, "shareability of walks", SHAREABILITY),
  TG0: bits(15, 14, "granule", { K4: 0, K64: 1, K16: 2 }),
  PS: bits(18, 16, "physical address bits", ADDRESS_SIZE),
  TBI: bit(20, "top byte ignored"),
  HA: bit(21, "hardware sets the access flag"),
  HD: bit(22, "hardware tracks dirty pages: it may make a page writable"),
  HPD: bit(24, "permissions in table entries do not count"),
  DS: bit(32, "descriptors of 52-bit addresses"),
};

const ROOT: Fields = {
  CNP: bit(0, "common not private"),
  BADDR: bits(47, 1, "address of the table"),
};

const ATTRIBUTES: Fields = Object.fromEntries(
  [0, 1, 2, 3, 4, 5, 6, 7].map((index) => [
    `ATTR${index}`,
    bits(index * 8 + 7, index * 8, `memory type of AttrIndx ${index}`, {
      DEVICE_NGNRNE: 0x00,
      DEVICE_NGNRE: 0x04,
      NON_CACHEABLE: 0x44,
      WRITE_BACK: 0xff,
    }),
  ]),
);

export const memoryRegisters = [
  register("TTBR0_EL1", "Translation Table Base 0, EL1", at(3, 0, 2, 0, 0), {
    ...ROOT,
    ASID: bits(63, 48, "address space"),
  }),
  register("TTBR1_EL1", "Translation Table Base 1, EL1", at(3, 0, 2, 0, 1), {
    ...ROOT,
    ASID: bits(63, 48, "address space"),
  }),
  register("TTBR0_EL2", "Translation Table Base 0, EL2", at(3, 4, 2, 0, 0), ROOT),
  register("TTBR0_EL3", "Translation Table Base 0, EL3", at(3, 6, 2, 0, 0), ROOT),
  register("VTTBR_EL2", "Stage 2 Translation Table Base", at(3, 4, 2, 1, 0), {
    ...ROOT,
    VMID: bits(63, 48, "virtual machine"),
  }),
  register("TCR_EL1", "Translation Control, EL1", at(3, 0, 2, 0, 2), {
    T0SZ: bits(5, 0, "64 - bits of the low range"),
    EPD0: bit(7, "no walks of the low range"),
    IRGN0: bits(9, 8, "inner cacheability, low range", CACHEABILITY),
    ORGN0: bits(11, 10, "outer cacheability, low range", CACHEABILITY),
    SH0: bits(13, 12, "shareability, low range", SHAREABILITY),
    TG0: bits(15, 14, "granule, low range", { K4: 0, K64: 1, K16: 2 }),
    T1SZ: bits(21, 16, "64 - bits of the high range"),
    A1: bit(22, "the ASID is TTBR1's"),
    EPD1: bit(23, "no walks of the high range"),
    IRGN1: bits(25, 24, "inner cacheability, high range", CACHEABILITY),
    ORGN1: bits(27, 26, "outer cacheability, high range", CACHEABILITY),
    SH1: bits(29, 28, "shareability, high range", SHAREABILITY),
    TG1: bits(31, 30, "granule, high range", { K16: 1, K4: 2, K64: 3 }),
    IPS: bits(34, 32, "physical address bits", ADDRESS_SIZE),
    AS: bit(36, "ASIDs have 16 bits"),
    TBI0: bit(37, "top byte ignored, low range"),
    TBI1: bit(38, "top byte ignored, high range"),
  }),
  register("TCR_EL2", "Translation Control, EL2", at(3, 4, 2, 0, 2), SINGLE_RANGE),
  register("TCR_EL3", "Translation Control, EL3", at(3, 6, 2, 0, 2), SINGLE_RANGE),
  register("VTCR_EL2", "Stage 2 Translation Control", at(3, 4, 2, 1, 2), {
    T0SZ: bits(5, 0, "64 - bits of IPA"),
    SL0: bits(7, 6, "level of the root (4 KiB granule)", { LEVEL_2: 0, LEVEL_1: 1, LEVEL_0: 2, LEVEL_3: 3 }),
    IRGN0: bits(9, 8, "inner cacheability of walks", CACHEABILITY),
    ORGN0: bits(11, 10, "outer cacheability of walks", CACHEABILITY),
    SH0: bits(13, 12, "shareability of walks", SHAREABILITY),
    TG0: bits(15, 14, "granule", { K4: 0, K64: 1, K16: 2 }),
    PS: bits(18, 16, "physical address bits", ADDRESS_SIZE),
    VS: bit(19, "VMIDs have 16 bits"),
    HA: bit(21, "hardware sets the access flag"),
    HD: bit(22, "hardware tracks dirty pages"),
    RES1: bit(31, "reads as one"),
    DS: bit(32, "descriptors of 52-bit addresses"),
  }),
  register("MAIR_EL1", "Memory Attribute Indirection, EL1", at(3, 0, 10, 2, 0), ATTRIBUTES),
  register("MAIR_EL2", "Memory Attribute Indirection, EL2", at(3, 4, 10, 2, 0), ATTRIBUTES),
  register("MAIR_EL3", "Memory Attribute Indirection, EL3", at(3, 6, 10, 2, 0), ATTRIBUTES),
  register("AMAIR_EL1", "Auxiliary Memory Attributes, EL1", at(3, 0, 10, 3, 0)),
  register("AMAIR_EL2", "Auxiliary Memory Attributes, EL2", at(3, 4, 10, 3, 0)),
  register("AMAIR_EL3", "Auxiliary Memory Attributes, EL3", at(3, 6, 10, 3, 0)),
  register("CONTEXTIDR_EL1", "Context ID", at(3, 0, 13, 0, 1)),
  register("TPIDR_EL0", "Thread Pointer of EL0", at(3, 3, 13, 0, 2)),
  register("TPIDRRO_EL0", "Read-only Thread Pointer of EL0", at(3, 3, 13, 0, 3)),
  register("TPIDR_EL1", "Thread Pointer of EL1", at(3, 0, 13, 0, 4)),
  register("TPIDR_EL2", "Thread Pointer of EL2", at(3, 4, 13, 0, 2)),
  register("TPIDR_EL3", "Thread Pointer of EL3", at(3, 6, 13, 0, 2)),
  register("DACR32_EL2", "AArch32 Domain Access Control", at(3, 4, 3, 0, 0)),
  register("IFSR32_EL2", "AArch32 Instruction Fault Status", at(3, 4, 5, 0, 1)),
  register("FPEXC32_EL2", "AArch32 FP Exception Control", at(3, 4, 5, 3, 0)),
];
