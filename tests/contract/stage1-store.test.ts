// The hypervisor's stores to its own stage-1 tables, after lockdown: what it may map, and that nothing protected becomes writable.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { FW_CFG_PA, GICD_PA, SMMU_PA } from "../../abi/memory-map.ts";
import { PAGE_WRITABLE_MASK } from "../../abi/pages.ts";
import { aLab, type Lab } from "../drivers/lab.ts";
import { aVmap, CONTIGUOUS, entryOf, page, reaches, SLOT_VA } from "../drivers/stage1-live.ts";
import {
  assertDone,
  assertPutRefused,
  aTable,
  MIB2,
  PAGE,
  put,
  stateOf,
  writableCount,
} from "../drivers/tables.ts";
import {
  CODE_PAGE,
  FIXMAP_VA,
  FRAME_TABLE_VA,
  IMAGE_VA,
  imagePa,
  stage1Leaf,
  tableEntry,
} from "../drivers/xen-memory.ts";
import { pageRecordPa } from "../machine/page-records.ts";
import { walk } from "../machine/translation.ts";

suite("the virtual areas", () => {
  test("a page is mapped and unmapped; while it is writable there it cannot become a table", async () => {
    const { lab, entryPa } = await aVmap();
    const pa = lab.hypervisor.allocate();
    lab.hypervisor.zeroPage(pa);

    assertDone(put(lab, entryPa, page(pa)));
    assert.equal(reaches(lab, SLOT_VA, "write"), pa);
    assert.equal(writableCount(lab, pa), 1);
    const linkPa = lab.hypervisor.controlDomain.tables.entryPa(0x80_0000_0000, 2);
    assertPutRefused(lab, linkPa, tableEntry(pa));

    assertDone(put(lab, entryPa, 0n));
    assert.equal(reaches(lab, SLOT_VA, "read"), undefined, "not from the TLB either");
    assert.equal(writableCount(lab, pa), 0);
    assertDone(put(lab, linkPa, tableEntry(pa)));
  });

  test("read-only pages are not counted: they keep nothing from being a table", async () => {
    const { lab, entryPa } = await aVmap();
    const pa = aTable(lab);
    assertDone(put(lab, entryPa, page(pa, { write: false })));
    assert.equal(writableCount(lab, pa), 0);
    assertDone(put(lab, lab.hypervisor.controlDomain.tables.entryPa(0x80_0000_0000, 2), tableEntry(pa)));
    assert.equal(reaches(lab, SLOT_VA, "write"), undefined);
  });

  test("a mapping is replaced by another with a break between, and both are counted", async () => {
    const { lab, entryPa } = await aVmap();
    const [first, second] = [lab.hypervisor.allocate(), lab.hypervisor.allocate()];
    assertDone(put(lab, entryPa, page(first)));
    for (const core of [0, 1]) reaches(lab, SLOT_VA, "write", core);

    assertDone(put(lab, entryPa, page(second)));

    for (const core of [0, 1]) assert.equal(reaches(lab, SLOT_VA, "write", core), second);
    assert.deepEqual([writableCount(lab, first), writableCount(lab, second)], [0, 1]);
  });

  test("a page that is writable and becomes read-only is not writable by any TLB", async () => {
    const { lab, entryPa } = await aVmap();
    const pa = lab.hypervisor.allocate();
    assertDone(put(lab, entryPa, page(pa)));
    reaches(lab, SLOT_VA, "write", 1);

    assertDone(put(lab, entryPa, page(pa, { write: false })));

    assert.equal(reaches(lab, SLOT_VA, "write", 1), undefined);
    assert.equal(writableCount(lab, pa), 0);
  });

  test("a block counts each of its pages, and goes from every TLB", async () => {
    const lab = await aLab();
    const entryPa = entryOf(lab.hypervisor.tables.frameSecond, FRAME_TABLE_VA, 2) + 8;
    const va = FRAME_TABLE_VA + BigInt(MIB2);
    const pa = 0x70000000;
    assertDone(put(lab, entryPa, stage1Leaf(pa, 2)));
    for (const offset of [0, 0x1ff000]) {
      assert.equal(writableCount(lab, pa + offset), 1);
      assert.equal(reaches(lab, va + BigInt(offset), "write", 1), pa + offset);
    }

    assertDone(put(lab, entryPa, 0n));

    for (const offset of [0, 0x1ff000]) {
      assert.equal(writableCount(lab, pa + offset), 0);
      assert.equal(reaches(lab, va + BigInt(offset), "write", 1), undefined);
    }
  });

  test("pages of guests may be mapped as well", async () => {
    const { lab, entryPa } = await aVmap();
    const pa = lab.hypervisor.controlDomain.ramPa;
    assertDone(put(lab, entryPa, page(pa)));
    assert.equal(stateOf(lab, pa), "GUEST 1");
    assert.equal(writableCount(lab, pa), 1);
  });

  test("devices are the hypervisor's, and count as no RAM", async () => {
    const lab = await aLab();
    assertDone(put(lab, lab.hypervisor.tables.fixmap + 80, page(GICD_PA, { device: true })));
    assert.equal(reaches(lab, FIXMAP_VA + 0xa000n, "write"), GICD_PA);
  });

  test("the contiguous bit is taken away: a neighbour would be reached that was never checked", async () => {
    const { lab, entryPa } = await aVmap();
    const pa = lab.hypervisor.allocate();

    assertDone(put(lab, entryPa, page(pa, { contiguous: true })));

    assert.equal(lab.machine.memory.read64(entryPa) & CONTIGUOUS, 0n);
    reaches(lab, SLOT_VA, "write");
    assert.equal(reaches(lab, SLOT_VA + 0x1000n, "write"), undefined);
  });

  test("what an invalid entry holds is the hypervisor's business", async () => {
    const { lab, entryPa } = await aVmap();
    for (const value of [0xdeadbeef00n, 2n, 2n ** 64n - 2n]) {
      assertDone(put(lab, entryPa, value));
      assert.equal(lab.machine.memory.read64(entryPa), value);
    }
  });
});

suite("a leaf that may not be", () => {
  const ROWS: Record<string, (lab: Lab) => bigint> = {
    "a table, writable": (lab) => page(lab.hypervisor.rootPa),
    "a live stage-2 table, writable": (lab) => page(lab.hypervisor.controlDomain.tables.rootPa),
    "text, writable": () => page(imagePa(CODE_PAGE)),
    "the pool": (lab) => page(lab.machine.bootPackage.poolPa),
    "the pool, read-only": (lab) => page(lab.machine.bootPackage.poolPa, { write: false }),
    "TEE RAM, read-only": (lab) => page(lab.machine.poolTeePa, { write: false }),
    "the last page of RAM": (lab) =>
      page(lab.machine.bootPackage.ramPa + lab.machine.bootPackage.ramSize - PAGE, { write: false }),
    fw_cfg: () => page(FW_CFG_PA, { device: true }),
    "the SMMU": () => page(SMMU_PA, { device: true }),
    "the SMMU's last page, read-only": () => page(SMMU_PA + 0x1f000, { device: true, write: false }),
    "an executable page": (lab) => page(lab.hypervisor.allocate(), { write: false, execute: true }),
    "a writable executable page": (lab) => page(lab.hypervisor.allocate(), { execute: true }),
    "text once more, executable": () => page(imagePa(CODE_PAGE), { write: false, execute: true }),
    "executable device memory": () => page(GICD_PA, { device: true, write: false, execute: true }),
    "a reserved descriptor": (lab) => page(lab.hypervisor.allocate()) & ~2n,
  };

  for (const [name, leaf] of Object.entries(ROWS)) {
    test(name, async () => {
      const { lab, entryPa } = await aVmap();
      assertPutRefused(lab, entryPa, leaf(lab));
    });
    test(`${name}, in the place of a page`, async () => {
      const { lab, entryPa } = await aVmap();
      assertDone(put(lab, entryPa, page(lab.hypervisor.allocate())));
      assertPutRefused(lab, entryPa, leaf(lab));
    });
  }

  const BLOCKS: Record<string, (lab: Lab) => [level: 1 | 2, entry: bigint]> = {
    "a block with a table in it": (lab) => [2, stage1Leaf(lab.hypervisor.rootPa & ~(MIB2 - 1), 2)],
    "a block with text in it": () => [2, stage1Leaf(imagePa(0), 2)],
    "a block with a forbidden device in it": () => [2, stage1Leaf(0x09000000, 2, { device: true })],
    "a block of 1 GiB whose last part is the pool": () => [1, stage1Leaf(0x40000000, 1, { write: false })],
    "a block with bits below its size": (lab) => [2, stage1Leaf(lab.hypervisor.allocate() | 0x1000, 2)],
    "an executable block": () => [2, stage1Leaf(0x70000000, 2, { write: false, execute: true })],
  };
  for (const [name, row] of Object.entries(BLOCKS)) {
    test(name, async () => {
      const lab = await aLab();
      const [level, entry] = row(lab);
      const { first, frameSecond } = lab.hypervisor.tables;
      assertPutRefused(lab, (level === 1 ? first : frameSecond) + 300 * 8, entry);
    });
  }

  test("a block at level 0", async () => {
    const lab = await aLab();
    assertPutRefused(lab, lab.hypervisor.rootPa + 300 * 8, stage1Leaf(0, 1, { write: false }));
  });

  test("one more writable mapping than can be counted", async () => {
    const { lab, entryPa } = await aVmap();
    const pa = lab.hypervisor.allocate();
    const recordPa = pageRecordPa(lab.machine, pa);
    lab.machine.memory.write64(recordPa, BigInt(PAGE_WRITABLE_MASK) << 32n);
    assertPutRefused(lab, entryPa, page(pa));
  });
});

test("the image is where the tests think it is", async () => {
  const lab = await aLab();
  assert.equal(walk(lab.machine.memory, lab.hypervisor.rootPa, IMAGE_VA)?.pa, imagePa(0));
});
