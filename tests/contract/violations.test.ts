// Violations are counted one by one, also when several cores are refused at once.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { aLab, type Lab } from "../drivers/lab.ts";
import { put } from "../drivers/tables.ts";
import { imagePa } from "../drivers/xen-memory.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { size } from "../machine/source-words.ts";

/** Ways to be refused, each one violation. */
const REFUSED: Record<string, (lab: Lab, core: number) => void> = {
  "a store": (lab, core) => assert.equal(put(lab, imagePa(0), 0n, core), "aborted"),
  "a register": (lab, core) => assert(!lab.hypervisor.writes(lab.core(core), "TCR", 0n)),
  "a root": (lab, core) => assert(!lab.hypervisor.writes(lab.core(core), "VTTBR", 1n)),
  "an SMC that nobody wrote": (lab, core) => assert(!lab.hypervisor.issues(lab.core(core), 0x1234)),
};

suite("a violation is counted and published under a lock, so that no core's is lost", () => {
  for (const [name, act] of Object.entries(REFUSED)) {
    test(name, async () => {
      const lab = await aLab();
      const state = new MonitorState(lab.machine);
      const before = state.machine("violations");
      const { machine } = lab;
      const unlock = machine.unlock.bind(machine);
      const lock = machine.lock.bind(machine);
      let isHeld = false;
      const seen: string[] = [];
      machine.lock = (index) => {
        lock(index);
        if (index === size("LOCK_EVENTS")) isHeld = true;
      };
      machine.unlock = (index) => {
        if (index === size("LOCK_EVENTS")) isHeld = false;
        unlock(index);
      };
      const count = () => state.machine("violations") + BigInt(lab.status.protection.violations);
      let last = count();
      machine.speculate = () => {
        const now = count();
        if (now !== last) seen.push(isHeld ? "with the lock" : "without");
        last = now;
      };

      act(lab, 0);

      assert.equal(state.machine("violations"), before + 1n);
      assert.deepEqual(new Set(seen), new Set(["with the lock"]));
    });
  }

  test("two cores, one in the middle of the other's: both count", async () => {
    const lab = await aLab();
    const { violations } = lab.status.protection;
    lab.machine.interleave = (act) => {
      if (act !== "lock") return;
      lab.machine.interleave = undefined;
      REFUSED["a register"]!(lab, 1);
    };
    REFUSED["a store"]!(lab, 0);
    assert.equal(lab.status.protection.violations, violations + 2);
  });
});
