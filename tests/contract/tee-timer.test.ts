// The emulated secure physical timer: CNTPS_*_EL1 of each TEE core, whose interrupt enters the TEE whoever runs when it is due, but the
// hypervisor.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TEE_GICR_IPA } from "../../abi/memory-map.ts";
import { advance, EC_SYSTEM_REGISTER, esrOf, smc, stepVectors, toEl2 } from "../drivers/exceptions.ts";
import { brokenInvariants } from "../drivers/invariants.ts";
import { aLab, FAST_CALL, type Lab, YIELDING_CALL } from "../drivers/lab.ts";
import { teeRuns, VECTOR_TABLE } from "../drivers/tee.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { size, word } from "../machine/source-words.ts";

const TVAL = 0;
const CTL = 1;
const CVAL = 2;
const ENABLE = 1n;
const IMASK = 2n;
const ISTATUS = 4n;
const INTERRUPT_ENTRY = VECTOR_TABLE + 0x18n;
const INTID = word("INTID_SECURE_TIMER");

/** The SMC that a `msr` or `mrs` of the timer has become. */
function timer(lab: Lab, register: number, value?: bigint, core = 0): bigint {
  const rt = 12;
  if (value !== undefined) lab.core(core).x[rt] = value;
  smc(lab.machine, lab.core(core), 0x2000 | (value === undefined ? 0x80 : 0) | (register << 5) | rt);
  return lab.core(core).x[rt]!;
}

/** A guest whose TEE has set its timer to fire in 1000 ticks and has left. */
async function armed(vcpus = 1): Promise<Lab> {
  const lab = await aLab();
  lab.aGuest({ vcpus });
  lab.guestCalls(0, FAST_CALL);
  timer(lab, CVAL, lab.machine.ticks + 1000n);
  timer(lab, CTL, ENABLE);
  lab.tee().callDone(0n);
  return lab;
}

const timerInterrupts = (lab: Lab) => new MonitorState(lab.machine).guest(0, "timerInterrupts");

/** INTID of the interrupt that the running TEE core would take from its interface, or undefined. */
function pendingInterrupt(lab: Lab, core = 0): bigint | undefined {
  for (let index = 0; index < 4; index++) {
    const lr = lab.core(core).get(`ICH_LR${index}_EL2`);
    const isGroup1 = (lr & word("ICH_LR_EL2_GROUP")) !== 0n;
    if (lr >> 62n === 1n && isGroup1) return lr & 0xffffffffn;
  }
  return undefined;
}

suite("registers", () => {
  test("what was written is read back, TVAL counts down, ISTATUS says when it is met", async () => {
    const lab = await aLab();
    lab.aGuest();
    lab.guestCalls(0, FAST_CALL);
    timer(lab, CTL, ENABLE | IMASK);
    timer(lab, TVAL, 500n);
    assert.equal(timer(lab, CVAL), lab.machine.ticks + 500n);
    assert.equal(timer(lab, CTL), ENABLE | IMASK);

    lab.machine.ticks += 100n;
    assert.equal(timer(lab, TVAL), 400n);
    lab.machine.ticks += 401n;

    assert.equal(timer(lab, TVAL), 0xffffffffn, "−1 in 32 bits");
    assert.equal(timer(lab, CTL), ENABLE | IMASK | ISTATUS);
    timer(lab, TVAL, 0xfffffff0n);
    assert.equal(timer(lab, CVAL), lab.machine.ticks - 16n, "TVAL is signed");
    timer(lab, CTL, 0xffffffffn);
    assert.equal(timer(lab, CTL) & 0xffn, ENABLE | IMASK | ISTATUS, "no other bit is there");
  });

  test("a read into XZR and a write from it are just that", async () => {
    const lab = await aLab();
    lab.aGuest();
    lab.guestCalls(0, FAST_CALL);
    timer(lab, CVAL, 1234n);
    const before = [...lab.core(0).x];
    smc(lab.machine, lab.core(0), 0x2000 | 0x80 | (CVAL << 5) | 31);
    assert.deepEqual([...lab.core(0).x], before);
    smc(lab.machine, lab.core(0), 0x2000 | (CVAL << 5) | 31);
    assert.equal(timer(lab, CVAL), 0n);
  });

  test("the timers of two TEE cores and of two guests are apart", async () => {
    const lab = await armed(2);
    const vm = lab.hypervisor.loaded[0]!.vm;
    lab.runVcpu(vm.vcpus[1]!, 1);
    lab.guestCalls(1, FAST_CALL);
    lab.tee(1).coreOnDone();
    assert.equal(timer(lab, CVAL, undefined, 1), 0n);
    lab.tee(1).callDone(0n);
    lab.hypervisor.interrupt(lab.core(1));
    lab.aGuest({ core: 1 });
    lab.guestCalls(1, FAST_CALL);
    assert.equal(timer(lab, CVAL, undefined, 1), 0n);
  });
});

suite("when it is due", () => {
  test("while its normal world runs: the TEE is entered, serves it, and the normal world knows nothing", async () => {
    const lab = await armed();
    const before = [...lab.core(0).x, lab.core(0).pc, lab.core(0).pstate];
    advance(lab.machine, 999n);
    assert(!teeRuns(lab.core(0)), "not a tick too early");

    advance(lab.machine, 1n);

    assert(teeRuns(lab.core(0)));
    assert.equal(lab.core(0).pc, INTERRUPT_ENTRY);
    assert.equal(pendingInterrupt(lab), INTID);
    lab.core(0).set("ICH_LR0_EL2", 0n); // acknowledged and ended
    timer(lab, CTL, 0n);
    lab.tee().interruptDone();
    assert.deepEqual([...lab.core(0).x, lab.core(0).pc, lab.core(0).pstate], before);
    assert.equal(timerInterrupts(lab), 1n);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("while the TEE runs: it becomes pending there, at the instruction where it is", async () => {
    const lab = await armed();
    lab.guestCalls(0, YIELDING_CALL);
    const pc = lab.core(0).pc;

    advance(lab.machine, 1000n);

    assert.equal(lab.core(0).pc, pc);
    assert.equal(pendingInterrupt(lab), INTID);
  });

  test("while the hypervisor runs: it waits until the guest itself runs again", async () => {
    const lab = await armed();
    lab.hypervisor.interrupt(lab.core(0));

    advance(lab.machine, 5000n);
    assert(!teeRuns(lab.core(0)));
    lab.runVcpu(lab.hypervisor.loaded[0]!);
    advance(lab.machine, 5000n);

    assert(teeRuns(lab.core(0)));
    assert.equal(lab.core(0).pc, INTERRUPT_ENTRY);
  });

  test("while another guest runs on the core: not that guest's TEE, and its own when it is back", async () => {
    const lab = await armed();
    const vm = lab.hypervisor.loaded[0]!.vm;
    lab.hypervisor.interrupt(lab.core(0));
    const other = lab.aGuest({ core: 0 });

    advance(lab.machine, 5000n);
    assert(!teeRuns(lab.core(0)));
    lab.hypervisor.interrupt(lab.core(0));
    lab.runVcpu(vm.vcpus[0]!);
    advance(lab.machine, 5000n);

    assert(teeRuns(lab.core(0)));
    lab.tee().interruptDone();
    assert.equal(lab.core(0).get("VTTBR_EL2"), vm.vttbr);
    assert.notEqual(vm.vttbr, other.vttbr);
  });

  test("the vCPU has moved to another core: it is delivered there", async () => {
    const lab = await armed();
    lab.hypervisor.interrupt(lab.core(0));
    lab.runVcpu(lab.hypervisor.loaded[0]!, 1);

    advance(lab.machine, 5000n);

    assert(teeRuns(lab.core(1)));
    assert(!teeRuns(lab.core(0)));
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("there is no second interrupt until the TEE has written its timer", async () => {
    const lab = await armed();
    advance(lab.machine, 1000n);
    lab.tee().interruptDone();

    advance(lab.machine, 100_000n);

    assert(!teeRuns(lab.core(0)));
    assert.equal(timerInterrupts(lab), 1n);
  });

  test("masked, off, or disabled at the redistributor: nothing comes", async () => {
    for (const silence of [
      (lab: Lab) => timer(lab, CTL, ENABLE | IMASK),
      (lab: Lab) => timer(lab, CTL, 0n),
      (lab: Lab) => lab.tee().store(BigInt(TEE_GICR_IPA + size("GICR_ICENABLER0")), 1n << INTID),
    ]) {
      const lab = await armed();
      lab.guestCalls(0, FAST_CALL);
      silence(lab);
      lab.tee().callDone(0n);

      advance(lab.machine, 5000n);

      assert(!teeRuns(lab.core(0)));
      assert.equal(timerInterrupts(lab), 0n);
    }
  });

  test("between an exit and its trapping vector nothing is taken apart; the TEE is preempted right after", async () => {
    const lab = await armed();
    const core = lab.core(0);
    lab.guestCalls(0, YIELDING_CALL);
    lab.hypervisor.interrupt(core);
    const pc = core.pc;
    toEl2(core, "synchronous", { esr: esrOf(EC_SYSTEM_REGISTER) }); // an exit has reached its vector …

    lab.machine.ticks += 1_250_000n;
    lab.machine.fiq(core); // … and the bound is over before its SMC

    assert.equal(core.pc >> 39n, word("TOP_SLOT"));
    assert.equal(core.get("ELR_EL2"), pc);
    assert.deepEqual(brokenInvariants(lab), []);
    stepVectors(lab.machine, core);
    assert.equal(core.pc, pc);
    advance(lab.machine, 10_000n);
    assert(!teeRuns(core));
    lab.guestCalls(0);
    assert.equal(core.pc, pc);
  });
});

test("a spurious FIQ changes nothing", async () => {
  const lab = await armed();
  const before = [...lab.core(0).registers()];
  lab.machine.fiq(lab.core(0));
  assert.deepEqual([...lab.core(0).registers()], before);
});
