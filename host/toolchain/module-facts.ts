// What the rest of the build takes from the wasm: its interface, and the values of exported constants, which are
// structure offsets that the assembly needs.

import { UserError } from "../errors.ts";
import { KIND, type WasmModule } from "./wasm-reader.ts";

export interface ModuleFacts {
  imports: string[];
  functions: string[];
  constants: Map<string, number>;
}

export function moduleFacts(module: WasmModule): ModuleFacts {
  const constants = new Map<string, number>();
  for (const { name, kind, index } of module.exports) {
    if (kind !== KIND.global) continue;
    const { value } = module.globals[index]!;
    if (value === undefined)
      throw new UserError("constant-computed", `the exported ${name} is not a constant`);
    constants.set(name, Number(BigInt.asUintN(32, value)));
  }
  return {
    imports: module.imports.map(({ name }) => name).sort(),
    functions: module.exports.filter(({ kind }) => kind === KIND.function).map(({ name }) => name),
    constants,
  };
}

/** `#define`s for the assembly. */
export function offsetsHeader(constants: ReadonlyMap<string, number>): string {
  const lines = [...constants].map(([name, value]) => `#define ${name} ${value}`);
  return ["/* Exported constants of the monitor, made by host/toolchain. */", ...lines, ""].join("\n");
}

/** The module's interface as text: a new import is a line in a review. */
export function interfaceText(facts: ModuleFacts): string {
  return [
    "# What the monitor can do (imports) and what the vectors call (exports); written by `vtz build`.",
    ...facts.imports.map((name) => `import hw.${name}`),
    ...facts.functions.map((name) => `export ${name}`),
    ...[...facts.constants.keys()].sort().map((name) => `constant ${name}`),
    "",
  ].join("\n");
}
