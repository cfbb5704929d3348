// The pipeline on a small monitor (el3/fixture): what comes out, how good its code is, and how it says no.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, test } from "node:test";
import { UserError } from "../errors.ts";
import { projectFolder } from "../paths.ts";
import { buildFirmware, type Firmware } from "./build-firmware.ts";
import { type FirmwareSources, firmwareSources, LINEAR_MEMORY_SIZE } from "./layout.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-firmware-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A tree of its own with the fixture as the monitor; `change` edits a file of it. */
function tree(name: string, file?: string, change?: (text: string) => string): FirmwareSources {
  const root = join(folder, name);
  for (const part of ["el3/fixture", "el3/link", "el3/runtime", "abi"]) {
    cpSync(join(projectFolder, part), join(root, part), { recursive: true });
  }
  symlinkSync(join(projectFolder, "node_modules"), join(root, "node_modules"));
  if (file !== undefined && change !== undefined) {
    const path = join(root, "el3/fixture", file);
    writeFileSync(path, change(readFileSync(path, "utf8")));
  }
  return {
    ...firmwareSources,
    root,
    entry: "el3/fixture/monitor/main.ts",
    interface: "el3/fixture/interface.gen.txt",
    vectors: "el3/fixture/vectors",
  };
}

const outOf = (sources: FirmwareSources) => join(sources.root, "build");

function build(sources: FirmwareSources): Promise<Firmware> {
  return buildFirmware({ sources, outDir: outOf(sources) });
}

function instructionsOf(elf: string, symbol: string): string[] {
  const text = execFileSync(
    "llvm-objdump-19",
    ["-d", "--no-show-raw-insn", `--disassemble-symbols=${symbol}`, elf],
    {
      encoding: "utf8",
    },
  );
  return [...text.matchAll(/^\s+[0-9a-f]+:\s+(\S+)\s*(.*)$/gm)].map((row) => `${row[1]} ${row[2]}`);
}

const sources = tree("good");
const firmware = await build(sources);

test("code is in flash, everything writable in secure SRAM, nothing initialised there", () => {
  const at = (name: string) => Number(firmware.symbols.get(name));
  assert.equal(at("reset"), 0);
  assert.ok(at("rodata_end") <= 0x100000);
  assert.equal(at("sram_start"), 0x0e000000);
  assert.equal(at("stacks_end") - at("stacks_start"), 8 * 0x4000);
  assert.equal(at("linear_memory_end") - at("linear_memory"), LINEAR_MEMORY_SIZE);
  assert.ok(at("linear_memory") >= at("bss_end") && at("sram_end") <= 0x0f000000);
  assert.equal(readFileSync(firmware.bin).length, at("rodata_end"));
});

test("structure offsets come out as constants and as a header", () => {
  assert.deepEqual([...firmware.constants].sort(), [
    ["FRAME_ELR_EL3", 16],
    ["FRAME_SIZE", 32],
  ]);
  assert.match(readFileSync(join(outOf(sources), "offsets.gen.h"), "utf8"), /^#define FRAME_ELR_EL3 16$/m);
});

test("a checked load costs a compare, a branch, the base and the load", () => {
  const load = instructionsOf(firmware.elf, "square");
  const untilReturn = load.slice(
    0,
    load.findIndex((line) => line.startsWith("ret")),
  );

  // Two instructions make the address of the entry, the other five load it.
  assert.ok(untilReturn.length <= 7, untilReturn.join("\n"));
  assert.ok(untilReturn.some((line) => /^cmp .*#0x40, lsl #12/.test(line)));
});

test("imports of one instruction are that instruction, in place", () => {
  const code = instructionsOf(firmware.elf, "handleException");

  assert.ok(code.some((line) => line.startsWith("mrs") && line.includes("HCR_EL2")));
  assert.ok(code.some((line) => line.startsWith("msr") && line.includes("HCR_EL2")));
  assert.deepEqual(
    code.filter((line) => /^bl /.test(line) && !/epitaph|fatal/.test(line)),
    [],
  );
  assert.ok(!code.some((line) => /\b[vdqs]\d+\b/.test(line.replace("sp", ""))), "no FP or SIMD register");
});

test("an unchanged tree is not built again, a changed one is", async () => {
  assert.equal(firmware.rebuilt, true);
  const again = await build(sources);
  assert.deepEqual(
    [again.rebuilt, again.symbols, again.constants],
    [false, firmware.symbols, firmware.constants],
  );

  const file = join(sources.root, "el3/fixture/monitor/main.ts");
  writeFileSync(file, readFileSync(file, "utf8").replace("[1, 4, 9, 16]", "[1, 4, 9, 16, 25]"));
  assert.equal((await build(sources)).rebuilt, true);
});

test("two builds of one tree are the same to the byte", async () => {
  const first = await buildFirmware({ sources, outDir: join(folder, "one") });
  const second = await buildFirmware({ sources, outDir: join(folder, "two") });

  assert.deepEqual(readFileSync(first.bin), readFileSync(second.bin));
});

test("the monitor itself builds, and the list of its imports and exports is up to date", async () => {
  const list = join(folder, "interface.gen.txt");
  await buildFirmware({
    outDir: join(folder, "monitor"),
    sources: { ...firmwareSources, interface: relative(projectFolder, list) },
  });

  const committed = readFileSync(join(projectFolder, firmwareSources.interface), "utf8");
  assert.equal(committed, readFileSync(list, "utf8"), "run: vtz build");
});

const refusals: [what: string, file: string, change: (text: string) => string, message: RegExp][] = [
  [
    "a type error",
    "monitor/main.ts",
    (text) => `${text}\nexport function bad(): u32 { return missing; }\n`,
    /Cannot find name 'missing'[\s\S]*el3\/fixture\/monitor\/main\.ts/,
  ],
  [
    "an allocation, with who allocates",
    "monitor/main.ts",
    (text) =>
      `${text}\nfunction inner(n: u32): u32 { return [n].length; }\nexport function outer(n: u32): u32 { return inner(n); }\n`,
    /firmware has no heap[\s\S]*allocated by .*outer → .*inner/,
  ],
  [
    "a variable",
    "monitor/main.ts",
    (text) => `${text}\nlet count: u64 = 0;\nexport function tick(): u64 { return ++count; }\n`,
    /globals: .*count is a variable/,
  ],
  [
    "an import from another file than hw.ts",
    "monitor/frame.ts",
    (text) => `${text}\nexport declare function peek(): u64;\n`,
    /imports: frame\.peek does not come from hw/,
  ],
  [
    "a register that is not described",
    "monitor/hw.ts",
    (text) => `${text}\nexport declare function readFOO_EL3(): u64;\n`,
    /readFOO_EL3: arm\/registers\.ts has no/,
  ],
  [
    "an import that nothing implements",
    "vectors/reset.S",
    (text) => text.replace("bl      square", "bl      w2c_hw_nothing"),
    /undefined symbol: w2c_hw_nothing/,
  ],
  [
    "an import whose types are not those of hw.c",
    "monitor/hw.ts",
    (text) => text.replace("unlock(index: u32)", "unlock(index: u64)"),
    /hw\.c:\d+:\d+: error: conflicting types for 'w2c_hw_unlock'/,
  ],
  [
    "broken assembly",
    "vectors/reset.S",
    (text) => text.replace("wfe", "wfoo"),
    /el3\/fixture\/vectors\/reset\.S:\d+/,
  ],
];

/** What hw.ts or frame.ts declare more than the fixture has, main.ts calls. */
function useDeclared(root: string): void {
  const main = join(root, "el3/fixture/monitor/main.ts");
  for (const [file, name] of [
    ["frame", "peek"],
    ["hw", "readFOO_EL3"],
  ] as const) {
    const text = readFileSync(join(root, `el3/fixture/monitor/${file}.ts`), "utf8");
    if (!text.includes(`declare function ${name}`)) continue;
    const call = `export function more(): u64 { return ${name}(); }`;
    writeFileSync(main, `import { ${name} } from "./${file}";\n${readFileSync(main, "utf8")}\n${call}\n`);
  }
}

for (const [index, [what, file, change, message]] of refusals.entries()) {
  test(`${what} is refused in words`, async () => {
    const broken = tree(`broken${index}`, file, change);
    useDeclared(broken.root);
    await assert.rejects(build(broken), (error) => error instanceof UserError && message.test(error.message));
  });
}
