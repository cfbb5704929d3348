// A TEE changes its partition on one core while another core is about to use the same memory (tests/drivers/races.ts).

import assert from "node:assert/strict";
import { FAST_CALL, type Lab } from "../drivers/lab.ts";
import { MIB2, PartitionLab, RAM_IPA, SECURE } from "../drivers/partition.ts";
import { type Race, raceSuite } from "../drivers/races.ts";
import { put, stage2Page, stateOf } from "../drivers/tables.ts";
import { directMapVa } from "../drivers/xen-memory.ts";

const PLACE = 0x7_0000_0000;
const SECRET = 0x5ec5_0000_0000_0001n;
const labs = new WeakMap<Lab, PartitionLab>();
const of = (lab: Lab): PartitionLab => labs.get(lab)!;

/** A TEE in a call on core 0, the hypervisor on core 1; dom0 has a table at PLACE. */
function aCalledTee(lab: Lab): PartitionLab {
  const it = new PartitionLab(lab, lab.aGuest({ ramMib: 4 }));
  lab.hypervisor.controlDomain.tables.entryPa(PLACE, 3);
  lab.guestCalls(0, FAST_CALL);
  it.place(RAM_IPA, MIB2);
  labs.set(lab, it);
  return it;
}

const turn = (it: PartitionLab, value: number) => () => it.write("REGION_ATTRIBUTES", value, 1);
const store = (it: PartitionLab, pa: number, value: bigint) => () => void put(it.lab, pa, value, 1);
const isSecure = (it: PartitionLab) => it.read("REGION_ATTRIBUTES", 1) === SECURE;

const RACES: readonly Race[] = [
  {
    name: "a TEE takes a page while the hypervisor maps it elsewhere: one of them",
    arrange(lab) {
      const it = aCalledTee(lab);
      const entryPa = lab.hypervisor.controlDomain.tables.entryPa(PLACE, 3);
      return { first: turn(it, SECURE), second: store(it, entryPa, stage2Page(it.vm.ramPa)) };
    },
    judge(lab) {
      const it = of(lab);
      assert.equal(stateOf(lab, it.vm.ramPa), isSecure(it) ? "GUEST_SECURE" : "GUEST 2");
      it.assertValid();
    },
  },
  {
    name: "a TEE takes memory while the hypervisor unmaps it",
    arrange(lab) {
      const it = aCalledTee(lab);
      return { first: turn(it, SECURE), second: store(it, it.vm.tables.entryPa(RAM_IPA, 2), 0n) };
    },
    judge(lab) {
      const it = of(lab);
      assert.equal(stateOf(lab, it.vm.ramPa), isSecure(it) ? "GUEST_SECURE" : "FREE");
      it.assertValid();
    },
  },
  {
    name: "a TEE takes memory while the hypervisor writes it: before, or scrubbed",
    arrange(lab) {
      const it = aCalledTee(lab);
      const { hypervisor } = lab;
      return {
        first: turn(it, SECURE),
        second: () => void hypervisor.store(lab.core(1), directMapVa(it.vm.ramPa), 7n),
      };
    },
    judge(lab) {
      const it = of(lab);
      assert.equal(lab.machine.memory.read64(it.vm.ramPa), 7n);
      const isLost = lab.status.guests[0]!.state === "faulted";
      assert.equal(stateOf(lab, it.vm.ramPa), isLost ? "FREE" : "GUEST_SECURE");
      it.assertValid();
    },
  },
  {
    name: "a TEE returns memory while the hypervisor reads it: nothing but zero",
    arrange(lab) {
      const it = aCalledTee(lab);
      turn(it, SECURE)();
      lab.machine.memory.write64(it.vm.ramPa, SECRET);
      return {
        first: turn(it, 0),
        second: () => {
          lab.hypervisor.store(lab.core(1), directMapVa(it.vm.ramPa + 8), 7n);
          assert.equal(lab.machine.memory.read64(it.vm.ramPa), 0n);
        },
      };
    },
    judge(lab) {
      of(lab).assertValid();
    },
  },
  {
    name: "a TEE returns memory while the hypervisor maps something else at its place",
    arrange(lab) {
      const it = aCalledTee(lab);
      turn(it, SECURE)();
      const entryPa = it.vm.tables.entryPa(RAM_IPA, 2);
      const other = lab.machine.memory.read64(it.vm.tables.entryPa(RAM_IPA + MIB2, 2));
      return { first: turn(it, 0), second: store(it, entryPa, other) };
    },
    judge(lab) {
      of(lab).assertValid();
    },
  },
  {
    name: "a guest ends while the hypervisor clears memory that its TEE had taken",
    arrange(lab) {
      const it = aCalledTee(lab);
      turn(it, SECURE)();
      lab.machine.memory.write64(it.vm.ramPa, SECRET);
      lab.tee().callDone(0n);
      lab.hypervisor.interrupt(lab.core(0));
      lab.hypervisor.idle(lab.core(0));
      it.vm.tables.empty();
      return {
        first: () => lab.hypervisor.flush(lab.core(0), it.vm.vttbr),
        second: () => void lab.hypervisor.store(lab.core(1), directMapVa(it.vm.ramPa + 8), 0n),
      };
    },
    judge(lab) {
      const it = of(lab);
      assert.equal(lab.machine.memory.read64(it.vm.ramPa), 0n);
      assert.equal(stateOf(lab, it.vm.ramPa), "FREE");
      assert.equal(lab.status.guests.length, 0);
      it.assertValid();
    },
  },
];

raceSuite(
  "a partition changes while another core uses the memory",
  RACES.map((race) => ({ ...race, sameActMax: 2 })),
);
