// Branches, literals and addresses as clang's assembler encodes them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { addedImmediate, flowOf, formedAddress, literalOf } from "./control-flow.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-flow-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Words of instructions that are assembled at `offset`, each alone. */
function assemble(lines: readonly string[]): number[] {
  const source = join(folder, "code.S");
  const object = join(folder, "code.o");
  const flat = join(folder, "code.bin");
  writeFileSync(source, `${lines.join("\n")}\n`);
  execFileSync("clang-19", ["--target=aarch64-none-elf", "-march=armv8.5-a", "-c", source, "-o", object]);
  execFileSync("llvm-objcopy-19", ["-O", "binary", object, flat]);
  const bytes = readFileSync(flat);
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(index * 4));
}

const AT = 0x12340;

test("direct branches: kind and target, forwards and backwards", () => {
  const rows: [assembly: string, kind: string, distance: number][] = [
    ["b #0x7fffffc", "jump", 0x7fffffc],
    ["b #-4", "jump", -4],
    ["bl #-0x8000000", "call", -0x8000000],
    ["b.ne #0xffffc", "conditional", 0xffffc],
    ["cbz w3, #-0x100000", "conditional", -0x100000],
    ["cbnz x3, #8", "conditional", 8],
    ["tbz x9, #63, #0x7ffc", "conditional", 0x7ffc],
    ["tbnz w9, #1, #-0x8000", "conditional", -0x8000],
  ];
  const words = assemble(rows.map(([assembly]) => assembly));

  rows.forEach(([assembly, kind, distance], index) => {
    assert.deepEqual(flowOf(words[index]!, AT), { kind, target: AT + distance }, assembly);
  });
});

test("what goes on, what may come back, what ends, what is no instruction", () => {
  const rows: [assembly: string, kind: string][] = [
    ...["nop", "msr HCR_EL2, x1", "ldr x0, [x1]", "add x0, x0, #1", "isb", "fmov d0, x1"].map(
      (line): [string, string] => [line, "next"],
    ),
    ...["blr x3", "blraa x3, x4", "smc #1", "hvc #0", "brk #1"].map((line): [string, string] => [
      line,
      "call",
    ]),
    ...["br x3", "ret", "ret x3", "eret", "retaa", "braa x1, x2"].map((line): [string, string] => [
      line,
      "end",
    ]),
    ...["udf #0", "udf #77", ".inst 0x63616261", ".inst 0x20796578"].map((line): [string, string] => [
      line,
      "unallocated",
    ]),
  ];
  const words = assemble(rows.map(([assembly]) => assembly));

  rows.forEach(([assembly, kind], index) => {
    assert.deepEqual(flowOf(words[index]!, AT), { kind }, assembly);
  });
});

test("literals and addresses", () => {
  const [w, x, q, sw, adr, adrp, add, addShifted, other] = assemble([
    ...["ldr w1, #-4", "ldr x1, #0xffffc", "ldr q1, #16", "ldrsw x2, #8"],
    ...[
      "adr x5, #-3",
      "adrp x6, #-0x2000",
      "add x1, x6, #0xabc",
      "add x1, x6, #1, lsl #12",
      "add w1, w6, #1",
    ],
  ]) as [number, number, number, number, number, number, number, number, number];

  assert.deepEqual(literalOf(w, AT), { offset: AT - 4, size: 4 });
  assert.deepEqual(literalOf(x, AT), { offset: AT + 0xffffc, size: 8 });
  assert.deepEqual(literalOf(q, AT), { offset: AT + 16, size: 16 });
  assert.deepEqual(literalOf(sw, AT), { offset: AT + 8, size: 4 });
  assert.deepEqual(formedAddress(adr, AT), { register: 5, value: AT - 3, isPage: false });
  assert.deepEqual(formedAddress(adrp, AT), { register: 6, value: 0x10000, isPage: true });
  assert.deepEqual(addedImmediate(add), { register: 6, value: 0xabc });
  assert.deepEqual(addedImmediate(addShifted), { register: 6, value: 0x1000 });
  for (const word of [other, w]) assert.equal(addedImmediate(word), undefined);
  for (const word of [add, adr]) assert.equal(literalOf(word, AT), undefined);
  assert.equal(formedAddress(add, AT), undefined);
});
