// The probe TEE of each entry kind under the real Xen: every register that the monitor emulates, every error of its ABI
// (tests/probe/). A test a case and kind.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PRINTED } from "../probe/cases/devices.ts";
import { casesOf } from "../probe/cases.ts";
import { type ProbeResult, runProbe } from "../probe/run.ts";
import type { TeeKind } from "../probe/table.ts";
import { timeScale } from "./rows.ts";

const MINUTE = 60_000 * timeScale;
const KINDS: readonly TeeKind[] = ["vector", "resume"];

const runs = new Map<TeeKind, Promise<ProbeResult>>();

/** Both machines at once: much of a run is waiting. */
function resultOf(kind: TeeKind): Promise<ProbeResult> {
  for (const each of KINDS) {
    if (runs.has(each)) continue;
    const running = runProbe(each, `test-probe-${each}-${process.pid}`, 2 * MINUTE);
    running.catch(() => undefined); // told by the tests
    runs.set(each, running);
  }
  return runs.get(kind)!;
}

for (const kind of KINDS) {
  describe(`a probe TEE of the ${kind} kind`, { timeout: 15 * MINUTE }, () => {
    const { all, stops } = casesOf(kind);

    for (const { name } of all) {
      test(name, async () => {
        const { lines } = await resultOf(kind);
        assert.equal(lines.get(name), `ok ${name}`);
      });
    }

    test("the monitor says why it has stopped a TEE, and stops no other", async () => {
      const { faults } = await resultOf(kind);
      for (const { name, fault } of stops) {
        const [reason, detail] = faults.get(name) ?? [];
        assert.equal(reason, fault?.reason, name);
        if (fault?.detail !== undefined) assert.equal(detail, fault.detail, name);
      }
    });

    test("what a TEE has printed is on the machine's secure UART, headed by its number", async () => {
      assert.match((await resultOf(kind)).teeLog, new RegExp(`^\\[tee 1\\] ${PRINTED}\\r?$`, "m"));
    });
  });
}

test("both kinds of TEE have run the same cases", async () => {
  const [vector, resume] = await Promise.all(KINDS.map(resultOf));
  assert.deepEqual([...vector!.lines.keys()], [...resume!.lines.keys()]);
});
