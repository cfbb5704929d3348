// Ctrl-C and TERM: what was started is ended first, in the reverse order, then we go.

import { setTimeout as sleep } from "node:timers/promises";

const cleanups: (() => Promise<void>)[] = [];

/** Registers what must be undone on a signal; the answer takes it back. */
export function onSignal(cleanup: () => Promise<void>): () => void {
  cleanups.push(cleanup);
  return () => {
    const at = cleanups.indexOf(cleanup);
    if (at >= 0) cleanups.splice(at, 1);
  };
}

const SETTLE_MS = 3000;
let isEnding = false;

/** True from the first signal on: what fails then fails because of it. */
export function isEndedBySignal(): boolean {
  return isEnding;
}

/** `settled` is fulfilled when the command has run to its end, its own clean-up included. */
export function catchSignals(settled: Promise<unknown>): void {
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.on(signal, async () => {
      // The second time means: now.
      if (isEnding) process.exit(code);
      isEnding = true;
      const hadWork = cleanups.length > 0;
      for (const cleanup of [...cleanups].reverse()) await cleanup().catch(() => undefined);
      // The command notices that its machine is gone, and tidies up.
      if (hadWork) await Promise.race([settled, sleep(SETTLE_MS)]);
      process.exit(code);
    });
  }
}
