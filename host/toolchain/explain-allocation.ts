// AssemblyScript names the hook that allocates, not who called it. Compiled once more with a runtime that has a heap,
// the module's call graph says who.

import { readFile } from "node:fs/promises";
import { ascCommand } from "./compile-wasm.ts";
import type { FirmwareSources } from "./layout.ts";
import { runTool } from "./run-tool.ts";
import { chainsFromExports } from "./wasm-gate.ts";
import { readWasm } from "./wasm-reader.ts";

const ALLOCATORS = /^~lib\/rt\/stub\/__(new|alloc|renew|realloc)$/;

/** The chains of calls, as lines; empty where the module says nothing. */
export async function allocationChains(
  sources: Pick<FirmwareSources, "root" | "entry" | "runtime">,
  scratchFile: string,
): Promise<string[]> {
  try {
    const args = ["-O0", "--noAssert", "--debug", "--runtime", "stub", "--outFile", scratchFile];
    await runTool({
      ...ascCommand(sources, args),
      doing: "looking for the allocation",
      logFile: `${scratchFile}.log`,
    });
    const module = readWasm(await readFile(scratchFile));
    const chains = [...chainsFromExports(module).values()];
    return chains
      .filter((chain) => ALLOCATORS.test(chain.at(-1)!))
      .map((chain) => `  allocated by ${chain.slice(0, -1).join(" → ")}`);
  } catch {
    // The first error is the one to show.
    return [];
  }
}
