// WebAssembly → C. wasm2c's own preamble is replaced by el3/link/wasm-rt.h, and what it does generally is made
// particular: one memory at an address the linker knows, one instance, imports as plain functions.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { LINEAR_MEMORY_GUARD_SIZE } from "./layout.ts";
import { runTool } from "./run-tool.ts";

/** wasm2c puts the module's name in front of each of its symbols. */
const MONITOR = "monitor";
const PREAMBLE_END = "wasm_rt_tailcallee_t* next)\n#endif\n";

export interface TranslatedModule {
  source: string;
  header: string;
}

export async function translateToC(
  root: string,
  wasmFile: string,
  logFile: string,
  name = MONITOR,
): Promise<TranslatedModule> {
  const cFile = wasmFile.replace(/wasm$/, "wasm2c.c");
  await runTool({
    doing: `translating ${name} to C`,
    command: process.execPath,
    args: [join(root, "node_modules/wabt/bin/wasm2c"), wasmFile, "-n", name, "-o", cFile],
    cwd: root,
    logFile,
  });
  const source = await readFile(cFile, "utf8");
  const header = await readFile(cFile.replace(/c$/, "h"), "utf8");
  return specialise(source, header, name);
}

export function specialise(source: string, header: string, name = MONITOR): TranslatedModule {
  const preambleEnd = source.lastIndexOf(PREAMBLE_END);
  if (preambleEnd < 0) throw new Error("wasm2c's output has another shape than that of wabt 1.0.39");
  const body = source.slice(preambleEnd + PREAMBLE_END.length);
  const withoutExtras = dropFunctions(body, [
    `wasm2c_${name}_instantiate`,
    `wasm2c_${name}_free`,
    `wasm2c_${name}_get_func_type`,
    `w2c_${name}_memory`,
    "init_instance_import",
  ]);
  const text = readableNames(plainImports(splitAddresses(withoutExtras)));
  return {
    source: [`#include "wasm-rt.h"`, `#include "${name}.gen.h"`, text, initialise(text, name)].join("\n"),
    header: plainImports(readableNames(header)),
  };
}

/** `(u64)(var_i0) + 24u` → `var_i0, 24u`, so that the check sees the dynamic part alone. */
function splitAddresses(text: string): string {
  const access = /\b(i\d\d_(?:load|store)\w*?)_default32\(&instance->\w+, \(u64\)\((\w+)\)(?: \+ (\d+)u?)?/g;
  const split = text.replace(access, (_whole, name: string, address: string, offset = "0") => {
    if (Number(offset) >= LINEAR_MEMORY_GUARD_SIZE - 8) {
      throw new Error(`a load or store has the static offset ${offset}; the guard zone is smaller`);
    }
    return `${name}(${address}, ${offset}u`;
  });
  const left = /\w+_default32\b.*/.exec(split);
  if (left) throw new Error(`wasm2c wrote an access that was not expected: ${left[0]}`);
  return split;
}

/** Imports have no instance of their own. */
function plainImports(text: string): string {
  return text
    .replaceAll(/instance->w2c_hw_instance, /g, "")
    .replaceAll(/instance->w2c_hw_instance\)/g, ")")
    .replaceAll(/\(struct w2c_hw\*, /g, "(")
    .replaceAll(/\(struct w2c_hw\*\)/g, "(void)")
    .replaceAll(/^.*struct w2c_hw\b.*\n/gm, "");
}

/** `w2c_monitor_el30x2Fmonitor0x2Fsmc0x2Ftable0x2Fdispatch` → `w2c_monitor_smc__table__dispatch`. */
function readableNames(text: string): string {
  return text
    .replaceAll(/(el30x2Fmonitor|sel0|el1)0x2F/g, "")
    .replaceAll("0x2F", "__")
    .replaceAll("0x2D", "_")
    .replaceAll(/(?<=\w)0x23/g, "_") // of a name: constants have this byte too
    .replaceAll("0x7Elib", "lib");
}

function dropFunctions(text: string, names: readonly string[]): string {
  let rest = text;
  for (const name of names) {
    const start = new RegExp(`^[^\\n;{}]*\\b${name}\\([^;{]*\\{$`, "m").exec(rest);
    if (start === null) continue;
    const end = rest.indexOf("\n}\n", start.index);
    rest = rest.slice(0, start.index) + rest.slice(end + 3);
  }
  return rest;
}

/** The one instance, and what boot calls once, on one core, before any export. */
function initialise(text: string, name: string): string {
  const steps = ["init_globals", "init_memories", "init_data_instances"].filter((step) =>
    new RegExp(`^static void ${step}\\(`, "m").test(text),
  );
  return [
    `static w2c_${name} instance_of_${name};`,
    `void initialise${name[0]!.toUpperCase()}${name.slice(1)}(void) {`,
    ...steps.map((step) => `  ${step}(&instance_of_${name});`),
    "}",
    ...exportedFunctions(text, name),
    "",
  ].join("\n");
}

/** A C function by the export's own name, without the instance. */
function exportedFunctions(text: string, module: string): string[] {
  const exported = new RegExp(
    `^/\\* export: '(\\w+)' \\*/\\n(\\w+) (w2c_${module}_\\w+)\\(w2c_${module}\\* instance(.*?)\\) \\{$`,
    "gm",
  );
  return [...text.matchAll(exported)].map(([, name, result, target, rest]) => {
    const parameters = rest!.replace(/^, /, "");
    const args = [...rest!.matchAll(/\b(var_p\d+)/g)].map(([, arg]) => `, ${arg}`).join("");
    const call = `${target}(&instance_of_${module}${args});`;
    return `${result} ${name}(${parameters || "void"}) { ${result === "void" ? "" : "return "}${call} }`;
  });
}
