// The checks of cold boot and of lockdown, each taken away once.

import type { Mutant } from "./mutate.ts";

const LOCKDOWN = "contract/lockdown.test.ts";
const PROTECTED = "contract/protected-pages.test.ts";

export const LOCKDOWN_MUTANTS: readonly Mutant[] = [
  {
    name: "a TEE's RAM outlives a reset",
    file: "boot/platform.ts",
    text: "  zeroPhysical(it.teePoolPa, size);\n",
    replacement: "",
    testFile: "unit/boot.test.ts",
    test: "what a TEE had in its RAM before the machine was reset",
  },
  {
    name: "a TEE's RAM outlives a reset behind the caches",
    file: "boot/platform.ts",
    text: "  cleanInvalidateRange(it.teePoolPa, size);\n",
    replacement: "",
    testFile: "unit/boot.test.ts",
    test: "what a TEE had in its RAM before the machine was reset",
  },
  {
    name: "text is scanned while a device can write it",
    file: "memory/lockdown.ts",
    text: "  settle(pa);\n  const offset = findForbidden(pa);\n",
    replacement: "  const offset = findForbidden(pa);\n",
    testFile: PROTECTED,
    test: "no device reaches a page when it is read: text",
  },
  {
    name: "a table is read at lockdown while a device can write it",
    file: "memory/lockdown.ts",
    text: "  settle(pa);\n  recordTable(",
    replacement: "  recordTable(",
    testFile: PROTECTED,
    test: "no device reaches a page when it is read: a table of the last level",
  },
  {
    name: "a table that was replaced is kept from devices for ever",
    file: "memory/pages.ts",
    text: "  releaseToDma(pa);\n",
    replacement: "",
    testFile: PROTECTED,
    test: "a table that the monitor's direct map has replaced",
  },
  {
    name: "writable and executable pages get past lockdown",
    file: "memory/lockdown.ts",
    text: "  if (isWritable(walk.entry)) fatal(FATAL_STAGE1, walk.entryPa, walk.entry);\n",
    replacement: "",
    testFile: LOCKDOWN,
    test: "a hypervisor that is not as it must be at lockdown stops the machine",
  },
  ...(
    [
      [
        "WXN may be off",
        "SCTLR_EL2_M | SCTLR_EL2_C | SCTLR_EL2_WXN | SCTLR_EL2_EE;\nconst SCTLR_NEEDED: u64 = SCTLR_EL2_M | SCTLR_EL2_C | SCTLR_EL2_WXN;",
        "SCTLR_EL2_M | SCTLR_EL2_C | SCTLR_EL2_EE;\nconst SCTLR_NEEDED: u64 = SCTLR_EL2_M | SCTLR_EL2_C;",
        "WXN off",
      ],
      [
        "EL2's caches may be off",
        "SCTLR_EL2_M | SCTLR_EL2_C | SCTLR_EL2_WXN | SCTLR_EL2_EE;\nconst SCTLR_NEEDED: u64 = SCTLR_EL2_M | SCTLR_EL2_C | SCTLR_EL2_WXN;",
        "SCTLR_EL2_M | SCTLR_EL2_WXN | SCTLR_EL2_EE;\nconst SCTLR_NEEDED: u64 = SCTLR_EL2_M | SCTLR_EL2_WXN;",
        "caches off",
      ],
      ["EL2's walks may be big-endian", " | SCTLR_EL2_EE;", ";", "big-endian walks"],
      [
        "EL2's walks may be past the caches",
        "TCR_EL2_TG0_MASK | TCR_WALKS_MASK |",
        "TCR_EL2_TG0_MASK | TCR_WALKS |",
        "walks by other attributes, IRGN0 = 3: TCR",
      ],
      [
        "EL2's descriptors may be of 52 bits",
        " | TCR_EL2_HPD | TCR_EL2_DS;",
        " | TCR_EL2_HPD;",
        "descriptors of 52-bit addresses: TCR",
      ],
      [
        "EL2's table entries may permit nothing",
        " | TCR_EL2_HPD | TCR_EL2_DS;",
        " | TCR_EL2_DS;",
        "tables that permit nothing",
      ],
      [
        "stage 2's walks may be past the caches",
        "  VTCR_WALKS_MASK |\n",
        "  VTCR_WALKS |\n",
        "walks by other attributes, IRGN0 = 3: VTCR",
      ],
      [
        "hardware may write entries of stage 2",
        "  VTCR_EL2_HA |\n  VTCR_EL2_HD |\n",
        "",
        "access flags set by hardware",
      ],
      [
        "stage 2's descriptors may be of 52 bits",
        "  VTCR_EL2_HD |\n  VTCR_EL2_DS;",
        "  VTCR_EL2_HD;",
        "descriptors of 52-bit addresses: VTCR",
      ],
      [
        "stage 2 may have more than one root",
        "    t0sz >= T0SZ_48_BITS &&\n",
        "",
        "more than one table at the root",
      ],
      [
        "stage 2 may start where its root does not",
        "    t0sz <= T0SZ_40_BITS &&\n",
        "",
        "no bit for level 0",
      ],
      [
        "stage 2 may lead to addresses of 52 bits",
        " &&\n    (vtcr & VTCR_EL2_PS_MASK) <= VTCR_EL2_PS_B48",
        "",
        "52-bit addresses",
      ],
    ] as const
  ).map(([name, text, replacement, test]) => ({
    name: `${name} at lockdown`,
    file: "memory/formats.ts",
    text,
    replacement,
    testFile: "contract/lockdown-control.test.ts",
    test,
  })),
  {
    name: "the other cores' controls are not looked at",
    file: "hypervisor/lockdown.ts",
    text: "  if (!isSame) fatal(FATAL_STAGE1_CONTROL, readSCTLR_EL2(), readTCR_EL2());\n",
    replacement: "",
    testFile: LOCKDOWN,
    test: "a hypervisor that is not as it must be at lockdown stops the machine",
  },
];
