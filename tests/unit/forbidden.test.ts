// The scanner of EL3 (el3/monitor/measure/forbidden.ts), for every system instruction there is. What is forbidden is
// written down here once more, as assembly; clang's assembler says which words that is, so that neither our encodings
// nor our masks are their own witness.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { forbiddenAssembly, forbiddenPattern } from "../../arm/forbidden.ts";
import { hardeningRules } from "../../el2/rules/translation-registers.ts";
import { aMeasureLab } from "../drivers/measure.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-forbidden-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const { measure, memory, c } = await aMeasureLab();

function assemble(lines: readonly string[]): Uint32Array {
  const source = join(folder, "code.S");
  const object = join(folder, "code.o");
  const flat = join(folder, "code.bin");
  writeFileSync(source, `${lines.join("\n")}\n`);
  const march = "-march=armv9.5-a+d128+memtag";
  execFileSync("clang-19", ["--target=aarch64-none-elf", march, "-c", source, "-o", object]);
  execFileSync("llvm-objcopy-19", ["-O", "binary", object, flat]);
  const bytes = readFileSync(flat);
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** By the Arm ARM's names: what decides translation at EL2, and EL2's vectors. */
const REGISTERS = [
  ...["TTBR0_EL2", "TTBR1_EL2", "TCR_EL2", "TCR2_EL2", "SCTLR_EL2", "SCTLR2_EL2", "VBAR_EL2", "HCR_EL2"],
  ...["MAIR_EL2", "MAIR2_EL2", "AMAIR_EL2", "AMAIR2_EL2", "VTTBR_EL2", "VTCR_EL2", "VSTTBR_EL2", "VSTCR_EL2"],
  ...["HCRX_EL2", "PIR_EL2", "PIRE0_EL2", "POR_EL2", "S2PIR_EL2", "S2POR_EL1", "VNCR_EL2"],
  ...["HDBSSBR_EL2", "HDBSSPROD_EL2", "HACDBSBR_EL2", "HACDBSCONS_EL2"],
];
const PAIR_REGISTERS = ["TTBR0_EL2", "TTBR1_EL2", "VTTBR_EL2"];
const numbers = (count: number) => [...Array(count).keys()];
/** Names of a whole group, which the assembler takes whether it knows the register or not. */
const group = (op1: number, crn: number) =>
  numbers(16).flatMap((crm) => numbers(8).map((op2) => `S3_${op1}_C${crn}_C${crm}_${op2}`));
const EL2_GROUPS = [...group(4, 2), ...group(4, 10)];
const IMPLEMENTATION_DEFINED = [11, 15].flatMap((crn) => numbers(8).flatMap((op1) => group(op1, crn)));

function allForbidden(): string[] {
  const operations = [11, 15].flatMap((crn) =>
    numbers(8).flatMap((op1) =>
      numbers(16).flatMap((crm) => numbers(8).map((op2) => `sys #${op1}, c${crn}, c${crm}, #${op2}, x0`)),
    ),
  );
  return [
    ...[...REGISTERS, ...EL2_GROUPS, ...IMPLEMENTATION_DEFINED].map((name) => `msr ${name}, x0`),
    ...PAIR_REGISTERS.map((name) => `msrr ${name}, x0, x1`),
    // Those that have no pair form yet are named by number.
    ...["S3_4_C1_C0_0", "S3_4_C1_C0_3", "S3_4_C1_C1_0", "S3_4_C1_C2_2", "S3_4_C12_C0_0", "S3_0_C10_C2_5"].map(
      (name) => `msrr ${name}, x0, x1`,
    ),
    ...EL2_GROUPS.map((name) => `msrr ${name}, x0, x1`),
    ...["isw", "igsw", "igdsw"].map((operation) => `dc ${operation}, x0`),
    ...operations,
  ];
}

const expected = new Set([...assemble(allForbidden())].map((word) => (word & ~0x1f) >>> 0));

test("of all system instructions, in every form and with any Rt, exactly the forbidden ones are", () => {
  // Bits 31:23 say "system"; bit 22 is the 128-bit form, bit 21 a read, bits 20:5 op0, op1, CRn, CRm and op2.
  const wrong: string[] = [];
  for (let index = 0; index < 1 << 18; index++) {
    const base = (0xd5000000 | (index << 5)) >>> 0;
    for (const rt of [0, 1, 9, 30, 31]) {
      const answer = measure.isForbidden(base | rt) !== 0;
      if (answer !== expected.has(base)) wrong.push((base | rt).toString(16));
    }
  }
  assert.deepEqual(wrong, []);
});

test("near misses are not forbidden: reads, EL1's registers, thread pointers, TLB maintenance, calls", () => {
  const near = [
    ...REGISTERS.map((name) => `mrs x3, ${name}`),
    ...PAIR_REGISTERS.map((name) => `mrrs x2, x3, ${name}`),
    ...["TTBR0_EL1", "TTBR1_EL1", "TCR_EL1", "SCTLR_EL1", "MAIR_EL1", "AMAIR_EL1", "VBAR_EL1"],
    ...["TPIDR_EL2", "SPSR_EL2", "ELR_EL2", "CPTR_EL2", "MDCR_EL2", "HSTR_EL2", "VPIDR_EL2", "VMPIDR_EL2"],
    ...["CNTHCTL_EL2", "CNTVOFF_EL2", "ICH_HCR_EL2", "ICH_LR0_EL2", "ICC_SRE_EL2", "CONTEXTIDR_EL2"],
  ].map((line) => (line.startsWith("m") ? line : `msr ${line}, x3`));
  const others = [
    ...["msr daifset, #15", "msr spsel, #1", "msr pan, #1", "tlbi alle2", "tlbi vmalls12e1is", "ic iallu"],
    ...["dc civac, x0", "dc csw, x0", "dc cisw, x0", "dc ivac, x0", "at s12e1r, x0", "isb", "dsb sy"],
    ...["eret", "smc #0x80a3", "hvc #0", "hlt #0", "brk #1", "ret", "nop", "tlbip vae2, x0, x1"],
  ];

  const words = assemble([...near, ...others]);

  [...near, ...others].forEach((line, index) => {
    assert.equal(measure.isForbidden(words[index]!), 0, line);
  });
});

test("no word that is not a system instruction is forbidden", () => {
  const isSystem = (word: number) => word >>> 23 === 0xd5000000 >>> 23;
  const near = fc
    .constantFrom(...expected)
    .chain((word) => fc.integer({ min: 23, max: 31 }).map((bit) => (word ^ (1 << bit)) >>> 0));
  const word = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), near).filter((value) => !isSystem(value));
  fc.assert(
    fc.property(word, (value) => assert.equal(measure.isForbidden(value), 0)),
    { numRuns: 3000 },
  );
});

test("the description that the rewriter reads and what EL3 scans for are the same", () => {
  const system = fc.nat({ max: (1 << 23) - 1 }).map((low) => (0xd5000000 | low) >>> 0);
  const known = fc.constantFrom(...expected);
  fc.assert(
    fc.property(fc.oneof(system, known), fc.nat({ max: 31 }), (word, rt) => {
      assert.equal(measure.isForbidden(word | rt) !== 0, forbiddenPattern((word | rt) >>> 0) !== undefined);
    }),
    { numRuns: 3000 },
  );
});

test("a forbidden instruction is named as the assembler names it", () => {
  const lines = [
    ...REGISTERS.map((name) => `msr ${name}, x3`),
    ...PAIR_REGISTERS.map((name) => `msrr ${name}, x30, xzr`),
    ...["msr S3_4_C2_C7_1, xzr", "msr S3_0_C15_C2_1, x1"],
  ];
  assert.deepEqual(
    [...assemble(lines)].map((word) => forbiddenAssembly(word)),
    lines,
  );
  assert.equal(forbiddenAssembly(0xd503201f), undefined);
});

test("every register that is rewritten is a forbidden one", () => {
  for (const word of assemble(hardeningRules.map(({ register }) => `msr ${register}, x7`)))
    assert.equal(measure.isForbidden(word), 1);
});

test("a page is searched from its first to its last word, and no further", () => {
  const [hcr, tcr] = assemble(["msr HCR_EL2, x1", "msr TCR_EL2, x2"]);
  const view = new DataView(memory.buffer);
  const find = () => measure.findForbidden(0x2000n);
  memory.fill(0x1f);

  assert.equal(find(), -1);
  view.setUint32(0x1ffc, hcr!, true); // the pages around it
  view.setUint32(0x3000, hcr!, true);
  assert.equal(find(), -1);
  for (let offset = 0xffc; offset >= 0; offset -= 4) {
    view.setUint32(0x2000 + offset, tcr!, true);
    assert.equal(find(), offset); // the first of all that are there
  }
});

test("half of one instruction and half of the next are none", () => {
  const [hcr] = assemble(["msr HCR_EL2, x1"]);
  memory.fill(0);
  const view = new DataView(memory.buffer);
  view.setUint32(2, hcr!, true);
  assert.equal(measure.findForbidden(0n), -1);
});

test("scanning passes the gate and becomes C", () => {
  assert.match(c, /^u32 w2c_monitor_findForbidden\(/m);
});
