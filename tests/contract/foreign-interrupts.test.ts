// An interrupt of the normal world while a TEE runs: held back, shown to the TEE as its profile says, taken by the hypervisor when the
// TEE has left.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { FOREIGN_VIRQ } from "../../abi/boot-package.ts";
import { TEE_YIELD } from "../../abi/tee.ts";
import { advance, useGicInterface } from "../drivers/exceptions.ts";
import { brokenInvariants } from "../drivers/invariants.ts";
import { aLab, type Lab, type LabOptions, YIELDING_CALL } from "../drivers/lab.ts";
import { teeRuns } from "../drivers/tee.ts";
import { word } from "../machine/source-words.ts";

const FOREIGN_INTID = 40;
const OTHER_CALL = 0x32000005;
const PREEMPTION_TICKS = 1_250_000n;

async function interrupted(options: LabOptions = {}, vcpus = 1): Promise<Lab> {
  const lab = await aLab(options);
  lab.aGuest({ vcpus });
  lab.guestCalls(0, YIELDING_CALL);
  lab.core(0).pc = 0x0e105554n;
  assert(!lab.hypervisor.interrupt(lab.core(0)));
  return lab;
}

/** A TEE that hears of interrupts as an SPI; the two beside it are in the other state. */
async function interruptedWithSpi(isOn: boolean): Promise<Lab> {
  const lab = await aLab({ profile: { foreignInterrupt: FOREIGN_VIRQ, foreignIntid: FOREIGN_INTID } });
  lab.aGuest();
  lab.guestCalls(0, YIELDING_CALL);
  for (const other of [FOREIGN_INTID - 1, FOREIGN_INTID + 1, FOREIGN_INTID + 32])
    lab.tee().enablesSpi(other, !isOn);
  lab.tee().enablesSpi(FOREIGN_INTID);
  if (!isOn) lab.tee().enablesSpi(FOREIGN_INTID, false);
  lab.hypervisor.interrupt(lab.core(0));
  return lab;
}

async function preempted(vcpus = 1): Promise<Lab> {
  const lab = await interrupted({}, vcpus);
  advance(lab.machine, PREEMPTION_TICKS);
  assert(!teeRuns(lab.core(0)));
  return lab;
}

suite("shown to the TEE", () => {
  test("as a virtual FIQ; the TEE stays where it was and physical interrupts are held back", async () => {
    const lab = await interrupted();
    const core = lab.core(0);
    assert(teeRuns(core));
    assert.equal(core.pc, 0x0e105554n);
    assert.notEqual(core.get("HCR_EL2") & word("HCR_EL2_VF"), 0n);
    assert.equal(core.get("ICC_PMR_EL1"), 0x80n);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("as an IRQ of the number in its profile", async () => {
    const lab = await interruptedWithSpi(true);
    const pending = [0, 1, 2, 3].map((index) => lab.core(0).get(`ICH_LR${index}_EL2`) & 0xffffffffn);
    assert(pending.includes(BigInt(FOREIGN_INTID)));
    assert.equal(lab.core(0).get("HCR_EL2") & word("HCR_EL2_VF"), 0n);
  });

  test("not while that interrupt is disabled in its distributor: it is taken off the core at once", async () => {
    const lab = await interruptedWithSpi(false);
    assert(!teeRuns(lab.core(0)));
    assert(lab.hypervisor.interrupt(lab.core(0)), "and the hypervisor has it");
    lab.runVcpu(lab.hypervisor.loaded[0]!);
    lab.guestCalls(0);
    useGicInterface(lab.machine, lab.core(0));
    assert.equal(lab.core(0).get("ICH_LR1_EL2"), 0n, "nothing waits for it");
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("when it leaves, the mask is as it was, the interrupt reaches the hypervisor, nothing is left over", async () => {
    const lab = await interrupted();
    lab.tee().callDone(0xffff0004n);

    assert.equal(lab.core(0).get("ICC_PMR_EL1"), 0xffn);
    assert.equal(lab.core(0).get("HCR_EL2") & word("HCR_EL2_VF"), 0n);
    assert(lab.hypervisor.interrupt(lab.core(0)));
    advance(lab.machine, PREEMPTION_TICKS * 2n);
    lab.runVcpu(lab.hypervisor.loaded[0]!);
    lab.guestCalls(0, YIELDING_CALL);
    assert.equal(lab.core(0).get("HCR_EL2") & word("HCR_EL2_VF"), 0n, "at its next entry");
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("a TEE that yields now and then has not hung, however often it is preempted in one call", async () => {
    const lab = await interrupted();
    for (let times = 1; times <= 600; times++) {
      advance(lab.machine, PREEMPTION_TICKS);
      lab.guestCalls(0);
      if (times % 400 === 0) {
        lab.tee().returns(TEE_YIELD);
        lab.guestCalls(0);
      }
      lab.hypervisor.interrupt(lab.core(0));
    }
    assert.equal(lab.status.guests[0]?.state, "ready");
    assert.equal(lab.status.guests[0]?.preemptions, 600);
  });

  test("a TEE that leaves in time is not preempted; one that does not is, exactly at the bound", async () => {
    const lab = await interrupted();
    advance(lab.machine, PREEMPTION_TICKS - 1n);
    assert(teeRuns(lab.core(0)));
    advance(lab.machine, 1n);
    assert(!teeRuns(lab.core(0)));
    assert.equal(lab.core(0).get("ICC_PMR_EL1"), 0xffn);
    assert.equal(lab.status.guests[0]?.preemptions, 1);
  });
});

suite("preempted, and the normal world schedules", () => {
  test("another call on the vCPU does not get the first one's answer; each caller gets his own", async () => {
    const lab = await preempted();
    const core = lab.core(0);
    const first = { x: [...core.x], pc: core.pc, sp: core.get("SP_EL1") };

    // Another thread: another stack, another place, another call.
    core.set("SP_EL1", 0xabc000n);
    core.pc = 0x40009000n;
    lab.guestCalls(0, OTHER_CALL, 2, 2, 2);
    assert(teeRuns(core), "the TEE goes on with the first call meanwhile");
    lab.tee().callDone(0x1111n);
    assert(!teeRuns(core));
    assert.equal(core.pc, 0x40009000n, "the second caller is at its SMC still");
    assert.equal(core.x[0], BigInt(OTHER_CALL));

    lab.guestCalls(0, OTHER_CALL, 2, 2, 2);
    assert(teeRuns(core));
    assert.equal(core.x[0], BigInt(OTHER_CALL));
    lab.tee().callDone(0x2222n);
    assert.equal(core.x[0], 0x2222n);

    core.x.set(first.x);
    core.pc = first.pc;
    core.set("SP_EL1", first.sp);
    lab.guestCalls(0);
    assert(!teeRuns(core));
    assert.equal(core.x[0], 0x1111n);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("the vCPU moves to another core and the TEE goes on there", async () => {
    const lab = await preempted();
    assert(lab.hypervisor.interrupt(lab.core(0)));
    lab.runVcpu(lab.hypervisor.loaded[0]!, 1);

    lab.guestCalls(1);

    assert.equal(lab.core(1).pc, 0x0e105554n);
    lab.tee(1).callDone(5n);
    assert.equal(lab.core(1).x[0], 5n);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("the caller moves to another vCPU: its call goes on there, in the TEE core that has it", async () => {
    const lab = await preempted(2);
    const [here, there] = [lab.core(0), lab.core(1)];
    lab.runVcpu(lab.hypervisor.loaded[0]!.vm.vcpus[1]!, 1);
    const vmpidr = there.get("VMPIDR_EL2");

    // The same thread, at its SMC: same registers, same stack.
    there.x.set([...here.x]);
    there.pc = here.pc;
    there.set("SP_EL1", here.get("SP_EL1"));
    lab.guestCalls(1);

    assert.equal(there.pc, 0x0e105554n, "where it was preempted");
    assert.equal(there.get("VMPIDR_EL2"), 0x80000000n, "the TEE finds itself on its own core");
    assert.equal(lab.status.guests[0]?.teeCores, 1, "no other core of the TEE was entered");
    lab.tee(1).callDone(7n);
    assert.equal(there.x[0], 7n);
    assert.equal(there.get("VMPIDR_EL2"), vmpidr);

    lab.guestCalls(1, YIELDING_CALL, 9, 9);
    assert.equal(there.get("VMPIDR_EL2"), vmpidr, "its next call is served by the vCPU's own core");
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("the caller comes back on another vCPU while its call goes on without it: it waits, and gets its answer", async () => {
    const lab = await preempted(2);
    const [here, there] = [lab.core(0), lab.core(1)];
    const first = { x: [...here.x], pc: here.pc, sp: here.get("SP_EL1") };
    here.set("SP_EL1", 0xabc000n);
    here.pc = 0x40009000n;
    lab.guestCalls(0, OTHER_CALL, 2, 2, 2);
    assert(teeRuns(here), "the first call goes on, its caller is away");

    lab.runVcpu(lab.hypervisor.loaded[0]!.vm.vcpus[1]!, 1);
    there.x.set(first.x);
    there.pc = first.pc;
    there.set("SP_EL1", first.sp);
    lab.guestCalls(1);
    assert(!teeRuns(there), "no other core of the TEE is entered with the same call");
    assert.equal(there.pc, first.pc, "at its SMC still");

    lab.tee(0).callDone(0x1111n);
    lab.guestCalls(1);
    assert.equal(there.x[0], 0x1111n);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("a guest that is destroyed while its TEE is preempted leaves nothing", async () => {
    const lab = await preempted();
    const { vm } = lab.hypervisor.loaded[0]!;
    lab.hypervisor.interrupt(lab.core(0));
    lab.hypervisor.destroy(lab.core(0), vm);
    assert.equal(lab.status.poolFree, lab.status.poolTotal);
    assert.deepEqual(brokenInvariants(lab), []);
  });
});
