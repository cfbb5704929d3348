// One small module a rule: the gate refuses each, by that rule, and names the function. The module without a
// mutation passes, so no test here is vacuous.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { projectFolder } from "../paths.ts";
import { passGate, refusals } from "./wasm-gate.ts";
import { readWasm } from "./wasm-reader.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "vtz-gate-"));
});
after(async () => {
  if (folder !== "") await rm(folder, { recursive: true, force: true }); // no test was wanted
});

const good = {
  imports: '(import "hw" "fatal" (func $fatal (param i32 i64 i64)))',
  memory: "(memory 4 4)",
  globals: '(global $size i32 (i32.const 32)) (export "FRAME_SIZE" (global $size))',
  functions: `
    (func $leaf (param i32) (result i64) (i64.load offset=8 (local.get 0)))
    (func $middle (param i32) (result i64) (call $leaf (local.get 0)))
    (func $root (param i32)
      (if (i64.eqz (call $middle (local.get 0))) (then (call $fatal (i32.const 1) (i64.const 0) (i64.const 0)))))
    (export "handle" (func $root))`,
  more: "",
};

async function built(mutation: Partial<typeof good> = {}): Promise<Uint8Array> {
  const parts = { ...good, ...mutation };
  const wat = join(folder, "module.wat");
  const wasm = join(folder, "module.wasm");
  await writeFile(wat, `(module ${Object.values(parts).join("\n")})`);
  const wat2wasm = join(projectFolder, "node_modules/wabt/bin/wat2wasm");
  await promisify(execFile)(process.execPath, [wat2wasm, wat, "--debug-names", "--enable-all", "-o", wasm]);
  return readFile(wasm);
}

test("a module without oddities passes, and its constants are read", async () => {
  const module = passGate(await built());

  assert.deepEqual(module.globals, [{ name: "size", type: 0x7f, isMutable: false, value: 32n }]);
  assert.deepEqual(module.functions[3]!.calls, [2, 0]);
});

const more = (text: string) => ({ more: text });
const mutants: [name: string, rule: string, mutation: Partial<typeof good>, named: RegExp][] = [
  [
    "an import from elsewhere",
    "imports",
    { imports: `(import "env" "abort" (func)) ${good.imports}` },
    /env\.abort/,
  ],
  ["an imported global", "imports", { imports: `${good.imports} (import "hw" "g" (global i32))` }, /hw\.g /],
  [
    "memory.grow",
    "memory",
    more('(func $greedy (drop (memory.grow (i32.const 1)))) (export "g" (func $greedy))'),
    /greedy/,
  ],
  ["a memory that may grow", "memory", { memory: "(memory 4)" }, /fixed size/],
  ["a table", "tables", more("(table 1 funcref)"), /table/],
  [
    "an indirect call",
    "tables",
    more("(table 1 funcref) (func $wild (call_indirect (i32.const 0)))"),
    /wild has call_indirect/,
  ],
  ["a start function", "start", more("(func $early) (start $early)"), /start/],
  ["a function of the runtime", "heap", more("(func $~lib/rt/stub/__new)"), /__new/],
  ["a variable", "globals", more("(global $count (mut i64) (i64.const 0))"), /count/],
  ["float arithmetic", "floats", more("(func $half (drop (f64.mul (f64.const 1) (f64.const 2))))"), /half/],
  ["a float parameter", "floats", more("(func $takes (param f32))"), /takes/],
  ["a float local", "floats", more("(func $keeps (local f32))"), /keeps/],
  ["a float constant", "floats", more("(global $pi f64 (f64.const 3.14))"), /pi/],
  [
    "a saturating truncation",
    "floats",
    more("(func $cut (param i32) (drop (i32.trunc_sat_f32_s (f32.const 1))))"),
    /cut/,
  ],
  ["a function that calls itself", "recursion", more("(func $self (call $self))"), /self → self/],
  [
    "a cycle of three",
    "recursion",
    more("(func $a (call $b)) (func $b (call $c)) (func $c (call $a))"),
    /a → b → c → a/,
  ],
  ["SIMD", "instructions", more("(func $wide (drop (i8x16.splat (i32.const 0))))"), /wide/],
  ["atomics", "instructions", more("(func $fence (atomic.fence))"), /fence/],
];

for (const [name, rule, mutation, named] of mutants) {
  test(`${name} is refused`, async () => {
    const found = refusals(readWasm(await built(mutation)));

    const ofRule = found.filter((refusal) => refusal.rule === rule);
    assert.ok(
      ofRule.some(({ what }) => named.test(what)),
      JSON.stringify(found),
    );
  });
}

test("the message leads from the export to the function", async () => {
  const functions = good.functions.replace("(i64.load offset=8", "(drop (f32.const 1)) (i64.load offset=8");
  const bytes = await built({ functions });

  assert.throws(() => passGate(bytes), /leaf has floating point\n {4}called by root → middle → leaf/);
});

test("a module that ends early is an error, not an acceptance", async () => {
  const bytes = await built();

  for (const size of [9, 20, bytes.length - 1]) assert.throws(() => readWasm(bytes.subarray(0, size)));
});
