// AssemblyScript → WebAssembly, with our own runtime that has no heap.

import { join } from "node:path";
import { UserError } from "../errors.ts";
import { allocationChains } from "./explain-allocation.ts";
import type { FirmwareSources } from "./layout.ts";
import { LINEAR_MEMORY_BASE, LINEAR_MEMORY_PAGES } from "./layout.ts";
import { runTool, type ToolRun } from "./run-tool.ts";

/** A module's linear memory: its size in wasm's pages of 64 KiB, and the first address that static data gets. */
export interface LinearMemory {
  readonly pages: number;
  readonly base: number;
}

const MONITOR_MEMORY: LinearMemory = { pages: LINEAR_MEMORY_PAGES, base: LINEAR_MEMORY_BASE };

export async function compileWasm(
  sources: Pick<FirmwareSources, "root" | "entry" | "runtime">,
  wasmFile: string,
  logFile: string,
  memory = MONITOR_MEMORY,
): Promise<void> {
  const args = [
    ...["--outFile", wasmFile, "--textFile", wasmFile.replace(/wasm$/, "wat")],
    ...["-O3", "--noAssert", "--debug", "--runtime", sources.runtime],
    ...["--initialMemory", String(memory.pages), "--maximumMemory", String(memory.pages)],
    ...["--memoryBase", String(memory.base)],
  ];
  try {
    await runTool({ ...ascCommand(sources, args), doing: `compiling ${sources.entry}`, logFile });
  } catch (error) {
    if (!(error instanceof UserError) || !error.message.includes("firmware has no heap")) throw error;
    const chains = await allocationChains(sources, `${wasmFile}.heap`);
    throw new UserError(error.code, [error.message, ...chains].join("\n"), error.hint, error);
  }
}

export function ascCommand(
  sources: Pick<FirmwareSources, "root" | "entry">,
  args: readonly string[],
): Pick<ToolRun, "command" | "args" | "cwd"> {
  const asc = join(sources.root, "node_modules/assemblyscript/bin/asc.js");
  return { command: process.execPath, args: [asc, sources.entry, ...args], cwd: sources.root };
}
