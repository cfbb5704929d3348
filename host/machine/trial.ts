// What a guest must show: Linux's driver has found the guest's TEE, tee-supplicant runs, and xtest passes.

import { UserError } from "../errors.ts";
import type { Machine } from "./machine.ts";
import { parseXtest, type XtestResult } from "./xtest.ts";

/** Cases that touch everything once and end within two minutes; the whole suite takes an hour. */
export const QUICK_CASES: readonly string[] = [
  ...["regression_1001", "regression_1002", "regression_1004", "regression_1005", "regression_1007"],
  ...["regression_1009", "regression_1016", "regression_1019", "regression_1022", "regression_1033"],
  ...["regression_2001", "regression_2003", "regression_4001", "regression_4003", "regression_4005"],
  ...["regression_6001", "regression_6004", "regression_8001", "pkcs11_1000", "pkcs11_1007"],
];

export interface TrialOptions {
  /** Absent: the whole default suite. */
  readonly cases?: readonly string[];
  readonly timeoutMs: number;
  /** xtest hangs when it has said nothing for so long. */
  readonly silenceMs: number;
  readonly onProgress?: (line: string) => void;
  readonly onOutput?: (bytes: Uint8Array) => void;
}

export interface TrialResult {
  readonly guest: string;
  readonly teeVersion: string;
  readonly xtest: XtestResult;
  readonly seconds: number;
}

/** Linux prints it when the driver has probed: "optee: revision 4.5 (0123abcd)". */
export async function probeTee(machine: Machine, guest: string): Promise<string> {
  const log = await machine.run(guest, "dmesg | grep optee; true");
  const version = /optee: revision (\S+)/.exec(log)?.[1];
  const probed = /optee: initialized driver/.test(log);
  if (version === undefined || !probed) {
    const fault = await machine.explainTee(guest);
    if (fault !== undefined) throw new Error(`${guest}: ${fault}`);
    throw new Error(
      `${guest}: Linux's optee driver did not find a TEE; it says:\n${log.trim() || "(nothing)"}`,
    );
  }
  await machine.run(guest, "test -c /dev/tee0 && test -c /dev/teepriv0").catch(() => {
    throw new Error(`${guest}: /dev/tee0 or /dev/teepriv0 is missing`);
  });
  await machine.run(guest, "pidof tee-supplicant").catch(() => {
    throw new Error(`${guest}: tee-supplicant does not run`);
  });
  return version;
}

export async function tryGuest(machine: Machine, guest: string, options: TrialOptions): Promise<TrialResult> {
  const teeVersion = await probeTee(machine, guest);
  options.onProgress?.(`${guest}: OP-TEE ${teeVersion}, driver probed, tee-supplicant runs; xtest begins`);
  const start = performance.now();
  const output: Uint8Array[] = [];
  const counter = new CaseCounter(guest, options.onProgress);
  const command = options.cases === undefined ? "xtest" : `xtest ${options.cases.join(" ")}`;
  const silence = new Silence(options.silenceMs);
  const { code } = await machine
    .exec(guest, `${command} 2>&1`, {
      timeoutMs: options.timeoutMs,
      signal: silence.signal,
      onOutput: (bytes) => {
        silence.end();
        output.push(bytes);
        options.onOutput?.(bytes);
        counter.take(bytes);
      },
    })
    .catch((error: unknown) => {
      // Its own words would repeat the whole command.
      const isLate = error instanceof UserError && error.code === "timeout";
      throw isLate ? new Error(`xtest did not end within ${options.timeoutMs / 1000} s`) : error;
    })
    .finally(() => silence.stop());
  const seconds = (performance.now() - start) / 1000;
  const xtest = parseXtest(Buffer.concat(output).toString());
  const missing = (options.cases ?? []).filter((name) => !xtest.cases.some((one) => one.name === name));
  if (missing.length > 0) throw new Error(`${guest}: xtest did not run ${missing.join(" ")}`);
  if ((code === 0) !== (xtest.subtestFailures === 0 && xtest.caseFailures === 0)) {
    throw new Error(`${guest}: xtest ended with ${code}, but counts ${xtest.subtestFailures} failures`);
  }
  return { guest, teeVersion, xtest, seconds };
}

/** Aborts when nothing has come for a while. */
class Silence {
  readonly #limitMs: number;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
    this.end();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(): void {
    clearTimeout(this.#timer);
    const reason = new Error(`xtest hangs: it has said nothing for ${this.#limitMs / 1000} s`);
    this.#timer = setTimeout(() => this.#controller.abort(reason), this.#limitMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** Says from time to time how far xtest is. */
class CaseCounter {
  readonly #guest: string;
  readonly #onProgress: ((line: string) => void) | undefined;
  #rest = "";
  #ended = 0;
  #told = performance.now();

  constructor(guest: string, onProgress?: (line: string) => void) {
    this.#guest = guest;
    this.#onProgress = onProgress;
  }

  take(bytes: Uint8Array): void {
    const lines = (this.#rest + Buffer.from(bytes).toString("latin1")).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const match = /^ {2}(regression_\S+|pkcs11_\S+) (OK|FAILED)/.exec(line);
      if (match === null) continue;
      this.#ended++;
      const isDue = performance.now() - this.#told > 15_000;
      if (match[2] === "OK" && !isDue) continue;
      this.#told = performance.now();
      this.#onProgress?.(`${this.#guest}: ${match[1]} ${match[2]} (${this.#ended} cases)`);
    }
  }
}
