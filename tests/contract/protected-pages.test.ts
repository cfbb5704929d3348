// What EL3 reads of a page that becomes a table or text is what walks and fetches will find there from then on: no core writes it any more, no
// device does, and nothing stands in memory behind the lines that EL3's caches have of it.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { assertFatal } from "../drivers/asserts.ts";
import { aLab, anUnlockedMachine, type Lab, type UnlockedMachine } from "../drivers/lab.ts";
import { entryOf, page } from "../drivers/stage1-live.ts";
import { IPA } from "../drivers/stage2-live.ts";
import { assertRefused, assertUnchanged, aTable, put, stage2Page, stateOf } from "../drivers/tables.ts";
import { CODE_PAGE, imagePa, stage1Leaf, tableEntry, VMAP_VA } from "../drivers/xen-memory.ts";

const MSR_TTBR0 = 0xd51c2000n;

/** While the second core can write the page, it keeps an entry behind a clean line that shows none. */
function hideEntry(lab: Lab, pa: number, entry: bigint): void {
  lab.machine.speculate = () => {
    if (!lab.core(0).isInMonitor || !lab.hypervisor.canWrite(lab.core(1), pa)) return;
    lab.machine.memory.write64(pa, 0n);
    lab.machine.memory.writeBehindCaches(pa, entry);
  };
}

suite("what another core writes past the caches is seen before it counts", () => {
  test("in a table of stage 2", async () => {
    const lab = await aLab();
    const child = aTable(lab);
    const entryPa = lab.hypervisor.controlDomain.tables.entryPa(IPA, 2);
    hideEntry(lab, child + 64, stage2Page(lab.machine.poolTeePa));

    assert.equal(put(lab, entryPa, tableEntry(child)), "aborted");

    assert.equal(stateOf(lab, child), "FREE");
  });

  test("in a root", async () => {
    const lab = await aLab();
    const root = aTable(lab);
    hideEntry(lab, root + 64, 1n);

    assert(!lab.hypervisor.writes(lab.core(0), "VTTBR", (9n << 48n) | BigInt(root)));

    assert.equal(stateOf(lab, root), "FREE");
  });

  test("in a table of stage 1", async () => {
    const lab = await aLab();
    const child = aTable(lab);
    hideEntry(lab, child + 64, page(lab.machine.poolTeePa));

    assert.equal(
      put(lab, entryOf(lab.hypervisor.tables.second, VMAP_VA, 2) + 8, tableEntry(child)),
      "aborted",
    );

    assert.equal(stateOf(lab, child), "FREE");
  });

  test("what is hidden in a page that stays the hypervisor's own is nobody's business", async () => {
    const lab = await aLab();
    const pa = aTable(lab);
    lab.machine.memory.writeBehindCaches(pa, stage2Page(lab.machine.poolTeePa));
    assertUnchanged(lab, () => assert.equal(put(lab, pa + 8, 0n), "done"));
    assertRefused(lab, () => put(lab, imagePa(CODE_PAGE), 0n));
  });
});

suite("at lockdown", () => {
  const text = imagePa(0x6f);

  test("an instruction behind a clean line is found", async () => {
    const it = await anUnlockedMachine();
    it.machine.memory.writeBehindCaches(text + 0x40, MSR_TTBR0);
    assertFatal(it.lockDown, "FATAL_FORBIDDEN_INSTRUCTION");
  });

  test("an entry behind a clean line is found, in the root as well", async () => {
    for (const table of ["vmap", "root"] as const) {
      const it = await anUnlockedMachine();
      const entry = table === "root" ? 1n : stage1Leaf(0x60000000, 3, { execute: true });
      it.machine.memory.writeBehindCaches(it.hypervisor.tables[table] + 40 * 8, entry);
      assertFatal(it.lockDown, "FATAL_STAGE1");
    }
  });

  const PAGES: Record<string, (it: UnlockedMachine) => number> = {
    text: () => text,
    "the root": ({ hypervisor }) => hypervisor.rootPa,
    "a table of the last level": ({ hypervisor }) => hypervisor.tables.vmap,
    "a table of the direct map": ({ hypervisor }) => hypervisor.tables.directFirst,
  };
  for (const [name, pageOf] of Object.entries(PAGES)) {
    test(`no device reaches a page when it is read: ${name}`, async () => {
      const it = await anUnlockedMachine();
      const pa = pageOf(it);
      it.machine.smmu.watched.add(pa);
      const reached: boolean[] = [];
      const { memory, smmu } = it.machine;
      const read = memory.read.bind(memory);
      memory.read = (at, size) => {
        if (at === pa && it.core.isInMonitor) reached.push(smmu.find(0, pa) !== undefined);
        return read(at, size);
      };

      it.lockDown();

      assert.deepEqual(new Set(reached), new Set([false]));
    });
  }

  test("a table that the monitor's direct map has replaced is the hypervisor's, and its devices', again", async () => {
    const it = await anUnlockedMachine();
    const { directThird } = it.hypervisor.tables;
    it.lockDown();
    assert.equal(it.machine.smmu.find(0, directThird), directThird);
    assert(it.hypervisor.canWrite(it.core, directThird));
  });
});
