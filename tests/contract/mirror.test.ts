// A TEE sees what its normal world sees, from 1 GiB on, at every moment: what the hypervisor takes from the one it has taken from the other,
// out of its tables and out of every TLB, when its store is done.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { TEE_RAM_IPA } from "../../abi/memory-map.ts";
import { aLab, FAST_CALL, type Lab } from "../drivers/lab.ts";
import { assertDone, aTable, GIB, MIB2, PAGE, put, stage2Block, stage2Page } from "../drivers/tables.ts";
import type { VirtualMachine } from "../drivers/virtual-machine.ts";
import { tableEntry } from "../drivers/xen-memory.ts";
import { rootOf, walk } from "../machine/translation.ts";

const FAR = 0x10_0000_0000; // no RAM: blocks of 1 GiB are possible there
const TEE_VMID = 0xff;

/** A guest whose TEE has been called on core 0; the hypervisor has core 1. */
async function aCalledTee() {
  const lab = await aLab();
  const vm = lab.aGuest({ ramMib: 8 });
  lab.guestCalls(0, FAST_CALL);
  return { lab, vm };
}

/** Places of every kind: first and last of what an entry translates, at each level, and below 1 GiB. */
const PLACES = [0, 1, 2, 3, 511].flatMap((gib) =>
  [0, MIB2, 3 * MIB2, GIB - PAGE].map((at) => gib * GIB + at),
);
const ALL_PLACES = [
  ...PLACES,
  ...PLACES.map((ipa) => ipa + 512 * GIB),
  ...PLACES.map((ipa) => ipa + 1024 * GIB),
];

const teeRoot = (lab: Lab) => rootOf(lab.core(0).get("VTTBR_EL2"));

function normalPa(lab: Lab, vm: VirtualMachine, ipa: number): number | undefined {
  return walk(lab.machine.memory, vm.tables.rootPa, BigInt(ipa))?.pa;
}

/** What the TEE reaches, by its tables now and by what core 0 keeps, and the normal world does not; or the reverse of the tables. */
function differences(lab: Lab, vm: VirtualMachine): string[] {
  const found: string[] = [];
  for (const ipa of ALL_PLACES) {
    const tee = walk(lab.machine.memory, teeRoot(lab), BigInt(ipa))?.pa;
    const kept = lab.tee().translate(BigInt(ipa));
    const normal = ipa < GIB ? teeRamPa(lab, ipa) : normalPa(lab, vm, ipa);
    if (tee !== normal) found.push(`0x${ipa.toString(16)}: ${tee} in the TEE's tables, ${normal}`);
    if (kept !== normal) found.push(`0x${ipa.toString(16)}: ${kept} in its TLB, ${normal}`);
  }
  return found;
}

function teeRamPa(lab: Lab, ipa: number): number | undefined {
  const offset = ipa - TEE_RAM_IPA;
  return offset >= 0 && offset < 0x1000000 ? lab.machine.poolTeePa + offset : undefined;
}

suite("what the normal world loses, its TEE loses", () => {
  const LEVELS: Record<
    string,
    (lab: Lab, vm: VirtualMachine) => { ipa: number; entryPa: number; entry: bigint }
  > = {
    "a page": (lab, vm) => ({
      ipa: 2 * GIB,
      entryPa: vm.tables.entryPa(2 * GIB, 3),
      entry: stage2Page(lab.hypervisor.allocate()),
    }),
    "a block of 2 MiB": (_lab, vm) => ({
      ipa: 2 * GIB,
      entryPa: vm.tables.entryPa(2 * GIB, 2),
      entry: stage2Block(0x70000000),
    }),
    "a table of level 3": (lab, vm) => ({
      ipa: 2 * GIB,
      entryPa: vm.tables.entryPa(2 * GIB, 2),
      entry: tableEntry(aTable(lab, { 0: stage2Page(lab.hypervisor.allocate()) })),
    }),
    "a block of 1 GiB": (_lab, vm) => ({
      ipa: 2 * GIB,
      entryPa: vm.tables.entryPa(2 * GIB, 1),
      entry: stage2Block(FAR),
    }),
    "a table of level 2": (lab, vm) => ({
      ipa: 2 * GIB,
      entryPa: vm.tables.entryPa(2 * GIB, 1),
      entry: tableEntry(aTable(lab, { 0: stage2Block(0x70000000) })),
    }),
    "a table of level 1": (lab, vm) => ({
      ipa: 512 * GIB,
      entryPa: vm.tables.entryPa(512 * GIB, 0),
      entry: tableEntry(aTable(lab, { 0: stage2Block(FAR) })),
    }),
  };

  for (const [name, row] of Object.entries(LEVELS)) {
    test(name, async () => {
      const { lab, vm } = await aCalledTee();
      const { ipa, entryPa, entry } = row(lab, vm);
      assert.equal(lab.tee().translate(BigInt(ipa)), undefined);

      assertDone(put(lab, entryPa, entry, 1));
      const pa = lab.tee().translate(BigInt(ipa));
      assert.notEqual(pa, undefined);
      assert.equal(pa, normalPa(lab, vm, ipa));
      assertDone(put(lab, entryPa, 0n, 1));

      assert.equal(lab.tee().translate(BigInt(ipa)), undefined);
      assert.deepEqual(differences(lab, vm), []);
    });
  }

  test("all of it, with the root's first entry; and what comes back in its place", async () => {
    const { lab, vm } = await aCalledTee();
    const rootEntry = lab.machine.memory.read64(vm.tables.rootPa);
    lab.tee().translate(0x40000000n);

    assertDone(put(lab, vm.tables.rootPa, 0n, 1));
    assert.equal(lab.tee().translate(0x40000000n), undefined);
    assert.deepEqual(differences(lab, vm), []);

    assertDone(put(lab, vm.tables.rootPa, rootEntry, 1));
    assert.equal(lab.tee().translate(0x40000000n), vm.ramPa);
    assert.deepEqual(differences(lab, vm), []);
  });

  test("the normal world's first GiB is not the TEE's, whatever happens to it", async () => {
    const { lab, vm } = await aCalledTee();
    const entryPa = vm.tables.entryPa(0, 1);
    for (const entry of [0n, stage2Block(FAR), 0n, tableEntry(aTable(lab))]) {
      assertDone(put(lab, entryPa, entry, 1));
      assert.equal(lab.tee().translate(BigInt(TEE_RAM_IPA)), lab.machine.poolTeePa);
      assert.equal(lab.tee().translate(0x38000000n), undefined);
    }
  });

  test("another VM's tables are no business of the TEE", async () => {
    const { lab, vm } = await aCalledTee();
    const other = lab.aGuest({ core: 1, ramMib: 8 });
    lab.hypervisor.interrupt(lab.core(1));
    assertDone(put(lab, other.tables.entryPa(2 * GIB, 1), stage2Block(FAR), 1));
    assert.equal(lab.tee().translate(BigInt(2 * GIB)), undefined);
    assert.deepEqual(differences(lab, vm), []);
  });
});

// Any entry of the root, of the level-1 tables and of one level-2 table, with any of these values, in any order.
type Step = readonly [level: number, index: number, value: number];
const step: fc.Arbitrary<Step> = fc.tuple(
  fc.nat({ max: 3 }),
  fc.constantFrom(0, 1, 2, 3, 511),
  fc.nat({ max: 5 }),
);

test("after any history of stores the TEE reaches what the normal world reaches, and nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const { lab, vm } = await aCalledTee();
      for (const [level, index, value] of steps) {
        store(lab, vm, level, index, value);
        assert.deepEqual(differences(lab, vm), []);
      }
      const kept = [...lab.machine.tlbs[0]!.kept()].filter(({ vmid }) => vmid === BigInt(TEE_VMID));
      assert(kept.every(({ pa }) => pa >= lab.machine.poolTeePa || pa < lab.machine.bootPackage.poolPa));
    }),
    { numRuns: 60 },
  );
});

/** A table of the level where there is one, reached by the first entries of those above; else the root. */
function store(lab: Lab, vm: VirtualMachine, level: number, index: number, kind: number): void {
  let tablePa = vm.tables.rootPa;
  let depth = 0;
  const via = [0, 1, 3][kind % 3]!;
  while (depth < level) {
    const entry = lab.machine.memory.read64(tablePa + (depth === 0 ? 0 : via) * 8);
    if ((entry & 3n) !== 3n) break;
    tablePa = Number(entry & 0xfffffffff000n);
    depth++;
  }
  const entries = [
    () => 0n,
    () => 0xabcd00n,
    () => (depth === 3 ? stage2Page(0x70000000) : stage2Block(depth === 1 ? FAR : 0x70000000)),
    () => (depth === 3 ? stage2Page(vm.ramPa) : stage2Block(depth === 1 ? 2 * FAR : vm.ramPa)),
    () => tableEntry(aTable(lab)),
    () =>
      tableEntry(
        aTable(lab, {
          0: depth === 2 ? stage2Page(0x71000000) : stage2Block(depth === 1 ? 0x72000000 : FAR),
        }),
      ),
  ];
  put(lab, tablePa + index * 8, entries[kind]!(), 1); // it may be refused
}
