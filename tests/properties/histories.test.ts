// Random histories of two cores, three VMs and two TEE slots: whatever guests and TEEs do while the hypervisor schedules them, the
// invariants hold after every step, nothing of a TEE is to be seen outside of it, and the machine never stops.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FOREIGN_NONE, FOREIGN_VFIQ, FOREIGN_VIRQ, WFI_FAULTS, WFI_LEAVES } from "../../abi/boot-package.ts";
import { XEN_HCR } from "../drivers/hypervisor.ts";
import { brokenInvariants, placesWith } from "../drivers/invariants.ts";
import { labOf } from "../drivers/lab.ts";
import { teeRuns } from "../drivers/tee.ts";
import { EL1H } from "../machine/core.ts";
import { monitorModule } from "../machine/monitor.ts";
import { word } from "../machine/source-words.ts";
import { ACTS, FIRST_VMID, type History, VCPUS, VM_PLACES } from "./history.ts";

const module = await monitorModule();
const { VTZ_FULL } = process.env;
const RUNS = VTZ_FULL === "1" ? 1000 : 100;

type Name = keyof typeof ACTS;

class Act implements fc.Command<object, History> {
  readonly name: Name;
  readonly words: readonly unknown[];

  constructor(name: Name, words: readonly unknown[]) {
    this.name = name;
    this.words = words;
  }

  check(): boolean {
    return true; // nobody below EL3 asks whether he may
  }

  perform(history: History): void {
    (ACTS[this.name] as (history: History, ...words: unknown[]) => void)(history, ...this.words);
  }

  run(_model: object, history: History): void {
    this.perform(history);
    assert.deepEqual(brokenInvariants(history.lab), []);
    if (!history.lab.machine.cores.some(teeRuns))
      assert.deepEqual(
        placesWith(history.lab, (value) => value >> 48n === 0x5ec5n),
        [],
      );
  }

  toString(): string {
    return `${this.name}(${this.words.map((word) => (typeof word === "bigint" ? `${word}n` : String(word))).join(", ")})`;
  }
}

/** One core's act with another core's in the middle of it, before the act number `at` of the monitor on the machine. */
class Interleaved extends Act {
  readonly inner: Act;
  readonly at: number;

  constructor(outer: Act, inner: Act, at: number) {
    super(outer.name, outer.words);
    this.inner = inner;
    this.at = at;
  }

  override run(model: object, history: History): void {
    const { machine } = history.lab;
    let count = 0;
    machine.interleave = () => {
      if (machine.current.index !== 0 || count++ !== this.at) return;
      machine.interleave = undefined;
      this.inner.perform(history);
    };
    try {
      super.run(model, history);
    } finally {
      machine.interleave = undefined;
    }
  }

  override toString(): string {
    return `${super.toString()} with ${this.inner.toString()} at ${this.at}`;
  }
}

const act = (name: Name, ...words: fc.Arbitrary<unknown>[]) =>
  fc.tuple(...words).map((values) => new Act(name, values));

const core = fc.nat({ max: 1 });
const place = fc.nat({ max: VM_PLACES - 1 });
const vcpu = fc.nat({ max: VCPUS - 1 });
const ticks = fc.constantFrom(1, 1000, 2000, 100_000, 1_250_000);
const fid = fc.constantFrom(0xb2000001n, 0x32000004n, 0x30000000n, 0xb2000009n, 0x84000000n, 0xc3000000n);
const word64 = fc.oneof(fc.constantFrom(0n, 1n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const device = fc.constantFrom(
  0x08000100,
  0x080a0000 + 0x10180,
  0x080a0000 + 0x10100,
  0x09040000,
  0x09040018,
);
const ipa = fc.oneof(
  device,
  fc.nat({ max: 0xffffffff }).map((address) => address - (address % 4)),
);
const anyMode = fc.oneof(fc.constant(EL1H), fc.bigInt({ min: 0n, max: 31n }));
const anyHcr = fc.constantFrom(XEN_HCR, XEN_HCR & ~word("HCR_EL2_RW"));
const anyVmpidr = fc.constantFrom(0x80000000n, 0x80000001n, 0x80000002n, 0x81000000n, 0x80010001n, 0n);
const timerImm = fc.constantFrom(0x2020, 0x2000, 0x2040, 0x20a0, 0x2080, 0x20c5);

// What everybody does all day, so that histories get somewhere …
const usual = [
  act("createVm", place),
  act("run", place, vcpu, core),
  act("run", place, fc.constant(0), core),
  act("teeLeaves", core, word64),
  act("teeLeaves", core, word64),
  act("guestSmc", core, fc.array(fid, { minLength: 1, maxLength: 1 }), fc.constant(0)),
  act("guestSmc", core, fc.array(fid, { minLength: 1, maxLength: 1 }), fc.constant(0)),
  act("interrupt", core),
  act("wait", ticks),
  act("foreignInterruptAndWait", core),
  act("guestRuns", core),
  act("teeSmc", core, fc.constantFrom(0n, 1n, 0x80000000n), timerImm),
  act("teeAccesses", core, device, fc.boolean()),
  act("teeUses", core, fc.nat({ max: 2 })),
];
// … and what makes it hard.
const rare = [
  act("teeReturns", core, fc.constantFrom(0, 1, 5, 6, 15), fc.constantFrom(0n, 0x0e100800n)),
  act(
    "guestSmc",
    core,
    fc.array(word64, { maxLength: 8 }),
    fc.oneof(fc.constant(0), fc.nat({ max: 0xffff })),
  ),
  act("destroyVm", place, core),
  act("flush", place, core),
  act("teeSmc", core, word64, fc.nat({ max: 0xffff })),
  act("teeAccesses", core, ipa, fc.boolean()),
  act("teeExits", core, fc.nat({ max: 3 })),
  act("spuriousFiq", core),
  act("jump", place, core, fc.constantFrom(8, 8, 8, 12, 4, 9), anyMode, anyHcr, anyVmpidr),
];
const acts = [...usual, ...usual, ...usual, ...rare];

// Two cores in the monitor at once: what a core does to itself, so that each act has its own.
const zero = fc.constant(0);
const aloneActs = (on: fc.Arbitrary<number>) => [
  act("run", place, vcpu, on),
  act("guestSmc", on, fc.array(fid, { minLength: 1, maxLength: 1 }), zero),
  act("guestRuns", on),
  act("teeLeaves", on, word64),
  act("teeSmc", on, fc.constantFrom(0n, 1n), timerImm),
  act("teeAccesses", on, ipa, fc.boolean()),
  act("teeUses", on, fc.nat({ max: 2 })),
  act("teeExits", on, fc.nat({ max: 3 })),
  act("interrupt", on),
  act("flush", place, on),
];
const interleaved = fc
  .tuple(
    fc.oneof(...aloneActs(zero), act("destroyVm", place, zero)),
    fc.oneof(...aloneActs(fc.constant(1))),
    fc.oneof(fc.nat({ max: 12 }), fc.nat({ max: 60 })),
  )
  .map(([outer, inner, at]) => new Interleaved(outer, inner, at));

const SPI = 40;
/** TEEs that are born later have not enabled it, but for what they do by chance. */
const READY = { vcpus: VCPUS, ramMib: 2, spi: SPI };
const profiles = fc.record({
  foreignInterrupt: fc.constantFrom(FOREIGN_VFIQ, FOREIGN_VIRQ, FOREIGN_NONE),
  foreignIntid: fc.constant(SPI),
  wfi: fc.constantFrom(WFI_FAULTS, WFI_LEAVES),
  coreCount: fc.constantFrom(1, 2, 4),
});

function histories(commands: fc.Arbitrary<Act>[]): void {
  fc.assert(
    fc.property(
      profiles,
      fc.constantFrom(2, 2, 1, 0),
      fc.commands(commands, { size: "+2", maxCommands: 250 }),
      (profile, readyCount, steps) => {
        const lab = labOf(module, { guests: 2, profile });
        const vms = Array.from({ length: VM_PLACES }, () => undefined);
        const history: History = { lab, vms, starting: new Set() };
        for (let ready = 0; ready < readyCount; ready++)
          history.vms[ready] = lab.aGuest({ ...READY, vmid: FIRST_VMID + ready, core: ready });
        fc.modelRun(() => ({ model: {}, real: history }), steps);
      },
    ),
    { numRuns: RUNS },
  );
}

test(`histories of hypervisor, guests and TEEs keep the invariants (${RUNS})`, { timeout: 600_000 }, () => {
  histories(acts);
});

test(`histories of two cores in the monitor at once keep the invariants (${RUNS})`, {
  timeout: 600_000,
}, () => {
  histories([...acts, ...Array.from({ length: 60 }, () => interleaved)]);
});
