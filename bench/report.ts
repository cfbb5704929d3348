// The figures as tables, beside those of native TrustZone (native.json).

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { table } from "../host/cli/table.ts";
import { projectFolder } from "../host/paths.ts";
import type { BenchResult } from "./bench.ts";
import type { Sample } from "./samples.ts";
import type { Split } from "./split.ts";

/** The column of native.json with OP-TEE's own virtualisation under Xen. */
const PEER = "xen";

interface NativeFigures {
  readonly source: string;
  /** Of the kernel's SMC wrapper and the loop, in every native figure of an SMC. */
  readonly wrapperInstructions: number;
  readonly figures: Record<string, Record<string, number>>;
  readonly callsUidSplit: Record<string, { el3In: number; sEl1: number; el3Out: number }>;
}

export async function readNative(): Promise<NativeFigures> {
  return JSON.parse(await readFile(join(projectFolder, "bench", "native.json"), "utf8")) as NativeFigures;
}

export function report(result: BenchResult, native: NativeFigures): string {
  const { wrapperInstructions } = native;
  const { probeTurnInstructions } = result;
  return [
    `Instructions of a fast SMC from EL1 in a guest, ${result.tee} (median of batches)`,
    "",
    smcTable(result, native),
    "",
    `measured: with the probe's loop of ${probeTurnInstructions}. comparable: with ${wrapperInstructions} in its place, as the native figures have them.`,
    "mean: with what other domains of the one core did meanwhile.",
    "PSCI and SMCCC calls are answered by the hypervisor here, by firmware natively.",
    "",
    "Where the instructions of CALLS_UID go",
    "",
    splitTable(result.split, native.callsUidSplit[result.tee]),
    "",
    `${result.split.sameCount} of ${result.split.callCount} logged calls took exactly this way.`,
    ...(result.invokes.length === 0 ? [] : ["", ...invokeLines(result, native)]),
    "",
    `native: ${native.source}`,
  ].join("\n");
}

/** The figure that compares with native ones. */
export function comparable(sample: Sample, probeTurn: number, wrapper: number): number {
  return Math.round(sample.median - probeTurn + wrapper);
}

function smcTable({ smcs, tee, probeTurnInstructions }: BenchResult, native: NativeFigures): string {
  const rows = smcs.map((sample) => {
    const figure = comparable(sample, probeTurnInstructions, native.wrapperInstructions);
    const known = native.figures[sample.name];
    return [
      sample.name,
      sample.median.toFixed(1),
      sample.mean.toFixed(0),
      String(figure),
      ...against(figure, known?.[tee]),
      cell(known?.[PEER]),
    ];
  });
  return table([
    ["FUNCTION", "MEASURED", "MEAN", "COMPARABLE", "NATIVE", "RATIO", "PEER (OP-TEE 4.5 UNDER XEN)"],
    ...rows,
  ]);
}

function splitTable(
  { runs }: Split,
  native: { el3In: number; sEl1: number; el3Out: number } | undefined,
): string {
  const natively = native === undefined ? [] : [native.el3In, native.sEl1, native.el3Out];
  const rows = runs.flatMap(({ level, instructions, functions = [] }, index) => [
    [level, String(instructions), cell(natively[index])],
    ...functions.map(({ name, instructions: count }) => [`  ${name}`, `  ${count}`]),
  ]);
  return table([["LEVEL", "INSTRUCTIONS", "NATIVE"], ...rows]);
}

function levelLines({ invokeLevels }: BenchResult): string[] {
  const rows = Object.entries(invokeLevels).map(([name, { total, instructions, el3Entries }]) => [
    name,
    String(total),
    String(instructions.program),
    String(instructions.EL1),
    String(instructions.EL2),
    String(instructions.EL3),
    String(instructions["S world"]),
    String(el3Entries),
  ]);
  return [
    "",
    "Where the instructions of an invoke go (one of middle length; two entries into EL3 are the switch, the others are the TEE's)",
    "",
    table([["CALL", "ALL", "PROGRAM", "LINUX", "EL2", "EL3", "TEE AND TA", "ENTRIES INTO EL3"], ...rows]),
    "",
    "Invokes other than TA_INVOKE_SILENT fail on purpose, as the native ones did: OP-TEE's debug build prints a line for each,",
    "and every character is two accesses of an emulated UART.",
  ];
}

function invokeLines(result: BenchResult, native: NativeFigures): string[] {
  const { invokes, tee, guest } = result;
  const rows = invokes.map((sample) => {
    const known = native.figures[sample.name];
    return [
      sample.name,
      sample.median.toFixed(0),
      sample.min.toFixed(0),
      ...against(sample.median, known?.[tee]),
      cell(known?.[PEER]),
    ];
  });
  const counted =
    guest === undefined
      ? []
      : [
          "",
          `The monitor counted for this guest: ${guest.switches} world switches by a call, ${guest.foreignInterrupts} foreign interrupts, ` +
            `${guest.timerInterrupts} timer interrupts, ${guest.preemptions} preemptions, ${guest.exits} other exits.`,
        ];
  return [
    "Instructions of a TEE call from Linux user space in a guest",
    "",
    table([["CALL", "MEDIAN", "MIN", "NATIVE", "RATIO", "PEER (OP-TEE 4.5 UNDER XEN)"], ...rows]),
    ...levelLines(result),
    ...counted,
  ];
}

function against(figure: number, native: number | undefined): string[] {
  return native === undefined ? ["-", "-"] : [String(native), (figure / native).toFixed(3)];
}

function cell(value: number | undefined): string {
  return value === undefined ? "-" : String(value);
}
