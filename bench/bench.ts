// The figures of the world switch, taken on the real stack: hardened Xen, dom0, a guest with a TEE of its own. One core, virtual time by
// executed instructions.

import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TeeName } from "../el1/tees/profiles.ts";
import { Machine } from "../host/machine/machine.ts";
import type { GuestStatus } from "../host/machine/status.ts";
import type { ProcessIdentity } from "../host/qemu/process.ts";
import { buildFirmware } from "../host/toolchain/build-firmware.ts";
import { callsInLog, logExecution } from "./execution-log.ts";
import { type InvokeFigures, measureInvokes } from "./invokes.ts";
import type { LevelTotals } from "./levels.ts";
import { CALLER, PROBE_TURN_INSTRUCTIONS, Probe } from "./probe.ts";
import { buildProbe, type ProbeImage, readSymbol } from "./programs.ts";
import type { Sample } from "./samples.ts";
import { type Split, splitCalls } from "./split.ts";

export interface BenchOptions {
  readonly tee: TeeName;
  /** False: fast SMCs only, no guest with Linux. */
  readonly hasInvokes: boolean;
  readonly onProgress: (line: string) => void;
  readonly onLaunch?: (process: ProcessIdentity) => void;
  /** Gets the machine's name, to end it on a signal. */
  readonly onStart?: (name: string) => void;
}

export interface BenchResult {
  readonly tee: TeeName;
  /** Of the probe's loop, the SMC among them: in every figure of `smcs`. */
  readonly probeTurnInstructions: number;
  readonly smcs: readonly Sample[];
  /** Of CALLS_UID. */
  readonly split: Split;
  readonly invokes: readonly Sample[];
  /** Of some of `invokes`, by level. */
  readonly invokeLevels: Readonly<Record<string, LevelTotals>>;
  /** What the monitor counted for the guest with Linux, from its boot to the last invoke. */
  readonly guest?: GuestStatus;
}

const BOOT_TIMEOUT_MS = 300_000;
const NO_INVOKES: InvokeFigures = { invokes: [], invokeLevels: {} };

export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const { tee, onProgress } = options;
  const name = `bench-${process.pid}`;
  const image = await buildProbe();
  const machine = await Machine.start({
    name,
    tee,
    lifetime: "attached",
    coreCount: 1,
    guestTeeCount: 2,
    isCounting: true,
    bootTimeoutMs: BOOT_TIMEOUT_MS,
    onProgress,
    ...(options.onLaunch === undefined ? {} : { onLaunch: options.onLaunch }),
  });
  options.onStart?.(name);
  try {
    const elf = await keepMonitor(machine);
    const { smcs, split } = await measureSmcs(machine, image, elf, onProgress);
    const invokes = options.hasInvokes ? await measureInvokes(machine, onProgress) : NO_INVOKES;
    return { tee, probeTurnInstructions: PROBE_TURN_INSTRUCTIONS, smcs, split, ...invokes };
  } finally {
    await machine.close();
    await Machine.remove(name);
  }
}

/** The monitor that this machine runs, however often it is built meanwhile. */
async function keepMonitor(machine: Machine): Promise<string> {
  const { elf, bin } = await buildFirmware();
  const copy = join(machine.folder, "monitor.elf");
  await copyFile(elf, copy);
  const [built, flash] = await Promise.all([readFile(bin), readFile(join(machine.folder, "flash.bin"))]);
  if (!built.equals(flash.subarray(0, built.length)))
    throw new Error("the monitor's source changed while the machine started");
  return copy;
}

async function measureSmcs(
  machine: Machine,
  image: ProbeImage,
  monitorElf: string,
  onProgress: (line: string) => void,
): Promise<{ smcs: Sample[]; split: Split }> {
  onProgress("starting the probe guest");
  const probe = await Probe.start(machine, image, CALLER);
  let smcs: Sample[];
  let log: string;
  try {
    onProgress("timing fast SMCs");
    smcs = await probe.measure();
    onProgress("logging every instruction of some of them");
    log = await logExecution(machine, () => probe.profile());
    await probe.end();
  } finally {
    probe.close();
  }
  const calls = await callsInLog(log, await readSymbol(image.elf, "measure_smc_call"));
  return { smcs, split: await splitCalls(calls, monitorElf) };
}
