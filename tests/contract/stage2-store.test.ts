// The hypervisor's stores of leaves to live stage-2 tables: what a guest may be given, and what it may not.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { FW_CFG_PA, GICD_PA, SMMU_PA } from "../../abi/memory-map.ts";
import { PAGE_REFERENCES_MAX, PAGE_REFERENCES_SHIFT } from "../../abi/pages.ts";
import { aLab, type Lab } from "../drivers/lab.ts";
import { aLiveEntry, aPage, CONTIGUOUS, IPA, reaches } from "../drivers/stage2-live.ts";
import {
  assertDone,
  assertPutRefused,
  MIB2,
  PAGE,
  put,
  stage2Block,
  stage2Page,
  stateOf,
} from "../drivers/tables.ts";
import { imagePa, tableEntry } from "../drivers/xen-memory.ts";
import { pageRecordPa } from "../machine/page-records.ts";
import { word } from "../machine/source-words.ts";

suite("leaves", () => {
  test("a page is mapped once and twice, and counted", async () => {
    const { lab, entryPa } = await aLiveEntry(3);
    const pa = aPage(lab);

    assertDone(put(lab, entryPa, stage2Page(pa)));
    assert.equal(stateOf(lab, pa), "GUEST 1");
    assertDone(put(lab, entryPa + 8, stage2Page(pa)));
    assert.equal(stateOf(lab, pa), "GUEST 2");
    assert.equal(reaches(lab, IPA + PAGE), pa);

    assertDone(put(lab, entryPa, 0n));
    assert.equal(stateOf(lab, pa), "GUEST 1");
    assertDone(put(lab, entryPa + 8, 0n));
    assert.equal(stateOf(lab, pa), "FREE");
  });

  test("a block counts each of its pages", async () => {
    const { lab, entryPa } = await aLiveEntry(2);
    assertDone(put(lab, entryPa, stage2Block(0x70000000)));
    for (const offset of [0, PAGE, MIB2 - PAGE]) assert.equal(stateOf(lab, 0x70000000 + offset), "GUEST 1");
    assert.equal(stateOf(lab, 0x70000000 + MIB2), "FREE");
    assertDone(put(lab, entryPa, 0n));
    for (const offset of [0, PAGE, MIB2 - PAGE]) assert.equal(stateOf(lab, 0x70000000 + offset), "FREE");
  });

  test("devices are mapped, and are no RAM", async () => {
    const { lab, entryPa } = await aLiveEntry(3);
    assertDone(put(lab, entryPa, stage2Page(GICD_PA)));
    assert.equal(reaches(lab, IPA), GICD_PA);
  });

  test("a valid entry becomes another with a break between, and a flush of all guests", async () => {
    const { lab, entryPa } = await aLiveEntry(3);
    const [first, second] = [aPage(lab), aPage(lab)];
    assertDone(put(lab, entryPa, stage2Page(first)));
    for (const core of [0, 1]) assert.equal(reaches(lab, IPA, core), first);

    const seen: bigint[] = [];
    lab.machine.speculate = () => seen.push(lab.machine.memory.read64(entryPa));
    assertDone(put(lab, entryPa, stage2Page(second)));

    assert.deepEqual([...new Set(seen)], [stage2Page(first), 0n, stage2Page(second)]);
    for (const core of [0, 1]) assert.equal(reaches(lab, IPA, core), second);
    assert.deepEqual([stateOf(lab, first), stateOf(lab, second)], ["FREE", "GUEST 1"]);
  });

  test("permissions change in place", async () => {
    const { lab, entryPa } = await aLiveEntry(3);
    const pa = aPage(lab);
    assertDone(put(lab, entryPa, stage2Page(pa)));
    const readOnly = stage2Page(pa) & ~word("STAGE2_S2AP_WO");

    assertDone(put(lab, entryPa, readOnly));

    assert.equal(lab.machine.memory.read64(entryPa), readOnly);
    assert.equal(stateOf(lab, pa), "GUEST 1");
  });

  test("the contiguous bit is taken away: fifteen neighbours would be reached that were never checked", async () => {
    for (const level of [2, 3] as const) {
      const { lab, entryPa } = await aLiveEntry(level);
      const leaf = level === 2 ? stage2Block(0x70000000) : stage2Page(0x70000000);
      assertDone(put(lab, entryPa, leaf | CONTIGUOUS));
      assert.equal(lab.machine.memory.read64(entryPa), leaf);
      reaches(lab, IPA);
      assert.equal(reaches(lab, IPA + (level === 2 ? MIB2 : PAGE)), undefined);
    }
  });

  test("what an invalid entry holds is the hypervisor's business", async () => {
    const { lab, entryPa } = await aLiveEntry(3);
    assertDone(put(lab, entryPa, stage2Page(aPage(lab))));
    for (const value of [2n, 0x123456789abcdef0n]) {
      assertDone(put(lab, entryPa, value));
      assert.equal(lab.machine.memory.read64(entryPa), value);
    }
  });
});

suite("a leaf that is refused", () => {
  const PAGES: Record<string, (lab: Lab) => number> = {
    "TEE RAM": (lab) => lab.machine.poolTeePa,
    "the status page": (lab) => lab.machine.bootPackage.poolPa,
    "the page records": (lab) => lab.machine.bootPackage.poolPa + 0x1000000,
    "the last page of RAM": (lab) => lab.machine.bootPackage.ramPa + lab.machine.bootPackage.ramSize - PAGE,
    "the hypervisor's text": () => imagePa(0),
    "a stage-1 table": (lab) => lab.hypervisor.rootPa,
    "a stage-2 root": (lab) => lab.hypervisor.controlDomain.tables.rootPa,
    "the table that it stands in": (lab) => lab.hypervisor.controlDomain.tables.entryPa(IPA, 3) & ~0xfff,
    "the SMMU": () => SMMU_PA,
    "the SMMU's last page": () => SMMU_PA + 0x1f000,
    fw_cfg: () => FW_CFG_PA,
  };

  for (const [name, place] of Object.entries(PAGES)) {
    test(name, async () => {
      const { lab, entryPa } = await aLiveEntry(3);
      assertPutRefused(lab, entryPa, stage2Page(place(lab)));
    });

    test(`${name}, in the place of another page, read-only`, async () => {
      const { lab, entryPa } = await aLiveEntry(3);
      const pa = aPage(lab);
      assertDone(put(lab, entryPa, stage2Page(pa)));
      assertPutRefused(lab, entryPa, stage2Page(place(lab)) & ~word("STAGE2_S2AP_WO"));
      assert.equal(stateOf(lab, pa), "GUEST 1");
    });
  }

  const BLOCKS: Record<string, (lab: Lab) => [level: 0 | 1 | 2 | 3, entry: bigint]> = {
    "a block whose later pages are text": () => [2, stage2Block(imagePa(0))],
    "a block whose last page alone is a table": (lab) => {
      const blockPa = 0x70000000;
      lab.hypervisor.zeroPage(blockPa + MIB2 - PAGE);
      assertDone(
        put(lab, lab.hypervisor.controlDomain.tables.entryPa(2 * IPA, 2), tableEntry(blockPa + MIB2 - PAGE)),
      );
      return [2, stage2Block(blockPa)];
    },
    "a block with a forbidden device in it": () => [2, stage2Block(0x09000000)],
    "1 GiB with the pool at its end": () => [1, stage2Block(0x40000000)],
    "1 GiB of devices": () => [1, stage2Block(0)],
    "a block of 2 MiB at no multiple of it": () => [2, stage2Block(0x70001000)],
    "a block of 1 GiB at no multiple of it": () => [1, stage2Block(0x10_0020_0000)],
    "a block at level 0": () => [0, stage2Block(0)],
    "a page without its second bit": () => [3, stage2Block(0x70000000)],
  };
  for (const [name, row] of Object.entries(BLOCKS)) {
    test(name, async () => {
      const lab = await aLab();
      const [level, entry] = row(lab);
      assertPutRefused(lab, lab.hypervisor.controlDomain.tables.entryPa(IPA, level), entry);
    });
  }

  test("one more reference than can be counted", async () => {
    const { lab, entryPa } = await aLiveEntry(3);
    const pa = aPage(lab);
    assertDone(put(lab, entryPa, stage2Page(pa)));
    const full = BigInt(PAGE_REFERENCES_MAX) << BigInt(PAGE_REFERENCES_SHIFT);
    const recordPa = pageRecordPa(lab.machine, pa);
    lab.machine.memory.write64(recordPa, (lab.machine.memory.read64(recordPa) & ~0xffffff00n) | full);

    assertPutRefused(lab, entryPa + 8, stage2Page(pa));
    assertPutRefused(
      lab,
      lab.hypervisor.controlDomain.tables.entryPa(2 * IPA, 2),
      stage2Block(pa & ~(MIB2 - 1)),
    );

    assertDone(put(lab, entryPa, 0n));
    assert.equal(stateOf(lab, pa), `GUEST ${PAGE_REFERENCES_MAX - 1}`);
  });
});
