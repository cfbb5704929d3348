// The hypervisor's stores to its own stage-1 tables, after lockdown: what it may map, and that nothing executable is added, nothing protected
// becomes writable, and nothing of the monitor's is named.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { FW_CFG_PA, GICD_PA, SMMU_PA } from "../../abi/memory-map.ts";
import { PAGE_WRITABLE_MASK } from "../../abi/pages.ts";
import { aLab, type Lab } from "../drivers/lab.ts";
import {
  assertDone,
  assertPutRefused,
  assertRefused,
  aTable,
  isOwn,
  MIB2,
  PAGE,
  put,
  stage2Page,
  stateOf,
  writableCount,
} from "../drivers/tables.ts";
import {
  CODE_PAGE,
  DIRECT_MAP_VA,
  directMapVa,
  FIXMAP_VA,
  FRAME_TABLE_VA,
  IMAGE_PAGES,
  IMAGE_VA,
  imagePa,
  imageVa,
  indexOf,
  type LeafOptions,
  stage1Leaf,
  tableEntry,
  VMAP_VA,
} from "../drivers/xen-memory.ts";
import { translateEl2 } from "../machine/el2-translation.ts";
import { pageRecordPa } from "../machine/page-records.ts";
import { word } from "../machine/source-words.ts";
import { walk } from "../machine/translation.ts";

const SLOT = 100;
const SLOT_VA = VMAP_VA + BigInt(SLOT * PAGE);
const CONTIGUOUS = word("STAGE1_CONTIGUOUS");

async function aVmap() {
  const lab = await aLab();
  return { lab, entryPa: lab.hypervisor.tables.vmap + SLOT * 8 };
}

const page = (pa: number, options?: LeafOptions) => stage1Leaf(pa, 3, options);
const reaches = (lab: Lab, va: bigint, access: "read" | "write" | "execute", core = 0) => {
  const outcome = translateEl2(lab.machine, lab.core(core), va, access);
  return "pa" in outcome ? outcome.pa : undefined;
};
const entryOf = (tablePa: number, va: bigint, level: 1 | 2 | 3) => tablePa + indexOf(va, level) * 8;

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

/** PA of the entry of `level` that translates `va`. */
function walkTable(lab: Lab, va: bigint, level: 1 | 2 | 3): number {
  let tablePa = lab.hypervisor.rootPa;
  for (const above of [0, 1, 2] as const) {
    if (above === level) break;
    tablePa = Number(
      lab.machine.memory.read64(tablePa + indexOf(va, above) * 8) & word("TABLE_OUTPUT_ADDRESS_MASK"),
    );
  }
  return tablePa + indexOf(va, level) * 8;
}

test("the image is where the tests think it is", async () => {
  const lab = await aLab();
  assert.equal(walk(lab.machine.memory, lab.hypervisor.rootPa, IMAGE_VA)?.pa, imagePa(0));
});
