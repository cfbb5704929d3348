// Random histories of a hostile hypervisor on two cores: any store to any entry of its live tables, any root under any VMID, VMs that come and go.
// After each history memory is valid by the specification (spec/valid.ts), and every page's state followed from the one before.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SMMU_PA } from "../../abi/memory-map.ts";
import { mayFollow } from "../../spec/transitions.ts";
import { brokenRules, isValid } from "../../spec/valid.ts";
import { brokenInvariants } from "../drivers/invariants.ts";
import { type Lab, labOf } from "../drivers/lab.ts";
import { memoryStateOf } from "../drivers/memory-state.ts";
import { put, stage2Block, stage2Page } from "../drivers/tables.ts";
import type { VirtualMachine } from "../drivers/virtual-machine.ts";
import { imagePa, stage1Leaf, tableEntry } from "../drivers/xen-memory.ts";
import { MachineCheck } from "../machine/errors.ts";
import { monitorModule } from "../machine/monitor.ts";
import { pageRecord } from "../machine/page-records.ts";

const module = await monitorModule();
const { VTZ_FULL } = process.env;
const RUNS = VTZ_FULL === "1" ? 600 : 40;
const MIB2 = 1 << 21;

/** What a history of a hypervisor plays with. */
class Attack {
  readonly lab: Lab;
  readonly vms: VirtualMachine[];
  /** Its own pages: some empty, some with entries, one that a guest maps. */
  readonly pages: number[];
  readonly tables: number[];
  isOver = false;

  constructor(lab: Lab) {
    this.lab = lab;
    const { hypervisor } = lab;
    this.vms = [hypervisor.controlDomain, lab.aGuest({ ramMib: 4 })];
    hypervisor.interrupt(lab.core(0));
    this.pages = Array.from({ length: 4 }, () => hypervisor.allocate());
    for (const pa of this.pages) hypervisor.zeroPage(pa);
    hypervisor.write64(this.pages[1]!, stage2Page(this.pages[2]!));
    hypervisor.write64(this.pages[1]! + 8, stage2Page(lab.machine.poolTeePa));
    this.tables = [
      ...hypervisor.tables.all(),
      ...this.vms.flatMap((vm) => [vm.tables.rootPa, ...[1, 2, 3].map((level) => tableOf(vm, level))]),
      hypervisor.emptyRootPa,
      ...this.pages,
    ];
  }

  /** Addresses that an entry may name, harmless and not. */
  targets(): number[] {
    const { machine, hypervisor } = this.lab;
    const { poolPa } = machine.bootPackage;
    return [
      ...this.pages,
      ...[poolPa, machine.poolTeePa, poolPa - MIB2, SMMU_PA, 0x09000000],
      ...[imagePa(0x01), imagePa(0xc1), imagePa(0x95)],
      ...[hypervisor.rootPa, hypervisor.tables.vmap, this.vms[1]!.tables.rootPa],
      this.vms[1]!.ramPa,
    ];
  }

  store(coreIndex: number, table: number, index: number, kind: number, target: number): void {
    const tablePa = this.tables[table % this.tables.length]!;
    const pa = this.targets()[target % this.targets().length]!;
    put(this.lab, tablePa + index * 8, entryOf(kind, pa), coreIndex);
  }

  load(coreIndex: number, root: number, vmid: number): void {
    const roots = [
      ...this.vms.map((vm) => vm.tables.rootPa),
      this.lab.hypervisor.emptyRootPa,
      ...this.targets(),
    ];
    const vttbr = (BigInt(vmid) << 48n) | BigInt(roots[root % roots.length]!);
    this.lab.hypervisor.writes(this.lab.core(coreIndex), "VTTBR", vttbr);
  }
}

/** The table of a level: RAM is mapped by blocks, the grant table by a page. */
function tableOf(vm: VirtualMachine, level: number): number {
  return vm.tables.entryPa(level === 3 ? 0x38000000 : 0x40000000, level as 1 | 2 | 3) & ~0xfff;
}

/** Entries of both stages: the bits of one mean something in the other. */
function entryOf(kind: number, pa: number): bigint {
  const block = pa - (pa % MIB2);
  const values = [
    () => 0n,
    () => tableEntry(pa),
    () => stage2Page(pa),
    () => stage2Block(block),
    () => stage1Leaf(pa, 3),
    () => stage1Leaf(pa, 3, { write: false, execute: true }),
    () => stage1Leaf(pa, 3, { execute: true }),
    () => stage1Leaf(block, 2, { contiguous: true }),
    () => stage2Page(pa) & ~1n,
    () => stage2Page(pa) & ~2n,
  ];
  return values[kind % values.length]!();
}

type Step =
  | { act: "store"; core: number; table: number; index: number; kind: number; target: number }
  | { act: "load"; core: number; root: number; vmid: number };

const word = fc.nat({ max: 1000 });
const core = fc.nat({ max: 1 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant("store" as const),
      core,
      table: word,
      index: fc.constantFrom(0, 1, 2, 16, 20, 128, 256, 257, 511),
      kind: word,
      target: word,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant("load" as const),
      core,
      root: word,
      vmid: fc.constantFrom(0, 1, 2, 3, 7, 239, 240, 255, 256),
    }),
  },
);
const history = fc.array(fc.tuple(anyStep, fc.option(fc.tuple(anyStep, fc.nat({ max: 40 })), { freq: 4 })), {
  minLength: 1,
  maxLength: 40,
  size: "+1",
});

/** A hypervisor that has unmapped its own code does nothing any more. */
function perform(attack: Attack, step: Step): void {
  if (attack.isOver) return;
  try {
    if (step.act === "store") attack.store(step.core, step.table, step.index, step.kind, step.target);
    else attack.load(step.core, step.root, step.vmid);
  } catch (error) {
    if (!(error instanceof MachineCheck) || !/EL2 does not execute/.test(error.message)) throw error;
    attack.isOver = true;
  }
}

/** The second step is another core's, in the middle of the first, before the monitor's act number `at`. */
function performBoth(attack: Attack, first: Step, second: Step, at: number): void {
  const { machine } = attack.lab;
  let count = 0;
  machine.interleave = () => {
    if (count++ !== at) return;
    machine.interleave = undefined;
    perform(attack, { ...second, core: 1 });
  };
  perform(attack, { ...first, core: 0 });
  machine.interleave = undefined;
}

function statesOf(attack: Attack): Map<number, number> {
  const seen = [...attack.tables, ...attack.targets().filter((pa) => pa >= 0x40000000)];
  return new Map(seen.map((pa) => [pa, pageRecord(attack.lab.machine, pa).state]));
}

test("whatever a hostile hypervisor stores and loads, memory stays valid", () => {
  fc.assert(
    fc.property(history, (steps) => {
      const attack = new Attack(labOf(module));
      for (const [first, second] of steps) {
        const before = statesOf(attack);
        if (second === null) perform(attack, first);
        else performBoth(attack, first, ...second);
        if (second === null)
          for (const [pa, state] of statesOf(attack))
            assert.ok(
              mayFollow(before.get(pa)!, state),
              `0x${pa.toString(16)}: ${before.get(pa)} → ${state}`,
            );
        assert.deepEqual(brokenInvariants(attack.lab), []);
      }
      assert.deepEqual(brokenRules(memoryStateOf(attack.lab.machine, attack.lab.slotCount)), []);
      assert.equal(attack.lab.machine.epitaph, undefined);
    }),
    { numRuns: RUNS },
  );
});

test("the predicate bites: what the monitor would have had to refuse is seen", () => {
  const attack = new Attack(labOf(module));
  const { machine, hypervisor } = attack.lab;
  const state = () => memoryStateOf(machine, attack.lab.slotCount);
  assert.ok(isValid(state()));

  const entryPa = hypervisor.tables.vmap + 100 * 8;
  const bad = [
    stage1Leaf(machine.poolTeePa, 3, { write: false }),
    stage1Leaf(hypervisor.rootPa, 3),
    stage1Leaf(attack.pages[0]!, 3, { write: false, execute: true }),
    stage1Leaf(attack.pages[0]!, 3),
    stage1Leaf(SMMU_PA, 3, { device: true }),
  ];
  for (const leaf of bad) {
    machine.memory.write64(entryPa, leaf);
    assert.equal(isValid(state()), false);
  }
  machine.memory.write64(entryPa, 0n);
  assert.ok(isValid(state()));
  const guestEntryPa = attack.vms[1]!.tables.entryPa(0x38000000, 3);
  for (const leaf of [stage2Page(machine.poolTeePa), stage2Page(hypervisor.rootPa), 0n]) {
    machine.memory.write64(guestEntryPa, leaf);
    assert.equal(isValid(state()), false);
  }
});
