// Stage-2 roots: which table VTTBR_EL2 may name, with which VMID, and how long a root stays what it is.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { POOL_EMPTY_ROOT_OFFSET, TEE_RAM_SIZE } from "../../abi/memory-map.ts";
import { assertUndefined } from "../drivers/asserts.ts";
import { aLab, type Lab } from "../drivers/lab.ts";
import {
  assertDone,
  assertPutRefused,
  assertUnchanged,
  aTable,
  isOwn,
  put,
  stage2Block,
  stage2Page,
  stateOf,
} from "../drivers/tables.ts";
import { stage1Leaf, tableEntry } from "../drivers/xen-memory.ts";
import { pageRecordPa } from "../machine/page-records.ts";

const vttbrOf = (vmid: number, rootPa: number) => (BigInt(vmid) << 48n) | BigInt(rootPa);

/** The value is not loaded, the violation is recorded, and nothing has changed. */
function assertRootRefused(lab: Lab, vttbr: bigint): void {
  const core = lab.core(0);
  const before = core.get("VTTBR_EL2");
  const at = core.pc;
  assertUnchanged(lab, () => assert(!lab.hypervisor.writes(core, "VTTBR", vttbr), "it was loaded"));
  assertUndefined(lab, at, "0x1");
  assert.equal(lab.status.events.at(-1)?.arguments[1], `0x${vttbr.toString(16)}`);
  assert.equal(core.get("VTTBR_EL2"), before);
}

/** A root that maps `pages` one after another, in memory that no translation names. */
function aRoot(lab: Lab, ...pages: bigint[]): number {
  const third = aTable(lab, { ...pages });
  const second = aTable(lab, { 0: tableEntry(third) });
  const first = aTable(lab, { 1: tableEntry(second) });
  return aTable(lab, { 0: tableEntry(first) });
}

const aPage = (lab: Lab) => stage2Page(lab.hypervisor.allocate());

suite("a root is admitted", () => {
  test("with everything below it, and bound to its VMID", async () => {
    const lab = await aLab();
    const pages = [aPage(lab), aPage(lab)];
    const root = aRoot(lab, ...pages);

    assert(lab.hypervisor.writes(lab.core(0), "VTTBR", vttbrOf(9, root)));

    assert.equal(stateOf(lab, root), "STAGE2_TABLE 1");
    for (const page of pages) assert.equal(stateOf(lab, Number(page & 0xfffffff000n)), "GUEST 1");
    assert(lab.hypervisor.writes(lab.core(1), "VTTBR", vttbrOf(9, root)));
    assertRootRefused(lab, vttbrOf(10, root));
  });

  test("with any VMID, if it is the hypervisor's empty one, which stays empty", async () => {
    const lab = await aLab();
    const { emptyRootPa } = lab.hypervisor;
    for (const vmid of [0, 7, 239])
      assert(lab.hypervisor.writes(lab.core(0), "VTTBR", vttbrOf(vmid, emptyRootPa)));
    assertPutRefused(lab, emptyRootPa, tableEntry(aTable(lab)));
    assert.equal(stateOf(lab, emptyRootPa), "STAGE2_TABLE 1");
  });

  test("with nothing in it, for a VM that is to come", async () => {
    const lab = await aLab();
    const root = aTable(lab);
    assert(lab.hypervisor.writes(lab.core(0), "VTTBR", vttbrOf(9, root)));
    assert.equal(lab.core(0).get("VTTBR_EL2"), vttbrOf(9, root));
    lab.hypervisor.idle(lab.core(0));
    assert(isOwn(lab, root), "it is on no core and empty: the hypervisor's memory again");
  });

  test("0 is no root at all: the monitor's empty one is loaded", async () => {
    const lab = await aLab();
    assert(lab.hypervisor.writes(lab.core(0), "VTTBR", 0n));
    assert.equal(
      lab.core(0).get("VTTBR_EL2"),
      BigInt(lab.machine.bootPackage.poolPa + POOL_EMPTY_ROOT_OFFSET),
    );
  });
});

suite("a root that is refused", () => {
  const ROWS: Record<string, (lab: Lab) => bigint> = {
    "an S world's VMID": (lab) => vttbrOf(240, aRoot(lab, aPage(lab))),
    "the last VMID": (lab) => vttbrOf(255, aRoot(lab, aPage(lab))),
    "the empty root with an S world's VMID": (lab) => vttbrOf(254, lab.hypervisor.emptyRootPa),
    "a VMID of 16 bits": (lab) => vttbrOf(0x109, aRoot(lab, aPage(lab))),
    CnP: (lab) => vttbrOf(9, aRoot(lab, aPage(lab))) | 1n,
    "an address that is not aligned": (lab) => vttbrOf(9, aRoot(lab, aPage(lab))) | 0x800n,
    "a bound root with CnP": (lab) => lab.hypervisor.controlDomain.vttbr | 1n,
    "the VMID of a VM with another root": (lab) => vttbrOf(1, aRoot(lab, aPage(lab))),
    "another VMID for dom0's root": (lab) => vttbrOf(2, lab.hypervisor.controlDomain.tables.rootPa),
    "the pool": (lab) => vttbrOf(9, lab.machine.poolTeePa),
    "an S world's tables": (lab) => vttbrOf(9, lab.machine.bootPackage.poolPa + 0x100000),
    "device memory": () => vttbrOf(9, 0x09000000),
    "the secure world": () => vttbrOf(9, 0x0e000000),
    "no memory": () => vttbrOf(9, 0x20_0000_0000),
    "the hypervisor's stage-1 root": (lab) => vttbrOf(9, lab.hypervisor.rootPa),
    "a page that a guest has": (lab) => vttbrOf(9, lab.hypervisor.controlDomain.ramPa),
    "a table of level 1": (lab) =>
      vttbrOf(9, Number(lab.machine.memory.read64(lab.hypervisor.controlDomain.tables.rootPa) & ~0xfffn)),
    "a page that is writable beside the direct map": (lab) => {
      const root = aRoot(lab, aPage(lab));
      assertDone(put(lab, lab.hypervisor.tables.vmap + 800, stage1Leaf(root, 3)));
      return vttbrOf(9, root);
    },
    "the pool mapped": (lab) => vttbrOf(9, aRoot(lab, aPage(lab), stage2Page(lab.machine.poolTeePa))),
    "itself as a table": (lab) => {
      const root = aTable(lab);
      assertDone(put(lab, root, tableEntry(root)));
      return vttbrOf(9, root);
    },
    "itself mapped": (lab) => {
      const root = aRoot(lab, aPage(lab));
      const first = Number(lab.machine.memory.read64(root) & ~0xfffn);
      const second = Number(lab.machine.memory.read64(first + 8) & ~0xfffn);
      assertDone(put(lab, second + 8, stage2Block(root & ~0x1fffff)));
      return vttbrOf(9, root);
    },
    "a table named twice": (lab) => {
      const root = aRoot(lab, aPage(lab));
      assertDone(put(lab, root + 8, lab.machine.memory.read64(root)));
      return vttbrOf(9, root);
    },
    "a block at level 0": (lab) => vttbrOf(9, aTable(lab, { 3: 1n })),
    "the last page of a long list": (lab) =>
      vttbrOf(
        9,
        aRoot(lab, ...Array.from({ length: 511 }, () => aPage(lab)), stage2Page(lab.machine.poolTeePa)),
      ),
  };

  for (const [name, row] of Object.entries(ROWS)) {
    test(name, async () => {
      const lab = await aLab();
      assertRootRefused(lab, row(lab));
    });
  }

  test("what was refused is the hypervisor's memory: pages and tables", async () => {
    const lab = await aLab();
    const pages = [aPage(lab), aPage(lab), stage2Page(lab.machine.poolTeePa)];
    const root = aRoot(lab, ...pages);
    const first = Number(lab.machine.memory.read64(root) & ~0xfffn);

    assertRootRefused(lab, vttbrOf(9, root));

    for (const pa of [Number(pages[0]! & 0xfffffff000n), Number(pages[1]! & 0xfffffff000n), root, first]) {
      assert.equal(stateOf(lab, pa), "FREE");
      assert(isOwn(lab, pa));
    }
  });
});

suite("the life of a root", () => {
  test("a root that a core has loaded empty gets no entry: its VM gets a TEE first", async () => {
    const lab = await aLab();
    const root = aTable(lab);
    const first = aTable(lab);
    lab.hypervisor.writes(lab.core(1), "VTTBR", vttbrOf(9, root));

    assertPutRefused(lab, root, tableEntry(first));

    lab.hypervisor.idle(lab.core(1));
    assertDone(put(lab, root, tableEntry(first)));
    assert.equal(stateOf(lab, root), "FREE");
  });

  test("a bound root that has entries keeps its VMID from every other", async () => {
    const lab = await aLab();
    const root = aRoot(lab, aPage(lab));
    lab.hypervisor.writes(lab.core(0), "VTTBR", vttbrOf(9, root));
    lab.hypervisor.idle(lab.core(0));

    assertRootRefused(lab, vttbrOf(9, aRoot(lab, aPage(lab))));
    assertDone(put(lab, root, 0n));

    assert(lab.hypervisor.writes(lab.core(0), "VTTBR", vttbrOf(9, aRoot(lab, aPage(lab)))));
    assert.equal(stateOf(lab, root), "FREE");
  });

  test("an empty root that a core has loaded keeps its VMID as well", async () => {
    const lab = await aLab();
    const root = aTable(lab);
    lab.hypervisor.writes(lab.core(1), "VTTBR", vttbrOf(9, root));
    assertRootRefused(lab, vttbrOf(9, aRoot(lab, aPage(lab))));
  });

  test("entries that are gone give every page back: tables, and what they mapped", async () => {
    const lab = await aLab();
    const pages = Array.from({ length: 5 }, () => aPage(lab));
    const root = aRoot(lab, ...pages);
    const first = Number(lab.machine.memory.read64(root) & ~0xfffn);
    const second = Number(lab.machine.memory.read64(first + 8) & ~0xfffn);
    const third = Number(lab.machine.memory.read64(second) & ~0xfffn);
    lab.hypervisor.writes(lab.core(0), "VTTBR", vttbrOf(9, root));
    lab.hypervisor.idle(lab.core(0));

    assertDone(put(lab, root, 0n));

    for (const pa of [first, second, third, ...pages.map((page) => Number(page & 0xfffffff000n))]) {
      assert.equal(stateOf(lab, pa), "FREE");
      assert(isOwn(lab, pa));
    }
  });

  test("a VM's destruction returns every page of it, and its TEE's RAM to the monitor", async () => {
    const lab = await aLab();
    const records = () => {
      const { ramPa, ramSize } = lab.machine.bootPackage;
      const counts: Record<string, number> = {};
      for (let pa = ramPa; pa < ramPa + ramSize; pa += 0x1000) {
        const state = Number(lab.machine.memory.read64(pageRecordPa(lab.machine, pa)) & 0xfn);
        counts[state] = (counts[state] ?? 0) + 1;
      }
      return counts;
    };
    const before = records();
    const vm = lab.aGuest();
    assert.equal(records()[5], TEE_RAM_SIZE / 0x1000);
    lab.hypervisor.interrupt(lab.core(0));

    lab.hypervisor.destroy(lab.core(0), vm);
    lab.hypervisor.flush(lab.core(0), vttbrOf(vm.vmid, lab.hypervisor.emptyRootPa));

    assert.deepEqual(records(), before);
    assert(isOwn(lab, vm.tables.rootPa));
  });

  test("a guest's root is kept as long as the guest is, emptied or not", async () => {
    const lab = await aLab();
    const vm = lab.aGuest();
    lab.hypervisor.interrupt(lab.core(0));
    lab.hypervisor.idle(lab.core(0));
    vm.tables.empty();

    assert.equal(stateOf(lab, vm.tables.rootPa), "STAGE2_TABLE 1");
    assertRootRefused(lab, vttbrOf(vm.vmid, aRoot(lab, aPage(lab))));
  });

  test("a new empty root may take the place of the hypervisor's, once that is given up", async () => {
    const lab = await aLab();
    for (const core of lab.machine.cores)
      lab.hypervisor.writes(core, "VTTBR", lab.hypervisor.controlDomain.vttbr);
    assert(isOwn(lab, lab.hypervisor.emptyRootPa));
    const root = aTable(lab);

    for (const vmid of [9, 10]) assert(lab.hypervisor.writes(lab.core(0), "VTTBR", vttbrOf(vmid, root)));

    assertPutRefused(lab, root, tableEntry(aTable(lab)));
  });
});
