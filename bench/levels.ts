// Which exception level an address belongs to. Addresses are virtual: the levels' ranges happen to be apart.

export type Level = "EL3" | "EL2" | "EL1" | "S world" | "program";

/** Where the measuring program lies; in another run there may be a TA. */
export interface ProgramRange {
  readonly startVa: number;
  readonly endVa: number;
}

/** The probe guest, by its linker script. */
export const PROBE_RANGE: ProgramRange = { startVa: 0x4000_0000, endVa: 0x4000_4000 };
/** `invoke`, where lld puts a static program. */
export const INVOKE_RANGE: ProgramRange = { startVa: 0x20_0000, endVa: 0x23_0000 };

const MONITOR_END = 0x10_0000;
/** Debian's Xen links itself to this region of its own address space. */
const XEN_START = 0xa00_0000_0000;
const XEN_END = 0xb00_0000_0000;
/** Linux, and what the monitor itself maps for EL2 while a TEE runs (trapping-vectors.ts). */
const KERNEL_START = 2 ** 64 - 2 ** 48;
const TRAPPING_VECTORS_START = 0xff80_0000_0000;
const TRAPPING_VECTORS_END = 0xff80_0000_1000;

export function levelOf(va: number, program: ProgramRange): Level {
  if (va < MONITOR_END) return "EL3";
  if (va >= program.startVa && va < program.endVa) return "program";
  if (va >= KERNEL_START) return "EL1";
  const isTrap = va >= TRAPPING_VECTORS_START && va < TRAPPING_VECTORS_END;
  return isTrap || (va >= XEN_START && va < XEN_END) ? "EL2" : "S world";
}

export interface Run {
  readonly level: Level;
  readonly addresses: readonly number[];
}

/** A way as runs of one level each. */
export function runsOf(way: readonly number[], program: ProgramRange): Run[] {
  const runs: { level: Level; addresses: number[] }[] = [];
  for (const va of way) {
    const level = levelOf(va, program);
    if (runs.at(-1)?.level !== level) runs.push({ level, addresses: [] });
    runs.at(-1)!.addresses.push(va);
  }
  return runs;
}

export interface LevelTotals {
  readonly total: number;
  readonly instructions: Readonly<Record<Level, number>>;
  /** How often EL3 was entered. */
  readonly el3Entries: number;
  readonly callCount: number;
}

/** Of the call of middle length: others were interrupted, or warm up. */
export function levelTotals(calls: readonly (readonly number[])[], program: ProgramRange): LevelTotals {
  const way = calls.toSorted((a, b) => a.length - b.length)[calls.length >> 1];
  if (way === undefined) throw new Error("the execution log has no whole call");
  const instructions = { EL3: 0, EL2: 0, EL1: 0, "S world": 0, program: 0 };
  const runs = runsOf(way, program);
  for (const { level, addresses } of runs) instructions[level] += addresses.length;
  return {
    total: way.length,
    instructions,
    el3Entries: runs.filter(({ level }) => level === "EL3").length,
    callCount: calls.length,
  };
}
