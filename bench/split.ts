// Where the instructions of one fast SMC go: by exception level in order, and by function of the monitor.

import { join } from "node:path";
import { projectFolder } from "../host/paths.ts";
import { runTool } from "../host/toolchain/run-tool.ts";
import { type Level, PROBE_RANGE, runsOf } from "./levels.ts";

export interface Split {
  /** Runs of one level in the order of execution. */
  readonly runs: readonly {
    readonly level: Level;
    readonly instructions: number;
    readonly functions?: FunctionCount[];
  }[];
  /** How many of the logged calls took exactly this way. */
  readonly sameCount: number;
  readonly callCount: number;
}

export interface FunctionCount {
  readonly name: string;
  readonly instructions: number;
}

/** The way that most calls took. */
export function commonWay(calls: readonly (readonly number[])[]): {
  way: readonly number[];
  sameCount: number;
} {
  const counts = new Map<string, { way: readonly number[]; sameCount: number }>();
  for (const way of calls) {
    const key = way.join(" ");
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { way, sameCount: 1 });
    else known.sameCount++;
  }
  const [first] = [...counts.values()].sort((a, b) => b.sameCount - a.sameCount);
  if (first === undefined) throw new Error("the execution log has no call of the probe");
  return first;
}

export async function splitCalls(calls: readonly (readonly number[])[], monitorElf: string): Promise<Split> {
  const { way, sameCount } = commonWay(calls);
  const runs = runsOf(way, PROBE_RANGE);
  const names = await functionNames(
    monitorElf,
    runs.flatMap(({ level, addresses }) => (level === "EL3" ? addresses : [])),
  );
  return {
    runs: runs.map(({ level, addresses }) => ({
      level,
      instructions: addresses.length,
      ...(level === "EL3" ? { functions: countNames(addresses, names) } : {}),
    })),
    sameCount,
    callCount: calls.length,
  };
}

function countNames(addresses: readonly number[], names: ReadonlyMap<number, string>): FunctionCount[] {
  const counts = new Map<string, number>();
  for (const va of addresses) {
    const name = names.get(va) ?? "?";
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .map(([name, instructions]) => ({ name, instructions }))
    .sort((a, b) => b.instructions - a.instructions);
}

interface Symbolized {
  readonly Address: string;
  readonly Symbol: readonly { readonly FunctionName: string }[];
}

/** The function of the monitor's source, however much was inlined; loads, stores and register accesses count to their user. */
async function functionNames(elf: string, addresses: readonly number[]): Promise<Map<number, string>> {
  const unique = [...new Set(addresses)].map((va) => `0x${va.toString(16)}`);
  const text = await runTool({
    doing: "reading the monitor's line table",
    command: "llvm-symbolizer-19",
    debianPackage: "llvm-19",
    args: [`--obj=${elf}`, "--inlines", "--functions=linkage", "--output-style=JSON", ...unique],
    cwd: projectFolder,
    logFile: join(projectFolder, "build", "bench", "logs", "symbolizer.log"),
  });
  const rows = text
    .trim()
    .split("\n")
    .flatMap((line) => JSON.parse(line) as Symbolized | Symbolized[]);
  return new Map(rows.map((row) => [Number(row.Address), sourceName(row.Symbol)]));
}

function sourceName(chain: Symbolized["Symbol"]): string {
  const names = chain.map(({ FunctionName }) => FunctionName);
  const isHelper = (name: string) => /^(i32|i64)_|^linear|^w2c_hw_(read|write)/.test(name);
  const name = names.find((candidate) => !isHelper(candidate)) ?? names[0] ?? "?";
  return name
    .replace(/^w2c_monitor_(\w+?)__/, "$1/")
    .replaceAll("__", "/")
    .replace(/^w2c_hw_/, "");
}
