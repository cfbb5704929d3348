// The C that we make of wasm against the wasm itself in Node: every integer instruction that asc emits, on awkward
// and random operands, traps included. The C is compiled for the host, with el3/link/wasm-rt.h as in the firmware.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { projectFolder } from "../paths.ts";
import { LINEAR_MEMORY_GUARD_SIZE, LINEAR_MEMORY_SIZE } from "./layout.ts";
import { specialise, translateToC } from "./translate-c.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-translate-"));
after(() => rmSync(folder, { recursive: true, force: true }));

type Width = "i32" | "i64";
interface Operation {
  name: string;
  body: string;
  operands: Width[];
  result: Width;
}

const BINARY = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr".split(" ");
const COMPARE = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split(" ");
const UNARY = {
  i32: ["clz", "ctz", "popcnt", "extend8_s", "extend16_s"],
  i64: ["clz", "ctz", "popcnt", "extend8_s", "extend16_s", "extend32_s"],
};
const LOADS = {
  i32: ["load", "load8_s", "load8_u", "load16_s", "load16_u"],
  i64: ["load", "load8_s", "load8_u", "load16_s", "load16_u", "load32_s", "load32_u"],
};
const STORES = { i32: ["store", "store8", "store16"], i64: ["store", "store8", "store16", "store32"] };

const get = (index: number) => `(local.get ${index})`;
function operations(width: Width): Operation[] {
  const dotted = (name: string) => `${width}.${name}`;
  const named = (name: string) => `op_${dotted(name).replace(".", "_")}`;
  return [
    ...BINARY.map((op) => ({
      name: named(op),
      body: `(${dotted(op)} ${get(0)} ${get(1)})`,
      operands: [width, width],
      result: width,
    })),
    ...COMPARE.map((op) => ({
      name: named(op),
      body: `(${dotted(op)} ${get(0)} ${get(1)})`,
      operands: [width, width],
      result: "i32" as const,
    })),
    ...UNARY[width].map((op) => ({
      name: named(op),
      body: `(${dotted(op)} ${get(0)})`,
      operands: [width],
      result: width,
    })),
    ...LOADS[width].map((op) => ({
      name: named(op),
      body: `(${dotted(op)} offset=24 ${get(0)})`,
      operands: ["i32" as const],
      result: width,
    })),
    ...STORES[width].map((op) => ({
      name: named(op),
      body: `(${dotted(op)} offset=40 ${get(0)} ${get(1)}) (${dotted("load")} offset=40 ${get(0)})`,
      operands: ["i32" as const, width],
      result: width,
    })),
  ];
}

const OPERATIONS: Operation[] = [
  ...operations("i32"),
  ...operations("i64"),
  { name: "wrap", body: `(i32.wrap_i64 ${get(0)})`, operands: ["i64"], result: "i32" },
  { name: "widen_s", body: `(i64.extend_i32_s ${get(0)})`, operands: ["i32"], result: "i64" },
  { name: "widen_u", body: `(i64.extend_i32_u ${get(0)})`, operands: ["i32"], result: "i64" },
  {
    name: "choose",
    body: `(select ${get(0)} ${get(1)} ${get(2)})`,
    operands: ["i64", "i64", "i32"],
    result: "i64",
  },
  {
    name: "fill",
    body: `(memory.fill ${get(0)} ${get(1)} ${get(2)}) (i64.load (i32.and ${get(0)} (i32.const 0xfff0)))`,
    operands: ["i32", "i32", "i32"],
    result: "i64",
  },
  {
    name: "copy",
    body: `(memory.copy ${get(0)} ${get(1)} ${get(2)}) (i64.load (i32.and ${get(0)} (i32.const 0xfff0)))`,
    operands: ["i32", "i32", "i32"],
    result: "i64",
  },
  {
    name: "branch",
    body: `(block (block (block (br_table 0 1 2 ${get(0)})) (return (i32.const 10))) (return (i32.const 20))) (if (i32.eq ${get(0)} (i32.const 7)) (then unreachable)) (i32.const 30)`,
    operands: ["i32"],
    result: "i32",
  },
];

const INTERESTING = [
  0n,
  1n,
  2n,
  7n,
  31n,
  32n,
  63n,
  0x7fn,
  0x80n,
  0xffffn,
  0x8000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xffffffffffffffffn,
  0x123456789abcdef0n,
];
const ADDRESSES = [
  0n,
  1n,
  8n,
  0x1234n,
  0xfff1n,
  BigInt(LINEAR_MEMORY_SIZE),
  BigInt(LINEAR_MEMORY_SIZE) + 5n,
  0x80000000n,
  0xfffffff8n,
  0xffffffffn,
];
const LENGTHS = [0n, 1n, 17n, 0x100n, BigInt(LINEAR_MEMORY_SIZE), 0xffffffffn];

function samples({ name, operands }: Operation): bigint[][] {
  const isMemory = /load|store/.test(name);
  const isRange = name === "fill" || name === "copy";
  const choices = operands.map((_, index) => {
    if (isRange) return index === 2 ? LENGTHS : ADDRESSES.slice(0, 7);
    return isMemory && index === 0 ? ADDRESSES : INTERESTING;
  });
  return choices.reduce<bigint[][]>(
    (rows, values) => rows.flatMap((row) => values.map((value) => [...row, value])),
    [[]],
  );
}

test("the C computes what the wasm computes, and traps where it traps", async () => {
  const wasmFile = join(folder, "monitor.wasm");
  writeFileSync(join(folder, "monitor.wat"), watModule());
  execFileSync(process.execPath, [
    join(projectFolder, "node_modules/wabt/bin/wat2wasm"),
    join(folder, "monitor.wat"),
    "-o",
    wasmFile,
  ]);
  const { source, header } = await translateToC(projectFolder, wasmFile, join(folder, "wasm2c.log"));
  writeFileSync(join(folder, "monitor.gen.c"), source);
  writeFileSync(join(folder, "monitor.gen.h"), header);
  writeFileSync(join(folder, "harness.c"), harness());
  const program = join(folder, "program");
  execFileSync("clang-19", [
    ...[
      "-std=gnu17",
      "-O2",
      "-w",
      "-fno-strict-aliasing",
      "-I",
      folder,
      "-I",
      join(projectFolder, "el3/link"),
    ],
    ...[`-DLINEAR_MEMORY_SIZE=${LINEAR_MEMORY_SIZE}`, `-DGUARD=${LINEAR_MEMORY_GUARD_SIZE}`],
    ...[join(folder, "monitor.gen.c"), join(folder, "harness.c"), "-o", program],
  ]);

  const rows = OPERATIONS.flatMap((operation, index) => samples(operation).map((args) => ({ index, args })));
  const input = rows.map(({ index, args }) => [index, ...padded(args)].join(" ")).join("\n");
  const native = execFileSync(program, { input, encoding: "utf8", maxBuffer: 1 << 26 })
    .trimEnd()
    .split("\n");
  const wasm = await runInNode(readFileSync(wasmFile), rows);

  const differing = rows
    .map(
      ({ index, args }, row) =>
        `${OPERATIONS[index]!.name}(${args.join(", ")}): wasm ${wasm[row]}, C ${native[row]}`,
    )
    .filter((_, row) => wasm[row] !== native[row]);
  assert.deepEqual(differing, []);
  assert.ok(wasm.filter((answer) => answer === "trap").length > 100, "some of the samples must trap");
});

test("a static offset beyond the guard zone does not build", () => {
  const preambleEnd = "wasm_rt_tailcallee_t* next)\n#endif\n";
  const access = (offset: number) =>
    `${preambleEnd}  var_i0 = i32_load_default32(&instance->w2c_memory, (u64)(var_i0) + ${offset}u);\n`;

  assert.match(specialise(access(64), "").source, /i32_load\(var_i0, 64u\)/);
  assert.throws(() => specialise(access(LINEAR_MEMORY_GUARD_SIZE), ""), /static offset 65536/);
});

test("output of another wasm2c is noticed", () => {
  assert.throws(() => specialise("int main;", ""), /another shape/);
});

function watModule(): string {
  const functions = OPERATIONS.map(({ name, body, operands, result }) => {
    const parameters = operands.length === 0 ? "" : `(param ${operands.join(" ")})`;
    return `(func (export "${name}") ${parameters} (result ${result}) ${body})`;
  });
  return `(module (memory (export "memory") 4 4) (data (i32.const 16) "\\80\\ff\\7f\\01 awkward bytes #-/~ \\fe\\81") ${functions.join("\n")})`;
}

/** Reads lines of an operation and three operands; answers with the result or "trap". */
function harness(): string {
  const cType = { i32: "uint32_t", i64: "uint64_t" };
  const declarations = OPERATIONS.map(
    ({ name, operands, result }) =>
      `${cType[result]} ${name}(${operands.map((width) => cType[width]).join(", ")});`,
  );
  const cases = OPERATIONS.map(({ name, operands }, index) => {
    const args = operands.map((width, place) => `(${cType[width]})a[${place}]`);
    return `case ${index}: return ${name}(${args.join(", ")});`;
  });
  return `
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
unsigned char linear_memory[LINEAR_MEMORY_SIZE + GUARD];
void initialiseMonitor(void);
static jmp_buf trapped;
_Noreturn void epitaph(uint64_t code) { longjmp(trapped, 1); }
${declarations.join("\n")}
static uint64_t call(int index, const uint64_t *a) { switch (index) { ${cases.join("\n")} } return 0; }
int main(void) {
  int index;
  uint64_t a[3];
  while (scanf("%d %" SCNu64 " %" SCNu64 " %" SCNu64, &index, &a[0], &a[1], &a[2]) == 4) {
    memset(linear_memory, 0, sizeof linear_memory);
    initialiseMonitor();
    if (setjmp(trapped) != 0) puts("trap");
    else printf("%" PRIu64 "\\n", call(index, a));
  }
}`;
}

function padded(args: bigint[]): bigint[] {
  return [...args, 0n, 0n, 0n].slice(0, 3);
}

type Callable = (...values: (number | bigint)[]) => number | bigint;
type WasmExports = { memory: { buffer: ArrayBuffer } } & Record<string, Callable>;

interface WebAssemblyHere {
  instantiate(bytes: Uint8Array): Promise<{ instance: { exports: WasmExports } }>;
}

async function runInNode(bytes: Uint8Array, rows: { index: number; args: bigint[] }[]): Promise<string[]> {
  const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyHere };
  const { instance } = await WebAssembly.instantiate(bytes);
  const memory = new Uint8Array(instance.exports.memory.buffer);
  const initial = memory.slice();
  return rows.map(({ index, args }) => {
    const { name, operands, result } = OPERATIONS[index]!;
    const typed = args.map((arg, place) =>
      operands[place] === "i64" ? BigInt.asIntN(64, arg) : Number(BigInt.asIntN(32, arg)),
    );
    memory.set(initial);
    try {
      const answer = instance.exports[name]!(...typed);
      return BigInt.asUintN(result === "i64" ? 64 : 32, BigInt(answer)).toString();
    } catch {
      return "trap";
    }
  });
}
