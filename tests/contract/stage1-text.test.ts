// The hypervisor's text after lockdown: it only shrinks, and what it was never comes back.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { aLab, type Lab } from "../drivers/lab.ts";
import { entryOf, page, reaches } from "../drivers/stage1-live.ts";
import {
  assertDone,
  assertPutRefused,
  assertRefused,
  isOwn,
  put,
  stage2Page,
  stateOf,
} from "../drivers/tables.ts";
import {
  CODE_PAGE,
  directMapVa,
  IMAGE_PAGES,
  imagePa,
  imageVa,
  tableEntry,
  VMAP_VA,
} from "../drivers/xen-memory.ts";
import { word } from "../machine/source-words.ts";

suite("text", () => {
  const INIT = IMAGE_PAGES.initText[0];
  const at = (lab: Lab, index: number) => lab.hypervisor.tables.image + index * 8;

  test("initialisation code becomes writable data, one page at a time, and is executable nowhere", async () => {
    const lab = await aLab();
    const { textPages } = lab.status.protection;
    for (const core of [0, 1]) assert.equal(reaches(lab, imageVa(INIT), "execute", core), imagePa(INIT));

    assertDone(put(lab, at(lab, INIT), page(imagePa(INIT))));

    for (const core of [0, 1]) {
      assert.equal(reaches(lab, imageVa(INIT), "execute", core), undefined);
      assert.equal(reaches(lab, imageVa(INIT), "write", core), imagePa(INIT));
    }
    assert.equal(stateOf(lab, imagePa(INIT)), "FREE");
    assert.equal(lab.status.protection.textPages, textPages - 1);
    assertPutRefused(lab, at(lab, INIT), page(imagePa(INIT), { write: false, execute: true }));
  });

  test("it may also just be unmapped, and is the hypervisor's own then", async () => {
    const lab = await aLab();
    assertDone(put(lab, at(lab, INIT), 0n));
    assert.equal(stateOf(lab, imagePa(INIT)), "FREE");
    assert(isOwn(lab, imagePa(INIT)));
    assertPutRefused(lab, at(lab, INIT), page(imagePa(INIT), { write: false, execute: true }));
  });

  test("it may become read-only data", async () => {
    const lab = await aLab();
    assertDone(put(lab, at(lab, INIT), page(imagePa(INIT), { write: false })));
    assert.equal(reaches(lab, imageVa(INIT), "execute", 1), undefined);
    assert.equal(stateOf(lab, imagePa(INIT)), "FREE");
  });

  test("it may be written again with other attributes: it stays text, and read-only everywhere", async () => {
    const lab = await aLab();
    const leaf = page(imagePa(CODE_PAGE), { write: false, execute: true });
    const changed = (leaf & ~word("STAGE1_SH_MASK")) | (1n << 55n);

    assertDone(put(lab, at(lab, CODE_PAGE), changed));

    assert.equal(lab.machine.memory.read64(at(lab, CODE_PAGE)), changed);
    assert.equal(stateOf(lab, imagePa(CODE_PAGE)), "HYPERVISOR_TEXT 1");
    assert.equal(reaches(lab, directMapVa(imagePa(CODE_PAGE)), "write"), undefined);
    assert.equal(reaches(lab, imageVa(CODE_PAGE), "execute"), imagePa(CODE_PAGE));
  });

  test("one page of it never takes another's place", async () => {
    const lab = await aLab();
    assertPutRefused(lab, at(lab, CODE_PAGE), page(imagePa(CODE_PAGE + 1), { write: false, execute: true }));
    assertPutRefused(lab, at(lab, CODE_PAGE), page(imagePa(CODE_PAGE), { execute: true }));
  });

  test("a pair of stores that takes text away and fails is refused whole", async () => {
    const lab = await aLab();
    const core = lab.core(0);
    core.x[1] = directMapVa(at(lab, INIT));
    core.x[2] = 0n;
    core.x[3] = page(lab.machine.bootPackage.poolPa);
    const pair = 0xa9000c22; // stp x2, x3, [x1]
    lab.hypervisor.plant(pair);
    assertRefused(lab, () => lab.hypervisor.execute(core, pair));
    assert.equal(stateOf(lab, imagePa(INIT)), "HYPERVISOR_TEXT 1");
  });

  test("text cannot be a guest's memory, nor a table", async () => {
    const lab = await aLab();
    const { tables } = lab.hypervisor.controlDomain;
    assertPutRefused(lab, tables.entryPa(0x80_0000_0000, 3), stage2Page(imagePa(CODE_PAGE)));
    assertPutRefused(lab, tables.entryPa(0x80_4000_0000, 2), tableEntry(imagePa(CODE_PAGE)));
    assertPutRefused(
      lab,
      entryOf(lab.hypervisor.tables.second, VMAP_VA, 2) + 80,
      tableEntry(imagePa(CODE_PAGE)),
    );
  });
});
