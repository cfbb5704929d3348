// The compartments, from AssemblyScript to the table of images that lies behind the monitor in secure flash:
// asc → gate → wasm2c → clang and lld → flat binary, each by itself.

import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  COMPARTMENT_BSS_VA,
  COMPARTMENT_LINEAR_VA,
  COMPARTMENT_SVC_DONE,
  COMPARTMENT_SVC_TRAP,
  COMPARTMENT_TEXT_VA,
} from "../../abi/compartment-images.ts";
import { COMPARTMENT_MEMORY_SIZE, COMPARTMENT_STATICS_PTR } from "../../abi/compartments.ts";
import type { CompartmentRow } from "../../sel0/manifest.ts";
import { UserError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { type CompartmentImage, encodeCompartmentImages } from "./compartment-images.ts";
import { C_FLAGS, compileObject, GENERATED_C_FLAGS, LLVM, readSymbols } from "./compile-native.ts";
import { compileWasm } from "./compile-wasm.ts";
import { fingerprint } from "./fingerprint.ts";
import type { FirmwareSources } from "./layout.ts";
import { LINEAR_MEMORY_GUARD_SIZE, WASM_PAGE_SIZE } from "./layout.ts";
import { moduleFacts } from "./module-facts.ts";
import { runTool } from "./run-tool.ts";
import { translateToC } from "./translate-c.ts";
import { passGate } from "./wasm-gate.ts";

const MODULE = "compartment";
const LINK = "sel0/link";
const RUNTIME_C = "el3/link"; // what wasm2c's output needs, for the monitor and for compartments

const ADDRESSES = {
  TEXT_VA: COMPARTMENT_TEXT_VA,
  BSS_VA: COMPARTMENT_BSS_VA,
  LINEAR_VA: COMPARTMENT_LINEAR_VA,
};
const DEFINES = {
  LINEAR_MEMORY_SIZE: COMPARTMENT_MEMORY_SIZE,
  LINEAR_MEMORY_GUARD_SIZE,
  SVC_DONE: COMPARTMENT_SVC_DONE,
  SVC_TRAP: COMPARTMENT_SVC_TRAP,
};
const INPUTS = [
  "abi",
  "sel0",
  "el3/link",
  "el3/runtime",
  "host/toolchain",
  "node_modules/assemblyscript/dist",
];

export interface BuiltCompartments {
  /** The table and the images, as bytes of flash. */
  readonly file: string;
  /** The modules, in the order of their numbers. */
  readonly wasms: readonly string[];
}

/** Builds what is in `rows`; nothing is done if nothing has changed. */
export async function buildCompartments(
  sources: FirmwareSources,
  outDir: string,
  rows: readonly CompartmentRow[],
): Promise<BuiltCompartments> {
  const file = join(outDir, "compartments.bin");
  const wasms = rows.map(({ name }) => join(outDir, name, `${name}.wasm`));
  const inputs = await fingerprint(sources.root, INPUTS, JSON.stringify(rows) + process.version);
  const stamp = join(outDir, "compartments.stamp");
  if ((await readFile(stamp, "utf8").catch(() => "")) === inputs) return { file, wasms };

  const images = await Promise.all(rows.map((row) => buildOne(sources, join(outDir, row.name), row)));
  await makeFolder(outDir);
  await writeFile(`${file}.new`, encodeCompartmentImages(images));
  await rename(`${file}.new`, file);
  await writeFile(stamp, inputs);
  return { file, wasms };
}

async function buildOne(
  sources: FirmwareSources,
  outDir: string,
  row: CompartmentRow,
): Promise<CompartmentImage> {
  const { root, runtime } = sources;
  const logs = join(outDir, "logs");
  await makeFolder(logs);
  const wasm = join(outDir, `${row.name}.wasm`);
  const memory = { pages: COMPARTMENT_MEMORY_SIZE / WASM_PAGE_SIZE, base: COMPARTMENT_STATICS_PTR };
  await compileWasm({ root, runtime, entry: row.entry }, wasm, join(logs, "asc.log"), memory);
  refuseAuthority(row, moduleFacts(passGate(await readFile(wasm))));
  const translated = await translateToC(root, wasm, join(logs, "wasm2c.log"), MODULE);
  await writeFile(join(outDir, `${MODULE}.gen.c`), translated.source);
  await writeFile(join(outDir, `${MODULE}.gen.h`), translated.header);
  return { row, ...(await link(root, outDir)) };
}

/** What a compartment can do is to answer: it imports nothing, and there is one way in. */
function refuseAuthority(row: CompartmentRow, facts: ReturnType<typeof moduleFacts>): void {
  const imported = facts.imports.length > 0;
  const entered = facts.functions.length === 1 && facts.functions[0] === "call";
  if (!imported && entered) return;
  const what = imported ? `imports ${facts.imports.join(", ")}` : `exports ${facts.functions.join(", ")}`;
  throw new UserError(
    "compartment-refused",
    `the compartment ${row.name} ${what}`,
    "a compartment imports nothing and exports one function, call (sel0/README.md)",
  );
}

async function link(root: string, outDir: string): Promise<Pick<CompartmentImage, "bytes" | "textSize">> {
  const common = { root, outDir, includes: [RUNTIME_C], defines: DEFINES };
  const generated = { isGenerated: true, flags: [...C_FLAGS, ...GENERATED_C_FLAGS] };
  const objects = await Promise.all([
    compileObject({ ...common, ...generated, file: join(outDir, `${MODULE}.gen.c`) }),
    compileObject({ ...common, file: `${RUNTIME_C}/memory.c`, isGenerated: false, flags: C_FLAGS }),
    compileObject({ ...common, file: `${LINK}/start.S`, isGenerated: false, flags: ["-g"] }),
  ]);
  const elf = join(outDir, `${MODULE}.elf`);
  const bin = join(outDir, `${MODULE}.bin`);
  await runTool({
    doing: "linking a compartment",
    command: `ld.lld-${LLVM}`,
    debianPackage: `lld-${LLVM}`,
    args: [
      ...["-T", join(root, LINK, "compartment.ld"), "-o", elf, "--gc-sections", "--lto-O2"],
      ...["-z", "max-page-size=4096", "--no-warn-mismatch"],
      ...Object.entries(ADDRESSES).map(([name, value]) => `--defsym=${name}=${value}`),
      ...objects,
    ],
    cwd: root,
    logFile: join(outDir, "logs", "link.log"),
  });
  await runTool({
    doing: "making a compartment's flat binary",
    command: `llvm-objcopy-${LLVM}`,
    debianPackage: `llvm-${LLVM}`,
    args: ["-O", "binary", "--only-section=.text", "--only-section=.rodata", elf, bin],
    cwd: root,
    logFile: join(outDir, "logs", "objcopy.log"),
  });
  const symbols = await readSymbols({ root }, outDir, elf);
  const textSize = Number(symbols.get("text_end")! - symbols.get("text_start")!);
  return { bytes: await readFile(bin), textSize };
}
