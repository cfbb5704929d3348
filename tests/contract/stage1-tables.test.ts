// Tables of stage 1 after lockdown: those the hypervisor links and unlinks, and those that are the monitor's.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { GICD_PA } from "../../abi/memory-map.ts";
import { aLab, type Lab } from "../drivers/lab.ts";
import { entryOf, page, reaches, walkTable } from "../drivers/stage1-live.ts";
import { assertDone, assertPutRefused, aTable, isOwn, MIB2, put, stateOf } from "../drivers/tables.ts";
import {
  DIRECT_MAP_VA,
  directMapVa,
  FIXMAP_VA,
  FRAME_TABLE_VA,
  stage1Leaf,
  tableEntry,
  VMAP_VA,
} from "../drivers/xen-memory.ts";
import { word } from "../machine/source-words.ts";

suite("tables of stage 1", () => {
  const linkPa = (lab: Lab) => entryOf(lab.hypervisor.tables.second, VMAP_VA, 2) + 8;
  const LINK_VA = VMAP_VA + BigInt(MIB2);

  test("an empty page is linked, filled entry by entry, emptied and unlinked", async () => {
    const lab = await aLab();
    const { stage1Tables } = lab.status.protection;
    const child = aTable(lab);
    const pa = lab.hypervisor.allocate();

    assertDone(put(lab, linkPa(lab), tableEntry(child)));
    assert.equal(stateOf(lab, child), "STAGE1_TABLE 1");
    assert.equal(lab.status.protection.stage1Tables, stage1Tables + 1);
    assertDone(put(lab, child + 24, page(pa)));
    assert.equal(reaches(lab, LINK_VA + 0x3000n, "write"), pa);

    assertPutRefused(lab, linkPa(lab), 0n);
    assertDone(put(lab, child + 24, 0n));
    assertDone(put(lab, linkPa(lab), 0n));

    assert.equal(stateOf(lab, child), "FREE");
    assert(isOwn(lab, child));
    assert.equal(lab.status.protection.stage1Tables, stage1Tables);
  });

  test("a table that is unlinked is in no core's walks: what is written there means nothing", async () => {
    const lab = await aLab();
    const child = aTable(lab);
    assertDone(put(lab, linkPa(lab), tableEntry(child)));
    assertDone(put(lab, child, page(lab.hypervisor.allocate())));
    assert.notEqual(reaches(lab, LINK_VA, "write", 1), undefined);
    assertDone(put(lab, child, 0n));
    assertDone(put(lab, linkPa(lab), 0n));

    assertDone(put(lab, child, page(lab.machine.poolTeePa)));

    for (const core of [0, 1]) assert.equal(reaches(lab, LINK_VA, "read", core), undefined);
  });

  const BAD: Record<string, (lab: Lab) => number> = {
    "a page that is not empty": (lab) => aTable(lab, { 511: page(0x70000000) }),
    "a live table": (lab) => lab.hypervisor.tables.fixmap,
    "the table itself": (lab) => lab.hypervisor.tables.second,
    "the root": (lab) => lab.hypervisor.rootPa,
    "a stage-2 root": (lab) => lab.hypervisor.controlDomain.tables.rootPa,
    "a page that a guest has": (lab) => lab.hypervisor.controlDomain.ramPa,
    "a page of the pool": (lab) => lab.machine.poolTeePa,
    "device memory": () => GICD_PA,
    "secure memory": () => 0x0e000000,
    "no memory": () => 0x10_0000_0000,
  };
  for (const [name, table] of Object.entries(BAD)) {
    test(`${name} is no table`, async () => {
      const lab = await aLab();
      assertPutRefused(lab, linkPa(lab), tableEntry(table(lab)));
    });
  }

  test("a table takes no leaf's place, and no other table its own", async () => {
    const lab = await aLab();
    const child = aTable(lab);
    assertPutRefused(lab, entryOf(lab.hypervisor.tables.frameSecond, FRAME_TABLE_VA, 2), tableEntry(child));
    assertPutRefused(lab, entryOf(lab.hypervisor.tables.second, FIXMAP_VA, 2), tableEntry(child));
    assertPutRefused(lab, entryOf(lab.hypervisor.tables.second, FIXMAP_VA, 2), stage1Leaf(0x70000000, 2));
  });

  test("a table that is linked may get other attributes", async () => {
    const lab = await aLab();
    const entryPa = entryOf(lab.hypervisor.tables.second, VMAP_VA, 2);
    const changed = lab.machine.memory.read64(entryPa) | word("STAGE1_TABLE_XNTABLE");
    assertDone(put(lab, entryPa, changed));
    assert.equal(lab.machine.memory.read64(entryPa), changed);
  });
});

suite("what is the monitor's in the hypervisor's tables", () => {
  test("the direct map cannot be changed", async () => {
    const lab = await aLab();
    const { root, directFirst } = lab.hypervisor.tables;
    const second = walkTable(lab, DIRECT_MAP_VA, 2);
    for (const value of [0n, stage1Leaf(0x40000000, 2)]) {
      assertPutRefused(lab, second, value);
      assertPutRefused(lab, directFirst, value);
      assertPutRefused(lab, root + 256 * 8, value);
    }
  });

  test("its last level is out of reach: not mapped, and never written by a store", async () => {
    const lab = await aLab();
    const third = walkTable(lab, DIRECT_MAP_VA, 3);
    assert(third >= lab.machine.bootPackage.poolPa);
    assert.equal(reaches(lab, directMapVa(third), "read"), undefined);
  });

  test("a second direct map entry for the same place is refused", async () => {
    const lab = await aLab();
    const { poolPa } = lab.machine.bootPackage;
    const second = walkTable(lab, directMapVa(poolPa), 2);
    const child = aTable(lab);
    assertDone(put(lab, second, tableEntry(child))); // a hole behind the hypervisor's RAM
    assertPutRefused(lab, child, page(poolPa, { write: false }));
    assertPutRefused(lab, second + 8, stage1Leaf(poolPa + MIB2, 2, { write: false }));
  });

  test("the trapping vectors and the hypervisor's vectors stay", async () => {
    const lab = await aLab();
    const { root } = lab.hypervisor.tables;
    const vectors = walkTable(lab, lab.core(0).get("VBAR_EL2"), 2);
    for (const entryPa of [root + 511 * 8, vectors]) {
      const itself = lab.machine.memory.read64(entryPa) | word("STAGE1_TABLE_XNTABLE");
      for (const value of [0n, tableEntry(aTable(lab)), itself]) assertPutRefused(lab, entryPa, value);
    }
  });
});
