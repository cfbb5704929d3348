// The hypervisor's writes at a switch of vCPUs, which the monitor takes by a short way (el3/monitor/hypervisor/vcpu-switch.ts): it must
// leave what the long way would, and refuse no less.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { POOL_EMPTY_ROOT_OFFSET } from "../../abi/memory-map.ts";
import { advance, EC_INSTRUCTION_ABORT, esrOf, smc, toEl2 } from "../drivers/exceptions.ts";
import { brokenInvariants } from "../drivers/invariants.ts";
import { aLab, FAST_CALL, type Lab, YIELDING_CALL } from "../drivers/lab.ts";
import { isOwn } from "../drivers/tables.ts";
import { teeRuns } from "../drivers/tee.ts";
import { word } from "../machine/source-words.ts";
import { rootOf, vmidOf } from "../machine/translation.ts";

/** Of the TEE in slot 0; they count down. */
const LAST_TEE_VMID = 0xffn;

const emptyRootOf = (lab: Lab): bigint => BigInt(lab.machine.bootPackage.poolPa + POOL_EMPTY_ROOT_OFFSET);

/** Two guests; the hypervisor has core 0, with neither loaded. */
async function twoGuests(): Promise<Lab> {
  const lab = await aLab();
  lab.aGuest({ core: 0 });
  lab.aGuest({ core: 1 });
  for (const core of [0, 1]) {
    assert(lab.hypervisor.interrupt(lab.core(core)));
    lab.hypervisor.idle(lab.core(core));
  }
  return lab;
}

const guestOf = (lab: Lab, core: number) => lab.hypervisor.loaded[core]!;

suite("a switch of vCPUs", () => {
  test("changes one register, and none of the hypervisor's own", async () => {
    const lab = await twoGuests();
    const core = lab.core(0);
    const { vttbr } = guestOf(lab, 1).vm;
    for (let index = 0; index < 31; index++) core.x[index] = BigInt(index) << 32n;
    const at = core.pc;

    lab.hypervisor.writes(core, "VTTBR", vttbr, 17);

    assert.equal(core.get("VTTBR_EL2"), vttbr);
    assert.equal(core.pc, at + 4n);
    for (let index = 0; index < 31; index++)
      assert.equal(core.x[index], index === 17 ? vttbr : BigInt(index) << 32n, `x${index}`);
  });

  test("to another guest: its calls reach its own TEE", async () => {
    const lab = await twoGuests();
    lab.hypervisor.run(lab.core(0), guestOf(lab, 1));

    lab.guestCalls(0, FAST_CALL);

    const slot = lab.status.guests.find(({ vmid }) => vmid === guestOf(lab, 1).vm.vmid)!.slot;
    assert.equal(vmidOf(lab.core(0).get("VTTBR_EL2")), LAST_TEE_VMID - BigInt(slot));
    lab.tee().callDone(0n);
    assert.equal(lab.core(0).get("VTTBR_EL2"), guestOf(lab, 1).vm.vttbr);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("to no guest: no page of the hypervisor's is a root then, and the guest that ran may go", async () => {
    const lab = await twoGuests();
    const { vm } = guestOf(lab, 0);
    lab.hypervisor.run(lab.core(0), guestOf(lab, 0));
    assert(lab.hypervisor.interrupt(lab.core(0)));

    lab.hypervisor.idle(lab.core(0));

    assert.equal(lab.core(0).get("VTTBR_EL2"), emptyRootOf(lab));
    lab.hypervisor.destroy(lab.core(1), vm);
    assert.equal(lab.status.guestsDestroyed, 1);
    assert(isOwn(lab, rootOf(vm.vttbr)), "its root is the hypervisor's memory again");
  });

  test("to the control domain: its SMCs for a trusted OS are the hypervisor's", async () => {
    const lab = await twoGuests();
    lab.hypervisor.run(lab.core(0), lab.hypervisor.controlDomain.vcpus[0]!);

    lab.guestCalls(0, FAST_CALL);

    assert.equal(lab.core(0).exceptionLevel, 2);
  });

  test("to a VM whose TEE was preempted in its boot: it still has no memory", async () => {
    const lab = await aLab();
    const vm = lab.aVm();
    lab.hypervisor.run(lab.core(0), vm.vcpus[0]!);
    assert(!lab.fetch(lab.core(0)));
    toEl2(lab.core(0), "irq");
    lab.hypervisor.idle(lab.core(1));

    lab.hypervisor.writes(lab.core(1), "VTTBR", vm.vttbr);

    assert.equal(BigInt(rootOf(lab.core(1).get("VTTBR_EL2"))), emptyRootOf(lab));
  });

  test("to a guest whose root was emptied: that is its end", async () => {
    const lab = await twoGuests();
    const { vm } = guestOf(lab, 0);
    vm.tables.empty();

    lab.hypervisor.writes(lab.core(0), "VTTBR", vm.vttbr);

    assert.equal(lab.status.guestsDestroyed, 1);
  });

  test("HCR_EL2 keeps what isolation rests on, and is refused what is forbidden", async () => {
    const lab = await twoGuests();
    const core = lab.core(0);
    const before = core.get("HCR_EL2");

    assert(!lab.hypervisor.writes(core, "HCR", before | word("HCR_EL2_TGE")));
    assert.equal(core.get("HCR_EL2"), before);
    assert(lab.hypervisor.writes(core, "HCR", word("HCR_EL2_TSC")));
    assert.equal(core.get("HCR_EL2"), word("HCR_EL2_VM"));
  });
});

suite("who it is not for", () => {
  const imm16 = 0x80a3; // the hypervisor's `msr vttbr_el2, x3`

  test("a guest's SMC with such an immediate writes nothing", async () => {
    const lab = await twoGuests();
    lab.hypervisor.run(lab.core(0), guestOf(lab, 0));
    const before = lab.core(0).get("VTTBR_EL2");
    lab.core(0).x[3] = guestOf(lab, 1).vm.vttbr;

    smc(lab.machine, lab.core(0), imm16);

    assert.equal(lab.core(0).exceptionLevel, 2);
    assert.equal(lab.core(0).get("VTTBR_EL2"), before);
  });

  test("nor does a TEE's", async () => {
    const lab = await twoGuests();
    lab.hypervisor.run(lab.core(0), guestOf(lab, 0));
    lab.core(0).x[3] = guestOf(lab, 1).vm.vttbr;
    lab.guestCalls(0, FAST_CALL);
    lab.core(0).x[3] = guestOf(lab, 1).vm.vttbr;

    smc(lab.machine, lab.core(0), imm16);

    assert.notEqual(lab.core(0).get("VTTBR_EL2"), guestOf(lab, 1).vm.vttbr);
  });

  test("an exception of another class with bit 15 in its syndrome stops the machine as any other does", async () => {
    const lab = await twoGuests();

    assert.throws(() => lab.machine.synchronous(lab.core(0), esrOf(EC_INSTRUCTION_ABORT, 0x80a3n)));
    assert.notEqual(lab.machine.epitaph, undefined);
  });
});

suite("TEE cores that are due", () => {
  test("with the timer of a guest far ahead, its vCPUs are switched to without a timer interrupt", async () => {
    const lab = await armed(1_000_000n);

    lab.hypervisor.run(lab.core(1), guestOf(lab, 0));

    assert.equal(lab.core(1).get("CNTPS_CVAL_EL1"), lab.due);
    advance(lab.machine, 999_999n);
    assert(!teeRuns(lab.core(1)));
    advance(lab.machine, 1n);
    assert(teeRuns(lab.core(1)));
  });

  test("with the timer of a guest long past, it is looked at soon", async () => {
    const lab = await armed(1000n);
    lab.machine.ticks += 1_000_000n;

    lab.hypervisor.run(lab.core(1), guestOf(lab, 0));

    assert(lab.core(1).get("CNTPS_CVAL_EL1") - lab.machine.ticks <= 2000n);
    advance(lab.machine, 2001n);
    assert(teeRuns(lab.core(1)));
  });
});

/** A guest that is not loaded, whose TEE has set its timer to fire in so many ticks. */
async function armed(ticks: bigint): Promise<Lab & { due: bigint }> {
  const lab = await aLab();
  lab.aGuest();
  lab.guestCalls(0, YIELDING_CALL);
  const due = lab.machine.ticks + ticks;
  for (const [register, value] of [
    [2, due],
    [1, 1n],
  ] as const) {
    lab.core(0).x[12] = value;
    smc(lab.machine, lab.core(0), 0x2000 | (register << 5) | 12);
  }
  lab.tee().callDone(0n);
  assert(lab.hypervisor.interrupt(lab.core(0)));
  lab.hypervisor.idle(lab.core(0));
  return Object.assign(lab, { due });
}
