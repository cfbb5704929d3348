// Invokes of a TA from Linux user space in a guest: how long they take, and at which level.

import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Machine } from "../host/machine/machine.ts";
import type { GuestStatus } from "../host/machine/status.ts";
import { callsInLog, logExecution } from "./execution-log.ts";
import { INVOKE_RANGE, type LevelTotals, levelTotals } from "./levels.ts";
import { buildProgram, readSymbol } from "./programs.ts";
import { parseSamples, type Sample } from "./samples.ts";

export interface InvokeFigures {
  readonly invokes: readonly Sample[];
  readonly invokeLevels: Readonly<Record<string, LevelTotals>>;
  readonly guest?: GuestStatus;
}

const GUEST = "guest1";
const GUEST_MEMORY_MIB = 320;
const BOOT_TIMEOUT_MS = 300_000;
const INVOKE_TIMEOUT_MS = 600_000;
/** What the program repeats, by its argument. */
const REPEATED = { pta: "PTA_INVOKE", ta: "TA_INVOKE", silent: "TA_INVOKE_SILENT" } as const;
const LOG_MS = 3000;
const LOG_TRIES = 4;
const ENOUGH_CALLS = 5;

export async function measureInvokes(
  machine: Machine,
  onProgress: (line: string) => void,
): Promise<InvokeFigures> {
  const program = await buildProgram("invoke");
  onProgress("starting a guest with Linux");
  await machine.createGuest({ name: GUEST, vcpuCount: 1, memoryMib: GUEST_MEMORY_MIB });
  await machine.waitForGuest(GUEST, BOOT_TIMEOUT_MS);
  await machine.push(GUEST, program, "/tmp/invoke", 0o755);
  onProgress("timing invokes of a TA");
  const invokes = parseSamples(await machine.run(GUEST, "/tmp/invoke 2>&1", INVOKE_TIMEOUT_MS));
  const status = (await machine.describe()).guests[0]?.tee;

  onProgress("logging every instruction of some of them");
  const callVa = await readSymbol(program, "repeat_invoke");
  const invokeLevels: Record<string, LevelTotals> = {};
  for (const [argument, name] of Object.entries(REPEATED)) {
    const calls = await logInvokes(machine, argument, callVa);
    if (calls.length > 0) invokeLevels[name] = levelTotals(calls, INVOKE_RANGE);
  }
  return { invokes, invokeLevels, ...(status === undefined ? {} : { guest: status }) };
}

/** Calls caught by a log that is on for a moment while the program repeats them. */
async function logInvokes(machine: Machine, argument: string, callVa: number): Promise<number[][]> {
  const abort = new AbortController();
  const start = Promise.withResolvers<void>();
  const onOutput = (bytes: Uint8Array) => {
    if (Buffer.from(bytes).includes("probe: ready")) start.resolve();
  };
  const run = machine
    .exec(GUEST, `/tmp/invoke ${argument} 2>&1`, {
      onOutput,
      signal: abort.signal,
      timeoutMs: INVOKE_TIMEOUT_MS,
    })
    .then(({ code }) => start.reject(new Error(`${GUEST}: invoke ${argument} ended with ${code}`)))
    .catch((error: unknown) => start.reject(error));
  try {
    await start.promise;
    const calls: number[][] = [];
    for (let tries = 0; calls.length < ENOUGH_CALLS && tries < LOG_TRIES; tries++) {
      const log = await logExecution(machine, () => sleep(LOG_MS));
      calls.push(...(await callsInLog(log, callVa)));
      await rm(log);
    }
    return calls;
  } finally {
    abort.abort();
    await run;
  }
}
