// The gate: what the built monitor may not contain, whoever wrote it. Each refusal names the function and a chain of
// calls from an export to it, so that the line to change can be found.

import { UserError } from "../errors.ts";
import { KIND, readWasm, type WasmFunction, type WasmModule } from "./wasm-reader.ts";

/** Mutable globals that firmware may have. Cores share the one instance, so: none. */
const MUTABLE_GLOBALS_ALLOWED: readonly string[] = [];
const IMPORT_MODULE = "hw";
/** AssemblyScript's allocator and collector, and our hooks that refuse to be them. */
const RUNTIME_FUNCTIONS = /^~lib\/rt\/|^el3\/runtime\//;

export interface Refusal {
  rule: string;
  what: string;
  /** From an export to the function, by name. */
  chain?: string[];
}

export function refusals(module: WasmModule): Refusal[] {
  const chains = chainsFromExports(module);
  const inFunction = (fn: WasmFunction, rule: string, what: string): Refusal => {
    const chain = chains.get(fn.index);
    return chain === undefined ? { rule, what } : { rule, what, chain };
  };
  const found: Refusal[] = [];
  for (const { module: from, name, kind } of module.imports) {
    if (kind !== KIND.function) found.push({ rule: "imports", what: `${from}.${name} is not a function` });
    else if (from !== IMPORT_MODULE)
      found.push({ rule: "imports", what: `${from}.${name} does not come from hw.ts` });
  }
  if (module.startIndex !== undefined) {
    const what = "there is a start function: a module variable has a computed initialiser";
    found.push(inFunction(module.functions[module.startIndex]!, "start", what));
  }
  if (module.tableCount > 0)
    found.push({ rule: "tables", what: "there is a table: a function is used as a value" });
  const memory = module.memories[0];
  if (module.memories.length !== 1 || memory?.maximum !== memory?.minimum) {
    found.push({ rule: "memory", what: "there must be one memory of a fixed size" });
  }
  for (const global of module.globals) {
    if (global.isMutable && !MUTABLE_GLOBALS_ALLOWED.includes(global.name)) {
      found.push({ rule: "globals", what: `${global.name} is a variable: cores share it without a lock` });
    } else if (global.type < 0x7e) found.push({ rule: "floats", what: `${global.name} is not an integer` });
  }
  for (const fn of module.functions) {
    for (const oddity of fn.oddities) {
      found.push(inFunction(fn, ruleOf(oddity), `${fn.name} has ${oddity}`));
    }
    if (RUNTIME_FUNCTIONS.test(fn.name))
      found.push(inFunction(fn, "heap", `${fn.name} is there: something allocates`));
  }
  for (const cycle of cycles(module)) {
    found.push({ rule: "recursion", what: `calls go round in a circle: ${cycle.join(" → ")}` });
  }
  return found;
}

function ruleOf(oddity: string): string {
  if (oddity === "memory.grow") return "memory";
  if (oddity === "call_indirect" || oddity === "a table access") return "tables";
  return oddity === "floating point" ? "floats" : "instructions";
}

/** Throws what a user can read; returns the module, read. */
export function passGate(bytes: Uint8Array): WasmModule {
  const module = readWasm(bytes);
  const found = refusals(module);
  if (found.length === 0) return module;
  const lines = found.flatMap(({ rule, what, chain }) => [
    `  ${rule}: ${what}`,
    ...(chain === undefined || chain.length < 2 ? [] : [`    called by ${chain.join(" → ")}`]),
  ]);
  throw new UserError(
    "firmware-refused",
    ["the built monitor contains what firmware may not:", ...lines].join("\n"),
    "host/toolchain/wasm-gate.ts has the rules",
  );
}

/** The shortest chain of names to every function that an export (or the start function) reaches. */
export function chainsFromExports(module: WasmModule): Map<number, string[]> {
  const roots = module.exports.filter(({ kind }) => kind === KIND.function).map(({ index }) => index);
  if (module.startIndex !== undefined) roots.push(module.startIndex);
  const chains = new Map(roots.map((index) => [index, [module.functions[index]!.name]]));
  const queue = [...chains.keys()];
  for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
    for (const callee of module.functions[index]!.calls) {
      if (chains.has(callee)) continue;
      chains.set(callee, [...chains.get(index)!, module.functions[callee]!.name]);
      queue.push(callee);
    }
  }
  return chains;
}

/** One cycle for each function that closes one, by depth-first search. */
function cycles(module: WasmModule): string[][] {
  const done = new Set<number>();
  const path: number[] = [];
  const found: string[][] = [];
  const visit = (index: number): void => {
    const at = path.indexOf(index);
    if (at >= 0) {
      found.push([...path.slice(at), index].map((member) => module.functions[member]!.name));
      return;
    }
    if (done.has(index)) return;
    path.push(index);
    for (const callee of new Set(module.functions[index]!.calls)) visit(callee);
    path.pop();
    done.add(index);
  };
  for (const fn of module.functions) visit(fn.index);
  return found;
}
