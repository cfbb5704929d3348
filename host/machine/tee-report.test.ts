// What `vtz tee` says, from a status and a log.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { GuestDescription } from "./description.ts";
import type { GuestStatus, MonitorEvent } from "./status.ts";
import { consoleLinesOf, reportRows, teeReport } from "./tee-report.ts";

const status = {
  ...{ slot: 1, state: "ready", vmid: 3, id: 12, switches: 7, foreignInterrupts: 5, preemptions: 1 },
  ...{ exits: 900, teeCores: 2, adaptedSites: 3, timerInterrupts: 4, bootTicks: 62_500 * 250 },
  ...{ secureMib: 4, keyReads: 1, measurement: "ab".repeat(32) },
} as GuestStatus;
const guest = { name: "web", tee: status } as unknown as GuestDescription;
const event = (of: number): MonitorEvent => ({
  ...{ index: of, ticks: 0, kind: "tee-ready", guest: of },
  arguments: ["0x0", "0x0"],
});

test("lines of another guest's console are not shown, and only the last of its own", () => {
  const log = `[tee 1] a\r\n${Array.from({ length: 20 }, (_, index) => `[tee 12] line ${index}\r\n`).join("")}[tee 121] b\r\n`;

  const lines = consoleLinesOf(log, 12, 3);

  assert.deepEqual(lines, ["line 17", "line 18", "line 19"]);
});

test("a report has the guest's own events, and every figure of its TEE", () => {
  const report = teeReport(guest, "optee-4.5", [event(11), event(12), event(0)], "[tee 12] hello\n");

  assert.deepEqual(
    report?.events.map(({ guest: of }) => of),
    [12],
  );
  assert.deepEqual(report?.consoleLines, ["hello"]);
  const text = reportRows(report!, 16 << 20)
    .flat()
    .join(" ");
  for (const figure of [
    "optee-4.5, ready",
    "slot 1",
    "VMID 3",
    "16 MiB of secure",
    "4 MiB taken",
    "abab",
    "its own",
    "2 up",
    "250 ms",
    "3 instructions",
  ])
    assert.ok(text.includes(figure), `${figure} in ${text}`);
  for (const figure of ["7 calls", "1 preemptions", "900 other", "5 of the normal world", "4 of its timer"])
    assert.ok(text.includes(figure), `${figure} in ${text}`);
});

test("a guest without a TEE has no report", () => {
  const { tee: _, ...bare } = guest;

  assert.equal(teeReport(bare, "optee-4.5", [], ""), undefined);
});
