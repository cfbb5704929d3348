// The hypervisor's stores that link and unlink stage-2 subtrees: they are accepted or refused as one, and what is gone is gone from every TLB
// before its pages are anybody's again.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { GICD_PA } from "../../abi/memory-map.ts";
import { aLab, type Lab } from "../drivers/lab.ts";
import { aLiveEntry, aPage, CONTIGUOUS, IPA, reaches } from "../drivers/stage2-live.ts";
import {
  assertDone,
  assertPutRefused,
  aTable,
  GIB,
  isOwn,
  MIB2,
  PAGE,
  put,
  stage2Block,
  stage2Page,
  stateOf,
} from "../drivers/tables.ts";
import { imagePa, stage1Leaf, tableEntry } from "../drivers/xen-memory.ts";
import { pageRecord } from "../machine/page-records.ts";

suite("subtrees", () => {
  /** Tables of level 2 and 3 below one of level 1, with `pages` at the end. */
  function aSubtree(lab: Lab, ...pages: bigint[]) {
    const third = aTable(lab, Object.fromEntries(pages.map((page, index) => [300 + index, page])));
    const second = aTable(lab, { 0: stage2Block(0x70000000), 5: tableEntry(third) });
    const first = aTable(lab, { 1: tableEntry(second) });
    return { first, second, third };
  }

  test("a table is taken with all below it; the hypervisor writes none of it any more", async () => {
    const { lab, entryPa } = await aLiveEntry(0);
    const pa = aPage(lab);
    const { first, second, third } = aSubtree(lab, stage2Page(pa));

    assertDone(put(lab, entryPa, tableEntry(first)));

    for (const [table, level] of [
      [first, 1],
      [second, 2],
      [third, 3],
    ] as const) {
      assert.equal(stateOf(lab, table), "STAGE2_TABLE 1");
      assert.equal(pageRecord(lab.machine, table).level, level);
      assert.equal(pageRecord(lab.machine, table).word >>> 24, lab.hypervisor.controlDomain.vmid);
      assertPutRefused(
        lab,
        table + 8 * 400,
        level === 3 ? stage2Page(lab.machine.poolTeePa) : tableEntry(lab.machine.poolTeePa),
      );
    }
    assert.equal(stateOf(lab, pa), "GUEST 1");
    assert.equal(stateOf(lab, 0x70000000), "GUEST 1");
    assert.equal(reaches(lab, IPA + GIB + 5 * MIB2 + 300 * PAGE), pa);
  });

  test("what is unlinked is the hypervisor's again: tables and pages, out of every TLB and walk", async () => {
    const { lab, entryPa } = await aLiveEntry(0);
    const pa = aPage(lab);
    const { first, second, third } = aSubtree(lab, stage2Page(pa));
    const ipa = IPA + GIB + 5 * MIB2 + 300 * PAGE;
    assertDone(put(lab, entryPa, tableEntry(first)));
    for (const core of [0, 1]) assert.equal(reaches(lab, ipa, core), pa);

    assertDone(put(lab, entryPa, 0n));
    for (const table of [first, second, third, pa]) {
      assert.equal(stateOf(lab, table), "FREE");
      assert(isOwn(lab, table));
    }
    assertDone(put(lab, third + 300 * 8, stage2Page(lab.machine.poolTeePa)));

    for (const core of [0, 1]) assert.equal(reaches(lab, ipa, core), undefined);
  });

  test("one table takes another's place, whole", async () => {
    const { lab, entryPa } = await aLiveEntry(0);
    const [one, two] = [aSubtree(lab, stage2Page(aPage(lab))), aSubtree(lab, stage2Page(aPage(lab)))];
    assertDone(put(lab, entryPa, tableEntry(one.first)));
    assertDone(put(lab, entryPa, tableEntry(two.first)));
    assert.deepEqual(
      [one, two].map(({ first }) => stateOf(lab, first)),
      ["FREE", "STAGE2_TABLE 1"],
    );
    assert.equal(stateOf(lab, 0x70000000), "GUEST 1");
  });

  test("a block is split into a table, and a table joined to a block, as Xen does it", async () => {
    const { lab, entryPa } = await aLiveEntry(2);
    const pages = Object.fromEntries(
      Array.from({ length: 512 }, (_, index) => [index, stage2Page(0x70000000 + index * PAGE)]),
    );
    const third = aTable(lab, pages);
    assertDone(put(lab, entryPa, stage2Block(0x70000000)));

    assertDone(put(lab, entryPa, tableEntry(third)));
    for (const index of [0, 255, 511]) assert.equal(stateOf(lab, 0x70000000 + index * PAGE), "GUEST 1");
    assertDone(put(lab, entryPa, stage2Block(0x70000000)));

    for (const index of [0, 255, 511]) assert.equal(stateOf(lab, 0x70000000 + index * PAGE), "GUEST 1");
    assert.equal(stateOf(lab, third), "FREE");
  });

  const BAD: Record<string, (lab: Lab) => bigint> = {
    "the pool": (lab) => stage2Page(lab.machine.poolTeePa),
    text: () => stage2Page(imagePa(0)),
    "a table of the same subtree": (lab) => stage2Page(lab.hypervisor.rootPa),
    "a reserved descriptor": () => stage2Block(0x70000000),
    "a leaf that speaks for its neighbours": () => stage2Page(0x70000000) | CONTIGUOUS,
  };
  for (const [name, leaf] of Object.entries(BAD)) {
    test(`${name}, as the last of many leaves deep inside: all of it is given back`, async () => {
      const { lab, entryPa } = await aLiveEntry(0);
      const pages = Array.from({ length: 50 }, () => aPage(lab));
      const { first, second, third } = aSubtree(lab, ...pages.map(stage2Page), leaf(lab));

      assertPutRefused(lab, entryPa, tableEntry(first));

      for (const pa of [first, second, third, 0x70000000, ...pages]) assert.equal(stateOf(lab, pa), "FREE");
      assert(isOwn(lab, third));
    });
  }

  const TABLES: Record<string, (lab: Lab) => number> = {
    "a table that is named already": (lab) =>
      lab.hypervisor.controlDomain.tables.entryPa(0x40000000, 2) & ~0xfff,
    "a root, that of another VM": (lab) => lab.aGuest({ core: 1 }).tables.rootPa,
    "its own root": (lab) => lab.hypervisor.controlDomain.tables.rootPa,
    "the hypervisor's empty root": (lab) => lab.hypervisor.emptyRootPa,
    "a stage-1 table": (lab) => lab.hypervisor.tables.fixmap,
    "a page that a guest has": (lab) => lab.hypervisor.controlDomain.ramPa,
    "a page that is writable beside the direct map": (lab) => {
      const pa = aTable(lab);
      assertDone(put(lab, lab.hypervisor.tables.vmap + 800, stage1Leaf(pa, 3)));
      return pa;
    },
    text: () => imagePa(0),
    "the pool": (lab) => lab.machine.poolTeePa,
    "an S world's table": (lab) => lab.machine.bootPackage.poolPa + 0x101000,
    "device memory": () => GICD_PA,
    "secure memory": () => 0x0e000000,
    "no memory": () => 0x20_0000_0000,
  };
  for (const [name, table] of Object.entries(TABLES)) {
    test(`${name} is no table`, async () => {
      const { lab, entryPa } = await aLiveEntry(2);
      assertPutRefused(lab, entryPa, tableEntry(table(lab)));
    });
  }

  test("a table in two places of one subtree", async () => {
    const { lab, entryPa } = await aLiveEntry(0);
    const { first, second } = aSubtree(lab);
    assertDone(put(lab, first + 16, tableEntry(second)));
    assertPutRefused(lab, entryPa, tableEntry(first));
    assert.equal(stateOf(lab, second), "FREE");
  });

  test("a table that names itself, or one above it", async () => {
    const { lab, entryPa } = await aLiveEntry(0);
    const { first, second } = aSubtree(lab);
    for (const loop of [first, second]) {
      assertDone(put(lab, second + 9 * 8, tableEntry(loop)));
      assertPutRefused(lab, entryPa, tableEntry(first));
    }
  });

  test("a table of one level takes no other's place: its entries would mean something else", async () => {
    const lab = await aLab();
    const { tables } = lab.hypervisor.controlDomain;
    const second = tables.entryPa(IPA, 2) & ~0xfff;
    assertPutRefused(lab, tables.entryPa(IPA, 2) + 8, tableEntry(second)); // level 2 as level 3
    assertPutRefused(lab, tables.entryPa(IPA, 0) + 8, tableEntry(second)); // level 2 as level 1
    assertPutRefused(lab, tables.entryPa(IPA, 1) + 8, tableEntry(second)); // level 2 twice
  });

  test("a mapped page is no table, and a table no mapped page, until the one or the other is gone", async () => {
    const { lab, entryPa } = await aLiveEntry(2);
    const pa = aTable(lab);
    const leafPa = lab.hypervisor.controlDomain.tables.entryPa(2 * IPA, 3);
    assertDone(put(lab, leafPa, stage2Page(pa)));
    assertPutRefused(lab, entryPa, tableEntry(pa));
    assertDone(put(lab, leafPa, 0n));
    assertDone(put(lab, entryPa, tableEntry(pa)));
    assertPutRefused(lab, leafPa, stage2Page(pa));
  });

  test("an entry of the root that no walk reads: its tables are their VMID's nonetheless", async () => {
    const lab = await aLab();
    const { tables, vmid } = lab.hypervisor.controlDomain;
    const first = aTable(lab, { 0: tableEntry(aTable(lab)) });
    assertDone(put(lab, tables.rootPa + 64 * 8, tableEntry(first)));
    assert.equal(pageRecord(lab.machine, first).word >>> 24, vmid);
    assertDone(put(lab, tables.rootPa + 64 * 8, 0n));
    assert.equal(stateOf(lab, first), "FREE");
  });
});

suite("between removal and reuse", () => {
  test("a page that a guest may still have in its TLB becomes a table only after a flush", async () => {
    const { lab, entryPa } = await aLiveEntry(3);
    const pa = aTable(lab);
    assertDone(put(lab, entryPa, stage2Page(pa)));
    for (const core of [0, 1]) assert.equal(reaches(lab, IPA, core), pa);
    assertDone(put(lab, entryPa, 0n)); // the hypervisor, hostile, does not flush

    assertDone(put(lab, lab.hypervisor.controlDomain.tables.entryPa(2 * IPA, 2), tableEntry(pa)));

    for (const core of [0, 1]) assert.equal(reaches(lab, IPA, core), undefined);
  });

  test("so does one that becomes a root, and one that becomes a stage-1 table", async () => {
    const { lab, entryPa } = await aLiveEntry(3);
    const uses = [
      (pa: number) => lab.hypervisor.writes(lab.core(0), "VTTBR", (9n << 48n) | BigInt(pa)),
      (pa: number) => put(lab, lab.hypervisor.tables.second + 300 * 8, tableEntry(pa)) === "done",
    ];
    for (const use of uses) {
      const pa = aTable(lab);
      assertDone(put(lab, entryPa, stage2Page(pa)));
      reaches(lab, IPA, 1);
      assertDone(put(lab, entryPa, 0n));

      assert(use(pa));

      assert.equal(reaches(lab, IPA, 1), undefined);
    }
  });

  test("while a page becomes a table nobody can write it any more before it is read", async () => {
    const { lab, entryPa } = await aLiveEntry(2);
    const pa = aTable(lab);
    const leafPa = lab.hypervisor.controlDomain.tables.entryPa(2 * IPA, 3);
    assertDone(put(lab, leafPa, stage2Page(pa)));
    reaches(lab, 2 * IPA, 1);
    assertDone(put(lab, leafPa, 0n));
    const other = lab.core(1);
    const reads: string[] = [];
    const { memory } = lab.machine;
    const read = memory.read.bind(memory);
    memory.read = (at, size) => {
      if (at === pa && lab.core(0).isInMonitor) reads.push(whoWrites(lab, pa));
      return read(at, size);
    };
    lab.machine.speculate = () => {
      if (lab.core(0).isInMonitor) lab.hypervisor.canWrite(other, pa); // its TLB is filled whenever it may be
    };

    assertDone(put(lab, entryPa, tableEntry(pa)));

    assert(reads.length > 0);
    assert.deepEqual(new Set(reads), new Set([""]));
  });

  /** Who could write the page now, with what the other core keeps. */
  function whoWrites(lab: Lab, pa: number): string {
    const kept = [...lab.machine.tlbs[1]!.kept()].some((page) => page.pa === pa) ? "a guest" : "";
    return kept + (lab.hypervisor.canWrite(lab.core(1), pa) ? " the hypervisor" : "");
  }
});
