// Two cores in the monitor at once (tests/drivers/races.ts): calls, births, roots.

import assert from "node:assert/strict";
import { FAST_CALL, type Lab } from "../drivers/lab.ts";
import { type Race, raceSuite } from "../drivers/races.ts";
import { aTable, put, stage2Block } from "../drivers/tables.ts";
import { teeRuns } from "../drivers/tee.ts";
import { tableEntry } from "../drivers/xen-memory.ts";

const RACES: readonly Race[] = [
  {
    name: "two vCPUs call a TEE that has one core",
    options: { profile: { coreCount: 1 } },
    arrange(lab) {
      const vm = lab.aGuest({ vcpus: 2 });
      lab.runVcpu(vm.vcpus[1]!, 1);
      return { first: () => lab.guestCalls(0, FAST_CALL), second: () => lab.guestCalls(1, FAST_CALL) };
    },
    judge(lab) {
      assert.equal(lab.machine.cores.filter(teeRuns).length, 1);
    },
  },
  {
    name: "two VMs start",
    arrange(lab) {
      const [one, two] = [lab.aVm(), lab.aVm()];
      lab.hypervisor.run(lab.core(0), one.vcpus[0]!);
      lab.hypervisor.run(lab.core(1), two.vcpus[0]!);
      return { first: () => lab.fetch(lab.core(0)), second: () => lab.fetch(lab.core(1)) };
    },
    judge(lab) {
      assert(lab.machine.cores.every(teeRuns));
      assert.equal(new Set(lab.status.guests.map(({ slot }) => slot)).size, 2);
    },
  },
  {
    name: "two VMs start and there is room for one",
    options: { guests: 1 },
    arrange(lab) {
      const [one, two] = [lab.aVm(), lab.aVm()];
      lab.hypervisor.run(lab.core(0), one.vcpus[0]!);
      lab.hypervisor.run(lab.core(1), two.vcpus[0]!);
      return { first: () => lab.fetch(lab.core(0)), second: () => lab.fetch(lab.core(1)) };
    },
    judge(lab) {
      assert.equal(lab.machine.cores.filter(teeRuns).length, 1);
      assert(lab.eventKinds.includes("pool-exhausted"));
    },
  },
  {
    name: "a guest goes while another VM starts",
    arrange(lab) {
      const gone = lab.aGuest();
      lab.hypervisor.interrupt(lab.core(0));
      gone.tables.empty();
      const born = lab.aVm();
      lab.hypervisor.run(lab.core(1), born.vcpus[0]!);
      return {
        first: () => lab.hypervisor.flush(lab.core(0), gone.vttbr),
        second: () => lab.fetch(lab.core(1)),
      };
    },
    judge(lab) {
      assert(teeRuns(lab.core(1)));
      assert.equal(lab.status.guests.length, 1);
    },
  },
  {
    name: "two cores flush a guest that has gone",
    arrange(lab) {
      const gone = lab.aGuest();
      lab.hypervisor.interrupt(lab.core(0));
      gone.tables.empty();
      return {
        first: () => lab.hypervisor.flush(lab.core(0), gone.vttbr),
        second: () => lab.hypervisor.flush(lab.core(1), gone.vttbr),
      };
    },
    judge(lab) {
      assert.equal(lab.status.guestsDestroyed, 1);
    },
  },
  {
    name: "two vCPUs of a new VM start at once",
    arrange(lab) {
      const vm = lab.aVm({ vcpus: 2 });
      lab.hypervisor.run(lab.core(0), vm.vcpus[0]!);
      lab.hypervisor.run(lab.core(1), vm.vcpus[1]!);
      return { first: () => lab.fetch(lab.core(0)), second: () => lab.fetch(lab.core(1)) };
    },
    judge(lab) {
      assert.equal(lab.status.guests.length, 1, "one VM, one guest");
      assert.equal(lab.machine.cores.filter(teeRuns).length, 1);
    },
  },
  {
    name: "an empty root is loaded while another core stores to it",
    arrange(lab) {
      const vm = lab.hypervisor.createVm({ vmid: 9 });
      lab.hypervisor.flush(lab.core(0), vm.vttbr); // bound, and on no core
      const entry = aTableOfAllMemory(lab);
      return {
        first: () => lab.hypervisor.writes(lab.core(0), "VTTBR", vm.vttbr),
        second: () => put(lab, vm.tables.rootPa, entry, 1),
      };
    },
    judge(lab) {
      assert.equal(
        lab.machine.tlbs[0]!.translate(lab.machine.memory, lab.core(0).get("VTTBR_EL2"), 0n),
        undefined,
      );
    },
  },
  {
    name: "a root is released while another core still has it in its register",
    arrange(lab) {
      const vm = lab.hypervisor.createVm({ vmid: 9 });
      lab.hypervisor.writes(lab.core(0), "VTTBR", vm.vttbr);
      const entry = aTableOfAllMemory(lab);
      return {
        first: () => lab.hypervisor.writes(lab.core(0), "VTTBR", lab.hypervisor.controlDomain.vttbr),
        second: () => {
          put(lab, vm.tables.rootPa, entry, 1);
          const { memory, tlbs } = lab.machine;
          // The core may walk with what its register says, whoever executes on it.
          assert.equal(tlbs[0]!.translate(memory, lab.core(0).get("VTTBR_EL2"), 0n), undefined);
        },
      };
    },
    judge() {},
  },
];

/** An entry of a root, by which a VM would reach the pool. */
function aTableOfAllMemory(lab: Lab): bigint {
  return tableEntry(aTable(lab, { 0: stage2Block(0x40000000) }));
}

raceSuite("races of two cores", RACES);
