// A firmware that runs by itself on QEMU's `virt` machine, and what it says on the secure UART.

import { spawn } from "node:child_process";
import { copyFileSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const TIMEOUT_MS = 60_000;
const FLASH_SIZE = 64 << 20;

export interface BareRun {
  /** The contents of secure flash. */
  readonly bin: string;
  /** Where files may be made. */
  readonly folder: string;
  /** The run is over when the UART says this. */
  readonly end: RegExp;
  readonly coreCount: number;
  readonly memoryMib: number;
  /** One instruction is one nanosecond. */
  readonly isCounting?: boolean;
}

export async function secureConsole({ bin, folder, end, ...run }: BareRun): Promise<string> {
  const flash = join(folder, "flash.bin");
  const log = join(folder, "secure.log");
  copyFileSync(bin, flash);
  truncateSync(flash, FLASH_SIZE);
  const threads = run.isCounting === true ? "thread=single" : "thread=multi";
  const qemu = spawn(
    "qemu-system-aarch64",
    [
      ...["-M", "virt,secure=on,virtualization=on,gic-version=3", "-cpu", "cortex-a57"],
      ...["-smp", String(run.coreCount), "-m", String(run.memoryMib)],
      ...["-accel", `tcg,${threads},tb-size=32`, ...(run.isCounting === true ? ["-icount", "shift=0"] : [])],
      ...["-nographic", "-nodefaults", "-net", "none", "-bios", flash],
      ...["-serial", "null", "-serial", `file:${log}`],
    ],
    { stdio: "ignore" },
  );
  try {
    for (let waited = 0; waited < TIMEOUT_MS && qemu.exitCode === null; waited += 50) {
      await sleep(50);
      const text = readText(log);
      if (end.test(text)) return text;
    }
    return readText(log);
  } finally {
    qemu.kill("SIGKILL");
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
