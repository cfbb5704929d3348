// A store of several entries (a pair, DC ZVA) is performed whole or leaves everything as it was, whatever other cores do meanwhile.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { aLab, type Lab } from "../drivers/lab.ts";
import { aVmap, entryOf, page } from "../drivers/stage1-live.ts";
import { aLiveEntry, aPage, IPA } from "../drivers/stage2-live.ts";
import {
  assertDone,
  assertRefused,
  aTable,
  isOwn,
  MIB2,
  PAGE,
  put,
  stage2Page,
  stateOf,
} from "../drivers/tables.ts";
import { directMapVa, IMAGE_PAGES, imagePa, tableEntry, VMAP_VA } from "../drivers/xen-memory.ts";
import { word } from "../machine/source-words.ts";
import { assembleStore } from "../machine/store-execution.ts";

const PAIR = assembleStore("STP_OFFSET", { RT: 2, RT2: 3, RN: 1, SF: 1 });
const WORDS = assembleStore("STP_OFFSET", { RT: 2, RT2: 3, RN: 1, SF: 0 });
const DC_ZVA = assembleStore("DC_ZVA", { RT: 1 });
const RESERVED = 1n; // a block where none can be

/** The hypervisor's first core executes a pair at `pa`. */
function pair(lab: Lab, pa: number, first: bigint, second: bigint, instruction = PAIR) {
  const core = lab.core(0);
  core.x[1] = directMapVa(pa);
  core.x[2] = first;
  core.x[3] = second;
  return lab.hypervisor.execute(core, instruction);
}

function clear(lab: Lab, pa: number) {
  lab.core(0).x[1] = directMapVa(pa);
  return lab.hypervisor.execute(lab.core(0), DC_ZVA);
}

/** A place for pages in dom0's live tables. */
async function aLivePage() {
  const { lab, entryPa } = await aLiveEntry(3);
  for (const instruction of [PAIR, WORDS]) lab.hypervisor.plant(instruction);
  return { lab, entryPa };
}

suite("stage 2", () => {
  test("a pair that adds two pages, a pair that removes them", async () => {
    const { lab, entryPa } = await aLivePage();
    const [one, two] = [aPage(lab), aPage(lab)];
    assertDone(pair(lab, entryPa, stage2Page(one), stage2Page(two)));
    assert.deepEqual([stateOf(lab, one), stateOf(lab, two)], ["GUEST 1", "GUEST 1"]);
    assertDone(pair(lab, entryPa, 0n, 0x1000n));
    assert.deepEqual([stateOf(lab, one), stateOf(lab, two)], ["FREE", "FREE"]);
    assert.equal(lab.machine.memory.read64(entryPa + 8), 0x1000n);
  });

  test("a pair whose second is refused gives the first back: a page, a whole table", async () => {
    const { lab, entryPa } = await aLivePage();
    const pa = aPage(lab);
    assertRefused(lab, () => pair(lab, entryPa, stage2Page(pa), stage2Page(lab.machine.bootPackage.poolPa)));
    assert.equal(stateOf(lab, pa), "FREE");

    const child = aTable(lab, { 7: stage2Page(aPage(lab)) });
    const tablePa = lab.hypervisor.controlDomain.tables.entryPa(2 * IPA, 2);
    assertRefused(lab, () => pair(lab, tablePa, tableEntry(child), tableEntry(child)));
    assert.equal(stateOf(lab, child), "FREE");
    assert(isOwn(lab, child));
  });

  test("a pair that removes one and adds another is refused before anything is performed", async () => {
    const { lab, entryPa } = await aLivePage();
    const [old, next] = [aPage(lab), aPage(lab)];
    assertDone(put(lab, entryPa, stage2Page(old)));
    for (const first of [0n, stage2Page(next), stage2Page(old) ^ word("STAGE2_AF")])
      for (const second of [stage2Page(next), RESERVED, stage2Page(lab.machine.bootPackage.poolPa)])
        assertRefused(lab, () => pair(lab, entryPa, first, second));
    assertRefused(lab, () => pair(lab, entryPa - 8, stage2Page(next), 0n));
    assert.deepEqual([stateOf(lab, old), stateOf(lab, next)], ["GUEST 1", "FREE"]);
  });

  test("a table that the first removes is not put back as another core has changed it", async () => {
    const { lab } = await aLivePage();
    const entryPa = lab.hypervisor.controlDomain.tables.entryPa(IPA, 2);
    const child = Number(lab.machine.memory.read64(entryPa) & word("TABLE_OUTPUT_ADDRESS_MASK"));
    const evil = aPage(lab);
    lab.machine.speculate = () => {
      if (lab.hypervisor.canWrite(lab.core(1), child)) lab.machine.memory.write64(child, stage2Page(evil));
    };
    assertRefused(lab, () => pair(lab, entryPa, 0n, RESERVED | 2n | (1n << 40n)));
    assert.equal(stateOf(lab, child), "STAGE2_TABLE 1");
  });

  test("a root that a core has loaded: its only entry stays", async () => {
    const { lab } = await aLivePage();
    const vm = lab.aVm();
    lab.hypervisor.writes(lab.core(0), "VTTBR", vm.vttbr); // waits for its TEE
    assertRefused(lab, () => pair(lab, vm.tables.rootPa, 0n, RESERVED));
  });

  test("a root that a core has loaded is cleared as Xen does it: by pairs, by blocks", async () => {
    for (const act of [clear, (lab: Lab, pa: number) => pair(lab, pa, 0n, 0n)]) {
      const { lab } = await aLivePage();
      const vm = lab.aVm();
      lab.hypervisor.writes(lab.core(1), "VTTBR", vm.vttbr);
      const { rootPa } = vm.tables;
      const first = Number(lab.machine.memory.read64(rootPa) & word("TABLE_OUTPUT_ADDRESS_MASK"));
      assertDone(act(lab, rootPa));
      assert.equal(lab.machine.memory.read64(rootPa), 0n);
      assert.equal(stateOf(lab, first), "FREE");
    }
  });

  test("DC ZVA removes the eight entries of its block, and gives their pages back", async () => {
    const { lab, entryPa } = await aLivePage();
    const blockPa = entryPa + 64;
    const mapped = Array.from({ length: 8 }, () => aPage(lab));
    for (const [index, pa] of mapped.entries()) assertDone(put(lab, blockPa + index * 8, stage2Page(pa)));
    const other = aPage(lab);
    assertDone(put(lab, entryPa, stage2Page(other)));

    assertDone(clear(lab, blockPa + 40));

    assert(lab.machine.memory.bytes(blockPa, 64).every((byte) => byte === 0));
    for (const pa of mapped) assert.equal(stateOf(lab, pa), "FREE");
    assert.equal(stateOf(lab, other), "GUEST 1");
  });

  test("a pair of words that fills one entry is one store of it; one across two entries is of both", async () => {
    const { lab, entryPa } = await aLivePage();
    const [one, two] = [aPage(lab), aPage(lab)];
    assertDone(put(lab, entryPa, stage2Page(one)));
    assertDone(pair(lab, entryPa, stage2Page(two) | (0xffn << 40n), 1n << 23n, WORDS));
    assert.equal(lab.machine.memory.read64(entryPa), stage2Page(two) | (1n << 55n));
    assert.deepEqual([stateOf(lab, one), stateOf(lab, two)], ["FREE", "GUEST 1"]);
    assertRefused(lab, () => pair(lab, entryPa + 4, 0n, stage2Page(one), WORDS));
  });
});

suite("stage 1", () => {
  const linkPa = (lab: Lab) => entryOf(lab.hypervisor.tables.second, VMAP_VA + BigInt(MIB2), 2) + 8;

  test("a pair that maps two pages, a pair and a block that unmap them", async () => {
    const { lab, entryPa } = await aVmap();
    lab.hypervisor.plant(PAIR);
    const { vmap } = lab.hypervisor.tables;
    const at = vmap + Math.ceil((entryPa - vmap) / 64) * 64;
    for (const act of [clear, (_lab: Lab, pa: number) => pair(lab, pa, 0n, 0n)]) {
      assertDone(pair(lab, at, page(0x70000000), page(0x70000000 + PAGE)));
      assertDone(act(lab, at));
      assert.deepEqual([lab.machine.memory.read64(at), lab.machine.memory.read64(at + 8)], [0n, 0n]);
    }
  });

  test("a pair whose second is refused unmaps the first again, and unlinks a table", async () => {
    const lab = await aLab();
    lab.hypervisor.plant(PAIR);
    const child = aTable(lab);
    assertRefused(lab, () => pair(lab, linkPa(lab), tableEntry(child), tableEntry(child)));
    assert.equal(stateOf(lab, child), "FREE");
    const { vmap } = lab.hypervisor.tables;
    assertRefused(lab, () => pair(lab, vmap + 800, page(0x70000000), page(lab.machine.poolTeePa)));
  });

  test("a pair that takes text, or a page, away and adds is refused whole", async () => {
    const lab = await aLab();
    lab.hypervisor.plant(PAIR);
    const text = lab.hypervisor.tables.image + IMAGE_PAGES.initText[0] * 8;
    for (const second of [page(lab.machine.bootPackage.poolPa), page(0x70000000)])
      assertRefused(lab, () => pair(lab, text, 0n, second));
    assert.equal(stateOf(lab, imagePa(IMAGE_PAGES.initText[0])), "HYPERVISOR_TEXT 1");
  });

  test("a table is unlinked by a store of its own only: several could fail behind it", async () => {
    const lab = await aLab();
    lab.hypervisor.plant(PAIR);
    const [empty, full] = [aTable(lab), aTable(lab)];
    assertDone(put(lab, linkPa(lab), tableEntry(empty)));
    assertDone(put(lab, linkPa(lab) + 8, tableEntry(full)));
    assertDone(put(lab, full, page(0x70000000)));
    lab.machine.speculate = () => {
      if (lab.hypervisor.canWrite(lab.core(1), empty)) lab.machine.memory.write64(empty, page(imagePa(0)));
    };
    for (const act of [() => pair(lab, linkPa(lab), 0n, 0n), () => clear(lab, linkPa(lab))])
      assertRefused(lab, act);
    assert.equal(stateOf(lab, empty), "STAGE1_TABLE 1");
    lab.machine.speculate = undefined;
    assertDone(put(lab, linkPa(lab), 0n));
  });
});
