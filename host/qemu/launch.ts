// Starts QEMU and notices its death. Attached: it dies with us, however we end. Detached: it goes on.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../errors.ts";
import { QEMU_BINARY, quoteCommand } from "./command-line.ts";
import { identifyProcess, isRunning, type ProcessIdentity } from "./process.ts";

export type Lifetime = "attached" | "detached";

export const QEMU_ERROR_LOG = "qemu.log";

/** Returns when QEMU has survived its own start, that is when `isReady` says so. */
export async function launchQemu(
  words: readonly string[],
  folder: string,
  lifetime: Lifetime,
  isReady: () => Promise<boolean>,
  onSpawn: (identity: ProcessIdentity) => void = () => undefined,
): Promise<ProcessIdentity> {
  const child = spawnQemu(words, folder, lifetime);
  const identity = await identityOf(child);
  onSpawn(identity);
  const deadline = Date.now() + 20_000;
  while (!(await isReady())) {
    if (child.exitCode !== null || child.signalCode !== null || !isRunning(identity))
      throw diedError(folder, words);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw diedError(folder, words, "did not come up within 20 s");
    }
    await sleep(20);
  }
  return identity;
}

/** Rejects as soon as the process is gone, until the signal fires. Keeps nobody from ending. */
export async function watchDeath(
  identity: ProcessIdentity,
  folder: string,
  signal: AbortSignal,
): Promise<never> {
  while (isRunning(identity) && !signal.aborted) {
    await sleep(200, undefined, { signal, ref: false }).catch(() => undefined);
  }
  if (signal.aborted) return new Promise<never>(() => undefined);
  throw diedError(folder);
}

export function diedError(folder: string, words?: readonly string[], what = "has died"): UserError {
  const log = join(folder, QEMU_ERROR_LOG);
  const lastLines = tail(log, 20);
  const details = [`QEMU ${what}`, lastLines === "" ? "it said nothing" : lastLines];
  if (words !== undefined) details.push(`command: ${quoteCommand([QEMU_BINARY, ...words])}`);
  return new UserError(
    "qemu-died",
    details.join("\n"),
    `its log is ${log}; the machine's other logs lie beside it`,
  );
}

export function tail(path: string, lineCount: number): string {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n").slice(-lineCount).join("\n");
  } catch {
    return "";
  }
}

function spawnQemu(words: readonly string[], folder: string, lifetime: Lifetime): ChildProcess {
  const log = openSync(join(folder, QEMU_ERROR_LOG), "w");
  // Attached: the kernel kills it when we die, even of SIGKILL.
  const prefix = lifetime === "attached" ? ["setpriv", "--pdeathsig", "KILL", "--"] : [];
  const [program, ...rest] = [...prefix, QEMU_BINARY, ...words];
  try {
    // A session of its own: a closed terminal does not end it, and Ctrl-C comes to us, who end it in order.
    const child = spawn(program!, rest, { cwd: folder, detached: true, stdio: ["ignore", log, log] });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

async function identityOf(child: ChildProcess): Promise<ProcessIdentity> {
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "ENOENT"
          ? new UserError(
              "qemu-missing",
              `${QEMU_BINARY} is not installed`,
              "run `vtz doctor` to see what is missing",
            )
          : error,
      );
    });
  });
  const identity = identifyProcess(child.pid!);
  if (identity === undefined) throw new UserError("qemu-died", "QEMU ended at once");
  return identity;
}
