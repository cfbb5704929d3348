// Processes that outlive the command that started them: known by pid *and* start time, so that a number that
// the kernel has given to another process meanwhile is never signalled.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot, as in /proc/PID/stat. */
  readonly startTicks: number;
  /** A pid means nothing after a reboot. */
  readonly bootId: string;
}

export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid);
  if (fields === undefined) return undefined;
  return { pid, startTicks: Number(fields[START_TIME]), bootId: bootId() };
}

export function isRunning(process: ProcessIdentity): boolean {
  const fields = statFields(process.pid);
  if (fields === undefined || process.bootId !== bootId()) return false;
  return Number(fields[START_TIME]) === process.startTicks && fields[STATE] !== "Z";
}

/** Asks, waits, then insists. Returns when the process is gone. */
export async function endProcess(target: ProcessIdentity, graceMs = 3000): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (!isRunning(target)) return;
    sendSignal(target, signal);
    const deadline = Date.now() + graceMs;
    while (isRunning(target) && Date.now() < deadline) await sleep(20);
  }
}

export function sendSignal(target: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning(target)) return;
  try {
    process.kill(target.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

// Positions in /proc/PID/stat behind the command name, which is in brackets and may hold anything.
const STATE = 0;
const START_TIME = 19;

function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}
