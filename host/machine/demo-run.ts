// The main job, from start to table: a machine, its guests with a TEE each, xtest in all of them at once.

import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TeeName } from "../../el1/tees/profiles.ts";
import { Evidence } from "../evidence/evidence.ts";
import { endProcess } from "../qemu/process.ts";
import { Machine } from "./machine.ts";
import { describeProtection, protectionOf, protectionProblem } from "./protection.ts";
import { machineFolder } from "./state.ts";
import type { ProtectionStatus } from "./status.ts";
import { QUICK_CASES, type TrialResult, tryGuest } from "./trial.ts";

export interface DemoOptions {
  readonly tee: TeeName;
  readonly guestCount: number;
  readonly isFull: boolean;
  readonly cases?: readonly string[];
  readonly memoryMib: number;
  readonly timeoutMs: number;
  readonly evidenceFolder: string;
  readonly onProgress: (line: string) => void;
  /** What to undo on a signal; the answer takes it back. */
  readonly onSignal: (cleanup: () => Promise<void>) => () => void;
}

export interface DemoRow {
  readonly guest: string;
  readonly vcpuCount: number;
  readonly tee: string;
  readonly teeVersion?: string;
  readonly subtests?: number;
  readonly failed?: number;
  readonly cases?: number;
  readonly switches?: number;
  readonly seconds?: number;
  readonly problem?: string;
}

export interface DemoResult {
  readonly passed: boolean;
  readonly rows: readonly DemoRow[];
  /** Absent if the hypervisor was never deprivileged. */
  readonly protection?: ProtectionStatus;
  /** What is wrong with the machine as a whole. */
  readonly problem?: string;
  readonly seconds: number;
  readonly qemuPeakMib: number;
  readonly evidence: string;
}

/** Subtests of the whole default suite on native TrustZone, and how many fewer may run under a hypervisor. */
const NATIVE_SUBTESTS: Record<TeeName, number> = { "optee-4.5": 39397, "optee-4.10": 41354 };
const MEDIATED_FEWER = 64;
/** xtest's longest quiet stretch is under a minute; on a host that does other things, a few. */
const SILENCE_MS = 300_000;

export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const start = performance.now();
  await Machine.sweep();
  const evidence = await Evidence.create(options.evidenceFolder);
  const name = `demo-${process.pid}`;
  // Undone in the reverse order: QEMU is ended first, its folder goes last.
  const forget = [options.onSignal(() => Machine.discard(name))];
  const machine = await Machine.start({
    name,
    tee: options.tee,
    lifetime: "attached",
    guestTeeCount: Math.max(2, options.guestCount),
    onProgress: options.onProgress,
    onLaunch: (qemu) => forget.push(options.onSignal(() => endProcess(qemu))),
  }).catch(async (error: unknown) => {
    await evidence.keepFailedStart(machineFolder(name)).catch(() => undefined);
    await Machine.remove(name);
    throw error;
  });
  // On a signal too, what is known until then is kept.
  forget.push(
    options.onSignal(async () => {
      await evidence.keepEnd(machine).catch(() => undefined);
      await Machine.remove(name);
    }),
  );
  let rows: DemoRow[];
  let protection: ProtectionStatus | undefined;
  let qemuPeakMib = 0;
  try {
    const atStart = await protectionOf(machine);
    if (atStart !== undefined) options.onProgress(describeProtection(atStart));
    const { command } = machine.state;
    const loaded = command.flatMap((word) => /^loader,file=([^,]+)/.exec(word)?.[1] ?? []);
    await evidence.keepStart(
      machine,
      [...loaded, "flash.bin"].map((path) => (path.startsWith("/") ? path : join(machine.folder, path))),
    );
    rows = await guestRows(machine, evidence, options);
    protection = await protectionOf(machine);
    qemuPeakMib = await peakMib(machine.state.process.pid);
  } finally {
    await evidence.keepEnd(machine).catch(() => undefined);
    await machine.close();
    await Machine.remove(name);
    for (const undo of forget) undo();
  }
  const problem = protectionProblem(protection);
  const passed = problem === undefined && rows.every((row) => row.problem === undefined);
  const seconds = (performance.now() - start) / 1000;
  const result = {
    passed,
    rows,
    ...(protection === undefined ? {} : { protection }),
    ...(problem === undefined ? {} : { problem }),
    seconds,
    qemuPeakMib,
    evidence: evidence.folder,
  };
  await evidence.writeJson("result.json", result);
  return result;
}

async function guestRows(machine: Machine, evidence: Evidence, options: DemoOptions): Promise<DemoRow[]> {
  const { guestCount, memoryMib, onProgress } = options;
  const specs = Array.from({ length: guestCount }, (_, index) => ({
    name: `guest${index + 1}`,
    vcpuCount: index === 0 ? 2 : 1,
    memoryMib,
  }));
  for (const spec of specs) {
    onProgress(`creating ${spec.name} with ${spec.vcpuCount} vCPU${spec.vcpuCount === 1 ? "" : "s"}`);
    await machine.createGuest(spec);
  }
  await Promise.all(specs.map(({ name }) => machine.waitForGuest(name)));
  onProgress("all guests are up");
  const trials = await Promise.all(specs.map(({ name }) => trial(machine, name, evidence, options)));
  const { guests } = await machine.describe();
  return trials.map(({ guest, result, problem }) => {
    const { vcpuCount, tee } = guests.find(({ name }) => name === guest)!;
    const row = {
      guest,
      vcpuCount,
      tee: options.tee,
      ...(tee === undefined ? {} : { switches: tee.switches }),
    };
    if (result === undefined) return { ...row, problem: problem! };
    const { teeVersion, seconds, xtest } = result;
    const shown = {
      teeVersion,
      subtests: xtest.subtestCount,
      failed: xtest.subtestFailures,
      cases: xtest.caseCount,
      seconds: Math.round(seconds),
    };
    const wrong = judge(result, options);
    return { ...row, ...shown, ...(wrong === undefined ? {} : { problem: wrong }) };
  });
}

interface Trial {
  readonly guest: string;
  readonly result?: TrialResult;
  readonly problem?: string;
}

async function trial(
  machine: Machine,
  guest: string,
  evidence: Evidence,
  options: DemoOptions,
): Promise<Trial> {
  const output = createWriteStream(join(evidence.folder, `xtest-${guest}.log`));
  try {
    const cases = options.cases ?? (options.isFull ? undefined : QUICK_CASES);
    const result = await tryGuest(machine, guest, {
      ...(cases === undefined ? {} : { cases }),
      timeoutMs: options.timeoutMs,
      silenceMs: SILENCE_MS,
      onProgress: options.onProgress,
      onOutput: (bytes) => output.write(bytes),
    });
    return { guest, result };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // The guest's name stands before it wherever it is shown.
    const problem = message.replace(`${guest}: `, "");
    options.onProgress(`${guest}: ${problem}`);
    return { guest, problem };
  } finally {
    output.end();
  }
}

function judge({ xtest }: TrialResult, { isFull, tee }: DemoOptions): string | undefined {
  const bad = xtest.cases.filter(({ passed }) => !passed).map(({ name }) => name);
  if (xtest.subtestFailures > 0 || bad.length > 0)
    return `${xtest.subtestFailures} subtests failed: ${bad.join(" ")}`;
  if (xtest.subtestCount === 0) return "xtest ran no subtest";
  const expected = NATIVE_SUBTESTS[tee] - MEDIATED_FEWER;
  if (isFull && xtest.subtestCount < expected)
    return `only ${xtest.subtestCount} subtests ran, ${expected} expected`;
  return undefined;
}

async function peakMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Math.round(Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024);
}
