// The life of a guest as the monitor learns of it from VTTBR_EL2 alone: born at its first fetch, gone when its emptied root is flushed.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { POOL_EMPTY_ROOT_OFFSET, TEE_RAM_IPA, TEE_RAM_SIZE } from "../../abi/memory-map.ts";
import { advance } from "../drivers/exceptions.ts";
import { XEN_VBAR } from "../drivers/hypervisor.ts";
import { hypervisorVectorFaults } from "../drivers/hypervisor-vectors.ts";
import { brokenInvariants } from "../drivers/invariants.ts";
import { aLab, FAST_CALL, YIELDING_CALL } from "../drivers/lab.ts";
import { teeRuns } from "../drivers/tee.ts";
import { EL1H, MASKED } from "../machine/core.ts";
import { rootOf, vmidOf } from "../machine/translation.ts";

suite("birth", () => {
  test("before its TEE has booted, a VM has no memory and no instruction of it runs", async () => {
    const lab = await aLab();
    const vm = lab.aVm();

    lab.hypervisor.run(lab.core(0), vm.vcpus[0]!);

    const vttbr = lab.core(0).get("VTTBR_EL2");
    assert.equal(rootOf(vttbr), lab.machine.bootPackage.poolPa + POOL_EMPTY_ROOT_OFFSET);
    assert.equal(vmidOf(vttbr), BigInt(vm.vmid));
    assert(!lab.fetch(lab.core(0)));
    assert(teeRuns(lab.core(0)));
  });

  test("the TEE starts as firmware starts it: EL1h, masked, MMU off, the device tree in x2, nothing else", async () => {
    const lab = await aLab();
    const vm = lab.aVm();

    lab.runVcpu(vm.vcpus[0]!);

    const core = lab.core(0);
    assert.equal(core.pc, 0x0e100000n);
    assert.equal(core.pstate, EL1H | MASKED);
    assert.equal(core.get("SCTLR_EL1") & 0x1005n, 0n);
    assert.equal(core.x[2], BigInt(TEE_RAM_IPA));
    assert(core.x.every((value, index) => index === 2 || value === 0n));
    assert.equal(core.get("SP_EL1"), 0n);
    assert.equal(core.get("TTBR0_EL1"), 0n);
  });

  test("its RAM is clean in the caches, since it starts with them off", async () => {
    const lab = await aLab();

    lab.runVcpu(lab.aVm().vcpus[0]!);

    const first = lab.machine.poolTeePa / 0x1000;
    const dirty = [...lab.machine.memory.uncleaned.keys()].filter(
      (page) => page >= first && page < first + TEE_RAM_SIZE / 0x1000,
    );
    assert.deepEqual(dirty, []);
    assert(lab.machine.notes.includes("icIalluis"));
  });

  test("the VM's first instruction is the one that faulted, with the hypervisor's root and vectors", async () => {
    const lab = await aLab();
    const vm = lab.aVm();
    const registers = [...vm.vcpus[0]!.x];

    lab.runVcpu(vm.vcpus[0]!);
    lab.tee().entryDone();

    const core = lab.core(0);
    assert.equal(core.pc, 0x40000000n);
    assert.equal(core.get("VTTBR_EL2"), vm.vttbr);
    assert.deepEqual(hypervisorVectorFaults(lab, core), []);
    assert.deepEqual([...core.x], registers);
    assert(lab.fetch(core));
  });

  test("a boot that is preempted goes on when the VM is run again, on any core", async () => {
    const lab = await aLab();
    const vm = lab.aVm();
    lab.runVcpu(vm.vcpus[0]!);
    lab.core(0).x[5] = 0x5555n;
    lab.core(0).pc = 0x0e100abcn;

    assert(!lab.hypervisor.interrupt(lab.core(0)));
    advance(lab.machine, 1_250_000n);
    assert(lab.hypervisor.interrupt(lab.core(0)), "the hypervisor has the core");
    lab.runVcpu(vm.vcpus[0]!, 1);

    assert.equal(lab.core(1).pc, 0x0e100abcn);
    assert.equal(lab.core(1).x[5], 0x5555n);
    lab.tee(1).entryDone();
    assert(lab.fetch(lab.core(1)));
    assert.equal(lab.status.guests[0]?.state, "ready");
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("what the hypervisor reads back from VTTBR_EL2 while a VM waits, it may load again", async () => {
    const lab = await aLab();
    const vm = lab.aVm();
    lab.hypervisor.run(lab.core(0), vm.vcpus[0]!);
    const readBack = lab.core(0).get("VTTBR_EL2");
    assert(lab.hypervisor.interrupt(lab.core(0)), "through a trapping vector, but it is the hypervisor's");

    lab.hypervisor.writes(lab.core(0), "VTTBR", lab.hypervisor.controlDomain.vttbr);
    lab.hypervisor.writes(lab.core(0), "VTTBR", readBack);
    lab.core(0).pc = vm.vcpus[0]!.pc;
    lab.core(0).pstate = EL1H | MASKED;
    lab.fetch(lab.core(0));

    assert(teeRuns(lab.core(0)));
    assert.equal(lab.status.guests.length, 1);
  });

  test("it may put it back also when another VM that waits was flushed in between", async () => {
    const lab = await aLab();
    const [first, second] = [lab.aVm(), lab.aVm()];
    lab.hypervisor.run(lab.core(0), first.vcpus[0]!);
    assert(lab.hypervisor.interrupt(lab.core(0)));

    lab.hypervisor.flush(lab.core(0), second.vttbr);
    lab.core(0).pc = first.vcpus[0]!.pc;
    lab.core(0).pstate = EL1H | MASKED;
    lab.fetch(lab.core(0));

    assert(teeRuns(lab.core(0)));
    assert.deepEqual(
      lab.status.guests.map(({ vmid }) => vmid),
      [first.vmid],
    );
    assert(!lab.eventKinds.includes("violation"));
  });

  test("the control domain and the hypervisor's own empty root get no TEE", async () => {
    const lab = await aLab();

    lab.hypervisor.run(lab.core(0), lab.hypervisor.controlDomain.vcpus[0]!);
    assert(lab.fetch(lab.core(0)));
    lab.hypervisor.interrupt(lab.core(0));
    lab.hypervisor.writes(lab.core(0), "VTTBR", BigInt(lab.hypervisor.emptyRootPa));

    assert.equal(lab.status.guestsCreated, 0);
    // The monitor's own empty root stands for it.
    assert.equal(
      lab.core(0).get("VTTBR_EL2"),
      BigInt(lab.machine.bootPackage.poolPa + POOL_EMPTY_ROOT_OFFSET),
    );
  });

  test("each guest gets a TEE, RAM and a VMID of its own", async () => {
    const lab = await aLab();
    lab.aGuest({ core: 0 });
    lab.aGuest({ core: 1 });
    lab.guestCalls(0, FAST_CALL);
    lab.guestCalls(1, FAST_CALL);

    const [first, second] = [0, 1].map((core) => lab.tee(core).translate(0x0e100000n)!);
    assert.equal(second! - first!, TEE_RAM_SIZE);
    assert.notEqual(lab.core(0).get("VTTBR_EL2"), lab.core(1).get("VTTBR_EL2"));
    assert.deepEqual(brokenInvariants(lab), []);
  });
});

suite("end", () => {
  async function aGoneGuest() {
    const lab = await aLab({ guests: 1 });
    const vm = lab.aGuest();
    lab.guestCalls(0, YIELDING_CALL);
    lab.machine.memory.load(lab.tee().translate(0x0e200000n)!, Buffer.from("secret of the first guest"));
    lab.tee().callDone(0n);
    lab.hypervisor.interrupt(lab.core(0));
    lab.hypervisor.destroy(lab.core(0), vm);
    return { lab, vm };
  }

  test("flushing its emptied root gives its RAM back, zeroed and without translations", async () => {
    const { lab } = await aGoneGuest();

    assert.equal(lab.status.poolFree, lab.status.poolTotal);
    assert(lab.machine.memory.isZero(lab.machine.poolTeePa, TEE_RAM_SIZE));
    assert(lab.machine.notes.includes("tlbi vmid 255"));
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("a new guest in the same slot, with the same VMID and root, is a new one", async () => {
    const { lab, vm } = await aGoneGuest();

    lab.hypervisor.fillRoot(vm);
    lab.runVcpu(vm.vcpus[0]!);

    assert.equal(lab.core(0).pc, 0x0e100000n);
    assert(lab.machine.memory.isZero(lab.tee().translate(0x0e200000n)!, 0x1000));
    assert.equal(lab.status.guests[0]?.id, 2);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("a flush through the hypervisor's empty root with the VMID counts as well", async () => {
    const lab = await aLab();
    const vm = lab.aGuest();
    lab.hypervisor.interrupt(lab.core(0));
    vm.tables.empty();

    lab.hypervisor.flush(lab.core(0), (BigInt(vm.vmid) << 48n) | BigInt(lab.hypervisor.emptyRootPa));

    assert.equal(lab.status.guests.length, 0);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("what the S world shares with its normal world is flushed with it", async () => {
    const lab = await aLab();
    const vm = lab.aGuest({ ramMib: 8 });
    lab.guestCalls(0, FAST_CALL);
    const page = 0x40600000n;
    const pa = lab.tee().translate(page);
    assert.equal(pa, vm.ramPa + 0x600000);
    lab.tee().callDone(0n);
    lab.hypervisor.interrupt(lab.core(0));

    vm.tables.unmapBlock(0x40600000);
    lab.hypervisor.writes(lab.core(0), "VTTBR", lab.hypervisor.controlDomain.vttbr);
    lab.hypervisor.flush(lab.core(0), (BigInt(vm.vmid) << 48n) | BigInt(lab.hypervisor.emptyRootPa));
    lab.hypervisor.run(lab.core(0), vm.vcpus[0]!);
    lab.guestCalls(0, FAST_CALL);

    assert.equal(lab.tee().translate(page), undefined);
  });

  test("a flush of a guest that is still there changes nothing", async () => {
    const lab = await aLab();
    const vm = lab.aGuest();
    lab.hypervisor.interrupt(lab.core(0));

    lab.hypervisor.flush(lab.core(1), vm.vttbr);
    lab.hypervisor.flush(lab.core(1), BigInt(lab.hypervisor.emptyRootPa) | (99n << 48n));

    assert.equal(lab.status.guests.length, 1);
    lab.hypervisor.run(lab.core(0), vm.vcpus[0]!);
    lab.guestCalls(0, FAST_CALL);
    assert(teeRuns(lab.core(0)));
  });

  test("while a core runs its TEE a guest is not taken apart", async () => {
    const lab = await aLab();
    const vm = lab.aGuest();
    lab.guestCalls(0, FAST_CALL);

    lab.hypervisor.destroy(lab.core(1), vm);

    assert.equal(lab.status.guests.length, 1);
    lab.tee().callDone(7n);
    assert.equal(lab.core(0).x[0], 7n);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("fifty guests one after another leave the pool as it was", async () => {
    const lab = await aLab({ guests: 2 });
    const before = lab.status.poolFree;

    for (let round = 0; round < 50; round++) {
      const vm = lab.aGuest({ vmid: 2 + (round % 3) });
      lab.guestCalls(0, FAST_CALL);
      lab.tee().callDone(BigInt(round));
      lab.hypervisor.interrupt(lab.core(0));
      lab.hypervisor.destroy(lab.core(0), vm);
    }

    assert.equal(lab.status.poolFree, before);
    assert.equal(lab.status.guestsDestroyed, 50);
    assert.deepEqual(brokenInvariants(lab), []);
  });
});

suite("more VMs than the pool has room for", () => {
  test("the VM runs without a TEE, its calls are the hypervisor's, and the event says so", async () => {
    const lab = await aLab({ guests: 1 });
    lab.aGuest();
    const second = lab.aVm();

    lab.runVcpu(second.vcpus[0]!, 1);

    assert(lab.eventKinds.includes("pool-exhausted"));
    assert(lab.fetch(lab.core(1)));
    lab.guestCalls(1, FAST_CALL);
    assert.equal(lab.core(1).pc, XEN_VBAR + 0x400n);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("it gets none later either, when there is room: its normal world has run by then", async () => {
    const lab = await aLab({ guests: 1 });
    const first = lab.aGuest();
    const second = lab.aVm();
    lab.runVcpu(second.vcpus[0]!, 1);
    lab.hypervisor.interrupt(lab.core(1));
    lab.hypervisor.interrupt(lab.core(0));
    lab.hypervisor.destroy(lab.core(0), first);

    assert(lab.runVcpu(second.vcpus[0]!, 1));

    assert.equal(lab.status.guests.length, 0);
    assert.deepEqual(hypervisorVectorFaults(lab, lab.core(1)), []);
  });

  test("a VM that comes after it, with the same VMID and root, gets the room", async () => {
    const lab = await aLab({ guests: 1 });
    const first = lab.aGuest();
    const second = lab.aVm();
    lab.runVcpu(second.vcpus[0]!, 1);
    lab.hypervisor.interrupt(lab.core(1));
    lab.hypervisor.interrupt(lab.core(0));
    lab.hypervisor.destroy(lab.core(0), first);
    lab.hypervisor.destroy(lab.core(0), second);
    lab.hypervisor.fillRoot(second);

    assert(!lab.runVcpu(second.vcpus[0]!, 1));

    assert(teeRuns(lab.core(1)));
    assert.deepEqual(brokenInvariants(lab), []);
  });
});
