// Random histories of a TEE at its TZC-400 and of a hypervisor that stores to the VM's tables and touches its memory. After
// each step memory is valid; the TEE has what it has taken, and elsewhere what its normal world has.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { aPartitionLab, MIB2, type PartitionLab, RAM_IPA, SECURE } from "../drivers/partition.ts";
import { GIB, put, stage2Block } from "../drivers/tables.ts";
import { directMapVa } from "../drivers/xen-memory.ts";

const { VTZ_FULL } = process.env;
const RUNS = VTZ_FULL === "1" ? 60 : 12;
const GRANULES = 4;
const OTHER_PA = 0x70000000;

type Step =
  | { act: "take"; region: number; granule: number; count: number }
  | { act: "return"; region: number }
  | { act: "store"; level: 0 | 1 | 2; granule: number; value: number }
  | { act: "touch"; granule: number };

const granule = fc.nat({ max: GRANULES - 1 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant("take" as const),
      region: fc.integer({ min: 1, max: 3 }),
      granule,
      count: fc.integer({ min: 1, max: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constant("return" as const), region: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant("store" as const),
      level: fc.constantFrom(0 as const, 1 as const, 2 as const),
      granule,
      value: fc.nat({ max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("touch" as const), granule }) },
);

class History {
  readonly it: PartitionLab;
  /** What stood in the VM's tables at the begin. */
  readonly #entries = new Map<number, bigint>();
  readonly #entryPas: readonly (readonly number[])[];
  /** Granule → region and PA of what the TEE has. */
  readonly #taken = new Map<number, { region: number; pa: number }>();
  /** Granules that the hypervisor has taken back. */
  readonly #lost = new Set<number>();

  constructor(it: PartitionLab) {
    this.it = it;
    this.#entryPas = Array.from({ length: GRANULES }, (_, index) =>
      ([0, 1, 2] as const).map((level) => it.vm.tables.entryPa(RAM_IPA + index * MIB2, level)),
    );
    for (const pa of this.#entryPas.flat()) this.#entries.set(pa, it.lab.machine.memory.read64(pa));
  }

  perform(step: Step): void {
    if (step.act === "take") this.#take(step.region, step.granule, step.count);
    else if (step.act === "return") this.#return(step.region);
    else if (step.act === "store") this.#store(step.level, step.granule, step.value);
    else this.#touch(step.granule);
  }

  #take(region: number, first: number, count: number): void {
    if (this.it.read("REGION_ATTRIBUTES", region) === SECURE) return;
    const pas = Array.from({ length: count }, (_, index) =>
      this.it.tablePa(RAM_IPA + (first + index) * MIB2),
    );
    if (!this.it.secure(RAM_IPA + first * MIB2, count * MIB2, region)) return;
    for (const [index, pa] of pas.entries()) this.#taken.set(first + index, { region, pa: pa! });
  }

  #return(region: number): void {
    this.it.release(region);
    if (this.it.read("REGION_ATTRIBUTES", region) === SECURE) return;
    for (const [index, taken] of [...this.#taken]) if (taken.region === region) this.#taken.delete(index);
  }

  /** Removed, as at the begin, or another block; whatever the monitor makes of it. */
  #store(level: number, index: number, kind: number): void {
    const pa = this.#entryPas[index]![level]!;
    const value = [0n, this.#entries.get(pa)!, stage2Block(level === 2 ? OTHER_PA : 16 * GIB)][kind]!;
    put(this.it.lab, pa, value, 1);
  }

  #touch(index: number): void {
    const pa = this.it.vm.ramPa + index * MIB2;
    this.it.lab.hypervisor.store(this.it.lab.core(1), directMapVa(pa), 1n);
    for (const [at, taken] of [...this.#taken]) {
      if (taken.pa !== pa) continue;
      this.#taken.delete(at);
      this.#lost.add(at);
    }
  }

  judge(): void {
    this.it.assertValid();
    for (let index = 0; index < GRANULES; index++) {
      const ipa = RAM_IPA + index * MIB2 + 0x5000;
      const taken = this.#taken.get(index);
      if (this.#lost.has(index)) assert.equal(this.it.teePa(ipa), undefined, `granule ${index} is lost`);
      else if (taken !== undefined) assert.equal(this.it.teePa(ipa), taken.pa + 0x5000, `granule ${index}`);
      else this.#assertMirrored(ipa);
    }
  }

  /** The normal world's, or nothing where the hypervisor has 1 GiB in one piece beside what is taken. */
  #assertMirrored(ipa: number): void {
    const tee = this.it.teePa(ipa);
    const normal = this.it.tablePa(ipa);
    const isPiece = normal !== undefined && normal >= 16 * GIB;
    if (!isPiece || tee !== undefined) assert.equal(tee, normal, ipa.toString(16));
  }
}

test("whatever a TEE takes and returns while a hypervisor stores and touches, memory is valid and each has its own", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 12 }), async (steps) => {
      const history = new History(await aPartitionLab());
      for (const step of steps) {
        history.perform(step);
        history.judge();
      }
    }),
    { numRuns: RUNS },
  );
});
