// A guest ends on one core while another core is about to use it (tests/drivers/races.ts). Its slot may be the next guest's at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { aLab, FAST_CALL, type Lab } from "../drivers/lab.ts";
import { type Race, raceSuite } from "../drivers/races.ts";
import { put } from "../drivers/tables.ts";
import { teeRuns } from "../drivers/tee.ts";
import type { VirtualMachine } from "../drivers/virtual-machine.ts";
import { EL1H, MASKED } from "../machine/core.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { word } from "../machine/source-words.ts";

/** The hypervisor has the core, and nothing is loaded. */
function leave(lab: Lab, index: number): void {
  assert(lab.hypervisor.interrupt(lab.core(index)));
  lab.hypervisor.idle(lab.core(index));
}

/** The VM's TEE on a core belongs to this VM. */
function servesOwn(lab: Lab, index: number, vm: VirtualMachine): boolean {
  const slot = new MonitorState(lab.machine).running(index)?.slot;
  return lab.status.guests.some((guest) => guest.vmid === vm.vmid && guest.slot === slot);
}

/** On core 1: the VM's memory is taken away, its VMID flushed, and another VM born, in its slot if that is free. */
function replace(lab: Lab, vm: VirtualMachine, next: VirtualMachine): void {
  put(lab, vm.tables.rootPa, 0n, 1);
  lab.hypervisor.flush(lab.core(1), vm.vttbr);
  if (!lab.runVcpu(next.vcpus[0]!, 1) && teeRuns(lab.core(1))) lab.tee(1).entryDone();
}

const PAGE_SIZE = 0x1000;
const LOCK_MEMORY = Number(word("LOCK_MEMORY"));

const vms = new WeakMap<Lab, VirtualMachine[]>();

/** Remembered for the judge. */
function keep(lab: Lab, ...kept: VirtualMachine[]): void {
  vms.set(lab, kept);
}

const RACES: readonly Race[] = [
  {
    name: "a guest calls its TEE while it is destroyed",
    arrange(lab) {
      const vm = lab.aGuest();
      vm.tables.empty();
      return {
        first: () => lab.guestCalls(0, FAST_CALL),
        second: () => lab.hypervisor.flush(lab.core(1), vm.vttbr),
      };
    },
    judge: endsWhole,
  },
  {
    name: "a guest is destroyed while it calls its TEE",
    arrange(lab) {
      const vm = lab.aGuest();
      vm.tables.empty();
      return {
        first: () => lab.hypervisor.flush(lab.core(1), vm.vttbr),
        second: () => lab.guestCalls(0, FAST_CALL),
      };
    },
    judge: endsWhole,
  },
  {
    name: "a guest calls its TEE while its slot becomes another's",
    options: { guests: 1 },
    arrange(lab) {
      const [vm, next] = [lab.aGuest(), lab.aVm()];
      keep(lab, vm);
      return { first: () => lab.guestCalls(0, FAST_CALL), second: () => replace(lab, vm, next) };
    },
    judge(lab) {
      assert(!teeRuns(lab.core(0)) || servesOwn(lab, 0, vms.get(lab)![0]!));
    },
  },
  {
    name: "a guest is switched to while its slot becomes another's",
    options: { guests: 1, cores: 3 },
    arrange(lab) {
      const [vm, next] = [lab.aGuest(), lab.aVm()];
      leave(lab, 0);
      keep(lab, vm);
      return {
        first: () => lab.hypervisor.writes(lab.core(0), "VTTBR", vm.vttbr),
        second: () => {
          const entry = lab.machine.memory.read64(vm.tables.rootPa);
          replace(lab, vm, next);
          put(lab, vm.tables.rootPa, entry, 2);
          lab.hypervisor.writes(lab.core(2), "VTTBR", vm.vttbr);
        },
      };
    },
    judge(lab) {
      Object.assign(lab.core(0), { pc: 0x40000000n, pstate: EL1H | MASKED });
      lab.guestCalls(0, FAST_CALL);
      assert(!teeRuns(lab.core(0)) || servesOwn(lab, 0, vms.get(lab)![0]!));
    },
  },
  {
    name: "the end of a guest is asked for while its slot becomes another's",
    options: { guests: 1 },
    arrange(lab) {
      const [vm, next] = [lab.aGuest(), lab.aVm()];
      leave(lab, 0);
      keep(lab, next);
      put(lab, vm.tables.rootPa, 0n, 1);
      return {
        first: () => lab.hypervisor.writes(lab.core(0), "VTTBR", vm.vttbr),
        second: () => replace(lab, vm, next),
      };
    },
    judge(lab) {
      const [next] = vms.get(lab)!;
      assert.deepEqual(
        lab.status.guests.map(({ vmid }) => vmid),
        [next!.vmid],
      );
    },
  },
  {
    name: "the end of a guest is asked for while its root is filled",
    arrange(lab) {
      const vm = lab.aGuest();
      leave(lab, 0);
      const entry = lab.machine.memory.read64(vm.tables.rootPa);
      put(lab, vm.tables.rootPa, 0n, 1);
      return {
        first: () => lab.hypervisor.writes(lab.core(0), "VTTBR", vm.vttbr),
        second: () => put(lab, vm.tables.rootPa, entry, 1),
      };
    },
    judge(lab) {
      Object.assign(lab.core(0), { pc: 0x40000000n, pstate: EL1H | MASKED });
      assert(!lab.fetch(lab.core(0)) || lab.status.guests.length === 1, "it runs without its TEE");
    },
  },
  {
    name: "a VM starts while its slot becomes another's",
    options: { guests: 1 },
    arrange(lab) {
      const [vm, next] = [lab.aVm(), lab.aVm()];
      keep(lab, vm);
      lab.hypervisor.run(lab.core(0), vm.vcpus[0]!);
      return { first: () => lab.fetch(lab.core(0)), second: () => replace(lab, vm, next) };
    },
    judge(lab) {
      const [vm] = vms.get(lab)!;
      assert(!teeRuns(lab.core(0)) || servesOwn(lab, 0, vm!));
      const hasGuest = new MonitorState(lab.machine).core(0, "guest") !== 0n;
      assert(!hasGuest || lab.status.guests.some(({ vmid }) => vmid === vm!.vmid), "it has another's TEE");
    },
  },
];

/** Either the call came first and is served by a guest that is still there, or the guest is gone and nothing of it runs. */
function endsWhole(lab: Lab): void {
  const { guests } = lab.status;
  assert.equal(teeRuns(lab.core(0)), guests.length === 1);
  assert.notEqual(lab.core(0).get("HCR_EL2") & 1n, 0n, "stage 2 is on");
}

raceSuite("a guest ends", RACES);

test("a VM's birth reads its tables under the lock only: else they could lead EL3 anywhere meanwhile", async () => {
  const lab = await aLab();
  const vm = lab.aVm();
  lab.hypervisor.run(lab.core(0), vm.vcpus[0]!);
  const level1Pa = Number(lab.machine.memory.read64(vm.tables.rootPa) & 0xfffffffff000n);
  const { machine } = lab;
  const read = machine.readPhysical.bind(machine);
  const reads = { locked: 0, unlocked: 0 };
  machine.readPhysical = (pa, length) => {
    if (pa >= level1Pa && pa < level1Pa + PAGE_SIZE)
      reads[machine.isLocked(LOCK_MEMORY) ? "locked" : "unlocked"]++;
    return read(pa, length);
  };

  lab.fetch(lab.core(0));

  assert(teeRuns(lab.core(0)));
  assert(reads.locked > 0);
  assert.equal(reads.unlocked, 0);
});
