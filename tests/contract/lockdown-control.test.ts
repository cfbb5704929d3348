// The control registers of EL2's translation as they must be at lockdown; from then on they are fixed.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { assertFatal } from "../drivers/asserts.ts";
import { XEN_SCTLR, XEN_TCR, XEN_VTCR } from "../drivers/hypervisor.ts";
import { anUnlockedMachine } from "../drivers/lab.ts";
import { word } from "../machine/source-words.ts";

type Control = "SCTLR" | "TCR" | "VTCR";
const XEN: Record<Control, bigint> = { SCTLR: XEN_SCTLR, TCR: XEN_TCR, VTCR: XEN_VTCR };

/** Xen's value with one field changed. */
const withField = (register: Control, field: string, value: bigint): bigint =>
  (XEN[register] & ~word(`${register}_EL2_${field}_MASK`)) |
  (value << word(`${register}_EL2_${field}_SHIFT`));
const without = (register: Control, bit: string): bigint => XEN[register] & ~word(`${register}_EL2_${bit}`);
const withBit = (register: Control, bit: string): bigint => XEN[register] | word(`${register}_EL2_${bit}`);

/** Not as EL3 accesses the tables: a walk could miss what it wrote. */
const WALKS = [
  ...(["IRGN0", "ORGN0"] as const).flatMap((field) => [0n, 2n, 3n].map((value) => [field, value] as const)),
  ...[0n, 2n].map((value) => ["SH0", value] as const),
];

test("what the hypervisor may execute cannot be measured: it is not locked down", async () => {
  const { machine, lockDown } = await anUnlockedMachine();
  machine.forcedEnd = "abort";

  assertFatal(lockDown, "FATAL_MEASUREMENT");
});

const CONTROLS: readonly (readonly [name: string, register: Control, value: bigint])[] = [
  ["WXN off", "SCTLR", without("SCTLR", "WXN")],
  ["translation off", "SCTLR", without("SCTLR", "M")],
  ["caches off", "SCTLR", without("SCTLR", "C")],
  ["big-endian walks", "SCTLR", withBit("SCTLR", "EE")],
  ["39-bit VAs", "TCR", withField("TCR", "T0SZ", 25n)],
  ["52-bit VAs", "TCR", withField("TCR", "T0SZ", 12n)],
  ["64 KiB pages", "TCR", withField("TCR", "TG0", 1n)],
  ["dirty bits set by hardware", "TCR", withBit("TCR", "HD")],
  ["tables that permit nothing", "TCR", withBit("TCR", "HPD")],
  ["descriptors of 52-bit addresses", "TCR", withBit("TCR", "DS")],
  ["start at level 1", "VTCR", withField("VTCR", "SL0", 1n)],
  ["more than one table at the root", "VTCR", withField("VTCR", "T0SZ", 15n)],
  ["no bit for level 0", "VTCR", withField("VTCR", "T0SZ", 25n)],
  ["64 KiB pages", "VTCR", withField("VTCR", "TG0", 1n)],
  ["52-bit addresses", "VTCR", withField("VTCR", "PS", 6n)],
  ["16-bit VMIDs", "VTCR", withBit("VTCR", "VS")],
  ["access flags set by hardware", "VTCR", withBit("VTCR", "HA")],
  ["dirty bits set by hardware", "VTCR", withBit("VTCR", "HD")],
  ["descriptors of 52-bit addresses", "VTCR", withBit("VTCR", "DS")],
  ...(["TCR", "VTCR"] as const).flatMap((register) =>
    WALKS.map(
      ([field, value]) =>
        [
          `walks by other attributes, ${field} = ${value}`,
          register,
          withField(register, field, value),
        ] as const,
    ),
  ),
];

suite("a register that gives the tables another meaning than the monitor's stops the machine", () => {
  for (const [name, register, value] of CONTROLS) {
    test(`${name}: ${register}_EL2`, async () => {
      const it = await anUnlockedMachine();
      it.hypervisor.writes(it.core, register, value);
      assertFatal(it.lockDown, register === "VTCR" ? "FATAL_STAGE2_FORMAT" : "FATAL_STAGE1_CONTROL");
    });
  }

  test("fields that the monitor does not depend on are the hypervisor's", async () => {
    for (const vtcr of [XEN_VTCR ^ (20n ^ 16n), XEN_VTCR ^ (20n ^ 24n), XEN_VTCR | word("VTCR_EL2_PS_B48")]) {
      const it = await anUnlockedMachine();
      it.hypervisor.writes(it.core, "VTCR", vtcr);
      it.lockDown();
      assert.equal(it.core.get("VTCR_EL2"), vtcr);
    }
  });
});
