// One at a time over several processes: a file that names the process that holds it. A holder that died is
// noticed by its process id and start time, so a killed run never blocks the next one.

import { link, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { explainFileError, UserError } from "./errors.ts";
import { makeFolder } from "./make-folder.ts";

const POLL_MS = 50;
const UNREADABLE_GRACE_MS = 2000;

export interface LockOptions {
  /** How long to wait for another process; 0 fails at once. */
  waitMs?: number;
  /** What the other process would be doing, for the message. */
  doing?: string;
  onWait?: () => void;
}

export async function withLock<T>(
  path: string,
  body: () => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  await acquire(path, options);
  try {
    return await body();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string, options: LockOptions): Promise<void> {
  await makeFolder(dirname(path)).catch((error) => {
    throw explainFileError(error, "making a folder of vtz's own");
  });
  const deadline = Date.now() + (options.waitMs ?? 600_000);
  let told = false;
  while (!(await tryAcquire(path))) {
    const holder = await readHolder(path);
    if (holder === "dead") {
      await removeStale(path);
      continue;
    }
    if (Date.now() >= deadline) {
      const who = holder === "unknown" ? "another process" : `process ${holder}`;
      throw new UserError(
        "locked",
        `${who} is ${options.doing ?? "at work here"} (${path})`,
        "wait for it, or end it",
      );
    }
    if (!told) options.onWait?.();
    told = true;
    await sleep(POLL_MS);
  }
}

async function tryAcquire(path: string): Promise<boolean> {
  try {
    await writeFile(path, `${process.pid} ${await startTime(process.pid)}\n`, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<number | "dead" | "unknown"> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return "unknown"; // just released
  const [pid, started] = text.trim().split(" ");
  if (pid === undefined || started === undefined) {
    // Created but not yet written, unless its creator died between the two.
    const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
    return age > UNREADABLE_GRACE_MS ? "dead" : "unknown";
  }
  return (await startTime(Number(pid))) === started ? Number(pid) : "dead";
}

/** Renames before it removes, so that of two waiters only one takes the stale file away. */
async function removeStale(path: string): Promise<void> {
  const aside = `${path}.stale-${process.pid}`;
  await rename(path, aside).catch(() => undefined);
  // Another waiter may have been faster, and this be the lock that a living process has taken since: back with it.
  if ((await readHolder(aside)) !== "dead") await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/** Clock ticks since boot at which the process started: with its id, unique. */
export async function startTime(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return text?.slice(text.lastIndexOf(")") + 2).split(" ")[19];
}
