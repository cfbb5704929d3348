// The committed files are what the descriptions make; encodings agree with clang's assembler.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { projectFolder } from "../host/paths.ts";
import { encodingName } from "./describe.ts";
import { generatedFiles } from "./generate.ts";
import { encode, instructions, isInstruction } from "./instructions.ts";
import { systemRegisters } from "./registers.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-arm-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function assemble(lines: readonly string[]): number[] {
  const source = join(folder, "code.S");
  const object = join(folder, "code.o");
  const flat = join(folder, "code.bin");
  writeFileSync(source, `${lines.join("\n")}\n`);
  execFileSync("clang-19", [
    "--target=aarch64-none-elf",
    "-march=armv9.5-a+d128",
    "-c",
    source,
    "-o",
    object,
  ]);
  execFileSync("llvm-objcopy-19", ["-O", "binary", object, flat]);
  const bytes = readFileSync(flat);
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(index * 4));
}

for (const [path, content] of generatedFiles()) {
  test(`${path} is up to date`, () => {
    const committed = readFileSync(join(projectFolder, path), "utf8");
    assert.equal(committed, content, "run: node arm/generate.ts");
  });
}

test("every system register has the encoding that the assembler gives its name", () => {
  const readOnly =
    /^(CNTPCT|CNTVCT|MIDR|MPIDR|CTR|ID_|ISR|ICC_(IAR|HPPIR|RPR)|ICH_(VTR|MISR|EISR|ELRSR)|RVBAR)/;
  const writeOnly = /^ICC_(EOIR|DIR|SGI|ASGI)/;
  const access = (register: string, name: string) =>
    writeOnly.test(name) ? `msr ${register}, x0` : `mrs x0, ${register}`;

  const byName = assemble(systemRegisters.map(({ name }) => access(name, name)));
  const byNumber = assemble(
    systemRegisters.map(({ name, encoding }) => access(encodingName(encoding!), name)),
  );

  const differing = systemRegisters
    .filter((_, index) => byName[index] !== byNumber[index])
    .map(({ name }) => name);
  assert.deepEqual(differing, []);
  const writable = systemRegisters.filter(({ name }) => !readOnly.test(name));
  assert.equal(assemble(writable.map(({ name }) => `msr ${name}, x1`)).length, writable.length);
});

test("instructions match what the assembler writes, and only that", () => {
  const samples: [name: string, assembly: string][] = [
    ["SVC", "svc #7"],
    ["HVC", "hvc #0x8001"],
    ["SMC", "smc #0x80a3"],
    ["BRK", "brk #1"],
    ["MSR", "msr VTTBR_EL2, x9"],
    ["MSRR", "msrr VTTBR_EL2, x2, x3"],
    ["MRS", "mrs x3, HCR_EL2"],
    ["MSR_IMMEDIATE", "msr daifset, #15"],
    ["SYS", "dc civac, x4"],
    ["TLBI", "tlbi vmalls12e1is"],
    ["NOP", "nop"],
    ["WFE", "wfe"],
    ["WFI", "wfi"],
    ["SEV", "sev"],
    ["ISB", "isb"],
    ["DSB", "dsb ish"],
    ["ERET", "eret"],
    ["RET", "ret"],
    ["BL", "bl .+8"],
    ["BTI_C", "hint #34"],
    ["PACIASP", "hint #25"],
    ["AUTIASP", "hint #29"],
    ["MOV_X", "mov x3, x0"],
    ["MOV_W", "mov w0, wzr"],
    ["MOV_X_FROM_SP", "mov x29, sp"],
    ["MOVZ_X", "mov x2, #16"],
    ["MOVZ_W", "mov w1, #0"],
    ["MOVK_W", "movk w1, #0x3000, lsl #16"],
    ["STP_X", "stp x1, x2, [x3]"],
    ["STP_X_PRE", "stp x29, x30, [sp, #-16]!"],
    ["LDP_X_POST", "ldp x29, x30, [sp], #16"],
  ];
  const words = assemble(samples.map(([, assembly]) => assembly));

  samples.forEach(([name], index) => {
    const matching = instructions.filter((row) => isInstruction(words[index]!, row)).map((row) => row.name);
    // TLBI is one of the SYS instructions.
    assert.deepEqual(matching, name === "TLBI" ? ["SYS", "TLBI"] : [name]);
  });
  assert.deepEqual(
    samples.map(([name]) => name),
    instructions.map(({ name }) => name),
  );
});

test("encode is the assembler's answer, and refuses what does not fit", () => {
  assert.deepEqual(assemble(["smc #0x80a3"]), [encode("SMC", { IMM16: 0x80a3 })]);
  assert.deepEqual(assemble(["msr VBAR_EL2, x19"]), [
    encode("MSR", { O0: 1, OP1: 4, CRN: 12, CRM: 0, OP2: 0, RT: 19 }),
  ]);
  assert.throws(() => encode("SMC", { IMM16: 0x10000 }));
  assert.throws(() => encode("SMC", { RT: 1 }));
});
