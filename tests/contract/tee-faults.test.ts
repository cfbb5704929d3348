// What a TEE may not do, or cannot: each ends in a fault of that guest's TEE alone. The guest goes on, its calls are answered NOT_SUPPORTED,
// its neighbour notices nothing.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { BOOT_MANIFEST_SIZE } from "../../abi/boot-package.ts";
import { COMPARTMENT_ATTEST } from "../../abi/compartments.ts";
import { BOOT_PACKAGE_PA } from "../../abi/memory-map.ts";
import * as abi from "../../abi/status.ts";
import * as words from "../../abi/tee.ts";
import { NOT_SUPPORTED } from "../drivers/asserts.ts";
import {
  advance,
  EC_HVC,
  EC_INSTRUCTION_ABORT,
  EC_SYSTEM_REGISTER,
  esrOf,
  exitToEl2,
  useGicInterface,
} from "../drivers/exceptions.ts";
import { brokenInvariants, placesWith } from "../drivers/invariants.ts";
import {
  aKeySite,
  aLab,
  anImage,
  FAST_CALL,
  KEY_SITE_OFFSET,
  type Lab,
  type LabOptions,
  taggedValues,
} from "../drivers/lab.ts";
import { aPartitionLab, RAM_IPA } from "../drivers/partition.ts";
import { teeRuns } from "../drivers/tee.ts";
import { directMapVa } from "../drivers/xen-memory.ts";

interface FaultRow {
  readonly name: string;
  readonly fault: string;
  readonly detail?: bigint;
  readonly options?: LabOptions;
  readonly act: (lab: Lab) => void;
}

const UNBACKED = 0x0a000000n;
const NORMAL_HOLE = 0x5000_0000n;

const ROWS: readonly FaultRow[] = [
  { name: "panics (WFI)", fault: "FAULT_PANIC", detail: 0x0e1234c0n, act: (lab) => lab.tee().wfi() },
  {
    name: "loads from nothing",
    fault: "FAULT_MEMORY",
    detail: UNBACKED,
    act: (lab) => lab.tee().accessIpa(UNBACKED),
  },
  {
    name: "stores to nothing",
    fault: "FAULT_MEMORY",
    detail: UNBACKED,
    act: (lab) => lab.tee().accessIpa(UNBACKED, { write: true }),
  },
  {
    name: "touches memory that its guest does not have",
    fault: "FAULT_MEMORY",
    detail: NORMAL_HOLE,
    act: (lab) => {
      lab.tee().accessIpa(NORMAL_HOLE); // another core may just have mapped it: once more
      lab.tee().accessIpa(NORMAL_HOLE);
    },
  },
  {
    name: "touches a device by an instruction without a syndrome",
    fault: "FAULT_MEMORY",
    detail: 0x09040000n,
    act: (lab) => lab.tee().accessIpa(0x09040000n, { isv: false }),
  },
  ...[0x0803_0000n, 0x0812_0000n, 0x0903_f000n, 0x0904_1000n, 0x3800_0000n, 0n].map((ipa) => ({
    name: `touches 0x${ipa.toString(16)}, beside its devices`,
    fault: "FAULT_MEMORY",
    detail: ipa,
    act: (lab: Lab) => lab.tee().accessIpa(ipa),
  })),
  {
    name: "executes where nothing is",
    fault: "FAULT_EXCEPTION",
    detail: esrOf(EC_INSTRUCTION_ABORT, 6n),
    act: (lab) =>
      exitToEl2(lab.machine, lab.core(0), "synchronous", { esr: esrOf(EC_INSTRUCTION_ABORT, 6n) }),
  },
  {
    name: "calls the hypervisor",
    fault: "FAULT_EXCEPTION",
    detail: esrOf(EC_HVC),
    act: (lab) => exitToEl2(lab.machine, lab.core(0), "synchronous", { esr: esrOf(EC_HVC) }),
  },
  {
    name: "touches a register that it does not have",
    fault: "FAULT_EXCEPTION",
    act(lab) {
      useGicInterface(lab.machine, lab.core(0));
      exitToEl2(lab.machine, lab.core(0), "synchronous", { esr: esrOf(EC_SYSTEM_REGISTER) });
    },
  },
  {
    name: "causes an SError",
    fault: "FAULT_EXCEPTION",
    act: (lab) => exitToEl2(lab.machine, lab.core(0), "serror", { esr: 0xbe000000n }),
  },
  {
    name: "says that it has booted when it has long since",
    fault: "FAULT_CALL",
    detail: BigInt(words.TEE_ENTRY_DONE),
    act: (lab) => lab.tee().entryDone(),
  },
  {
    name: "says that an interrupt is served when there was none",
    fault: "FAULT_CALL",
    detail: BigInt(words.TEE_INTERRUPT_DONE),
    act: (lab) => lab.tee().interruptDone(),
  },
  ...[2, 3, 4, 7, 14].map((low) => ({
    name: `says 0xbe00000${low.toString(16)}, which means nothing here`,
    fault: "FAULT_CALL",
    detail: BigInt(words.TEE_RETURN_VALUE + low),
    act: (lab: Lab) => lab.tee().returns(words.TEE_RETURN_VALUE + low),
  })),
  {
    name: "says that a core is up that was not started",
    fault: "FAULT_CORE_ON",
    detail: 0n,
    act: (lab) => lab.tee().coreOnDone(),
  },
  {
    name: "never leaves although interrupts wait",
    fault: "FAULT_STUCK",
    detail: 0x0e1234c0n,
    act(lab) {
      for (let times = 0; times < 600 && teeRuns(lab.core(0)); times++) {
        lab.hypervisor.interrupt(lab.core(0));
        advance(lab.machine, 1_250_000n);
        if (lab.status.guests[0]?.state === "ready") lab.guestCalls(0);
      }
    },
  },
];

const reached = new Set<string>();

/** Two guests, the first in a call to its TEE, the second ready on core 1. */
async function twoGuests(options: LabOptions = {}): Promise<Lab> {
  const lab = await aLab(options);
  lab.aGuest({ core: 0 });
  lab.aGuest({ core: 1 });
  lab.guestCalls(0, FAST_CALL);
  lab.tee().fillRegisters(taggedValues(0x5ec5n), { gic: false });
  lab.core(0).pc = 0x0e1234c0n;
  return lab;
}

function lastFault(lab: Lab): { fault: string; detail: bigint } {
  const event = lab.status.events.filter(({ kind }) => kind === "tee-faulted").at(-1)!;
  const name = Object.entries(abi).find(
    ([key, value]) => key.startsWith("FAULT_") && BigInt(value) === BigInt(event.arguments[0]),
  )?.[0];
  reached.add(name ?? "unnamed");
  return { fault: name ?? "unnamed", detail: BigInt(event.arguments[1]) };
}

suite("a TEE in a call that", () => {
  for (const { name, fault, detail, options, act } of ROWS) {
    test(`${name} is stopped (${fault}), its guest answered, its neighbour left alone`, async () => {
      const lab = await twoGuests(options);

      act(lab);

      const seen = lastFault(lab);
      assert.equal(seen.fault, fault);
      if (detail !== undefined) assert.equal(seen.detail, detail);
      assert(!teeRuns(lab.core(0)));
      assert.equal(lab.core(0).x[0], NOT_SUPPORTED);
      assert.deepEqual(
        placesWith(lab, (value) => value >> 48n === 0x5ec5n),
        [],
      );
      assert.deepEqual(brokenInvariants(lab), []);
      lab.guestCalls(0, FAST_CALL);
      assert.equal(lab.core(0).x[0], NOT_SUPPORTED, "and ever after");
      lab.guestCalls(1, FAST_CALL);
      lab.tee(1).callDone(77n);
      assert.equal(lab.core(1).x[0], 77n);
    });
  }
});

suite("a TEE at its boot that", () => {
  interface BootRow {
    readonly name: string;
    readonly fault: string;
    readonly detail?: bigint;
    readonly options?: LabOptions;
    readonly prepare?: (lab: Lab) => void;
    readonly act?: (lab: Lab) => void;
  }
  const otherAt = (index: number) => {
    const { offset, words } = aKeySite();
    return { offset, words: words.with(index, words[index]! ^ 1) };
  };
  const BOOT_ROWS: readonly BootRow[] = [
    {
      name: "is not the image that was signed",
      fault: "FAULT_IMAGE",
      prepare: ({ machine }) => machine.memory.write(BOOT_PACKAGE_PA + BOOT_MANIFEST_SIZE, 1, 0x5an),
    },
    {
      name: "has no key",
      fault: "FAULT_KEY",
      prepare: ({ machine }) => {
        machine.forcedEnd = "abort";
        machine.forcedCompartment = COMPARTMENT_ATTEST;
      },
    },
    { name: "panics", fault: "FAULT_PANIC", act: (lab) => lab.tee().wfi() },
    { name: "answers a call that nobody made", fault: "FAULT_CALL", act: (lab) => lab.tee().callDone(0n) },
    { name: "gives no vector table", fault: "FAULT_CALL", act: (lab) => lab.tee().entryDone(0n) },
    {
      name: "has another number of secure-timer instructions",
      fault: "FAULT_ADAPTED_SITES",
      options: { profile: { adaptedSites: 4 } },
    },
    {
      name: "has no secure-timer instruction at all",
      fault: "FAULT_ADAPTED_SITES",
      options: { image: new Uint8Array(anImage().length) },
    },
    ...[0, 6].map((index) => ({
      name: `has another instruction ${index} where its key is to be put`,
      fault: "FAULT_KEY_SITE",
      detail: 0x0e100000n + BigInt(KEY_SITE_OFFSET + 4 * index),
      options: { keySite: otherAt(index) },
    })),
  ];
  for (const { name, fault, detail, options, prepare, act } of BOOT_ROWS) {
    test(`${name} is stopped (${fault}), and its guest starts without it`, async () => {
      const lab = await aLab(options);
      prepare?.(lab);
      const vm = lab.aVm();

      lab.runVcpu(vm.vcpus[0]!);
      act?.(lab);

      const seen = lastFault(lab);
      assert.equal(seen.fault, fault);
      if (detail !== undefined) assert.equal(seen.detail, detail);
      assert(lab.fetch(lab.core(0)));
      assert.equal(lab.core(0).pc, 0x40000000n);
      assert.equal(lab.core(0).x[0], vm.vcpus[0]!.x[0], "no call was answered");
      lab.guestCalls(0, FAST_CALL);
      assert.equal(lab.core(0).x[0], NOT_SUPPORTED);
      assert.deepEqual(brokenInvariants(lab), []);
    });
  }

  test("fails to bring a further core up is stopped (FAULT_CORE_ON), the call answered", async () => {
    const lab = await aLab();
    const vm = lab.aGuest({ vcpus: 2 });
    lab.runVcpu(vm.vcpus[1]!, 1);
    lab.guestCalls(1, FAST_CALL);

    lab.tee(1).coreOnDone(1n);

    assert.deepEqual(lastFault(lab), { fault: "FAULT_CORE_ON", detail: 1n });
    assert.equal(lab.core(1).x[0], NOT_SUPPORTED);
    assert.deepEqual(brokenInvariants(lab), []);
  });
});

test("a TEE that loses memory which it had turned secure is stopped (FAULT_MEMORY_LOST): nobody enters it again", async () => {
  const it = await aPartitionLab();
  it.secure(RAM_IPA);

  it.lab.hypervisor.store(it.lab.core(1), directMapVa(it.vm.ramPa + 0x18), 1n);

  assert.deepEqual(lastFault(it.lab), { fault: "FAULT_MEMORY_LOST", detail: BigInt(it.vm.ramPa) });
  it.lab.tee().callDone(1n);
  it.lab.guestCalls(0, FAST_CALL);
  assert.equal(it.lab.core(0).x[0], NOT_SUPPORTED);
});

test("every FAULT_* word was reached", () => {
  const all = Object.keys(abi).filter((name) => name.startsWith("FAULT_"));
  assert.deepEqual(
    all.filter((name) => !reached.has(name)),
    [],
  );
});

test("a faulted guest's TEE RAM comes back zeroed when the guest goes", async () => {
  const lab = await aLab();
  const vm = lab.aGuest();
  lab.guestCalls(0, FAST_CALL);
  lab.tee().wfi();
  lab.hypervisor.interrupt(lab.core(0));

  lab.hypervisor.destroy(lab.core(0), vm);

  assert.equal(lab.status.poolFree, lab.status.poolTotal);
  assert.deepEqual(brokenInvariants(lab), []);
});
