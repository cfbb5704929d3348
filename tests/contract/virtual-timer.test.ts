// A TEE whose profile gives it the EL1 virtual timer (TIMER_CNTV), here with everything else that a kernel such as seL4 has in its
// profile: entered behind its SMC, one core, the normal world's interrupts as an SPI, WFI when it is idle.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  CLOCK_RUNS,
  CLOCK_STOPS,
  ENTRY_KIND_RESUME,
  FOREIGN_NONE,
  FOREIGN_VFIQ,
  FOREIGN_VIRQ,
  TIMER_CNTV,
  WFI_LEAVES,
} from "../../abi/boot-package.ts";
import { GICR_FRAME_SIZE, GICR_PA, TEE_GICD_IPA, TEE_GICR_IPA } from "../../abi/memory-map.ts";
import { TEE_EVENT_INTERRUPT, TEE_YIELD } from "../../abi/tee.ts";
import { advanceVirtual, deliverVirtualTimer, isVirtualTimerUp, smc } from "../drivers/exceptions.ts";
import { brokenInvariants } from "../drivers/invariants.ts";
import { aLab, FAST_CALL, type Lab, YIELDING_CALL } from "../drivers/lab.ts";
import { teeRuns } from "../drivers/tee.ts";
import type { Vcpu } from "../drivers/virtual-machine.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { size, word } from "../machine/source-words.ts";

const INTID = word("INTID_VIRTUAL_TIMER");
const FOREIGN_INTID = 40n;
const ENABLE = 1n;
const IMASK = 2n;
const NEVER = 0xffffffffffffffffn;
const PREEMPTION_TICKS = 1_250_000n;
const TIMER_REGISTERS = ["CNTV_CTL_EL0", "CNTV_CVAL_EL0", "CNTVOFF_EL2"] as const;
const RESUME_TEE = {
  entryKind: ENTRY_KIND_RESUME,
  coreCount: 1,
  timer: TIMER_CNTV,
  foreignInterrupt: FOREIGN_VIRQ,
  foreignIntid: Number(FOREIGN_INTID),
  adaptedSites: 0,
  wfi: WFI_LEAVES,
  clock: CLOCK_STOPS,
};

/** A guest at its first instruction, whose own virtual timer is off; its TEE stands behind its ENTRY_DONE. */
async function aGuest(profile: Partial<Record<keyof typeof RESUME_TEE, number>> = {}): Promise<Lab> {
  const lab = await aLab({ profile: { ...RESUME_TEE, ...profile }, image: new Uint8Array(0x1000) });
  const vm = lab.aVm({ vcpus: 2 });
  for (const vcpu of vm.vcpus) quiet(vcpu);
  for (const core of lab.machine.cores) core.set("CNTVOFF_EL2", 777n);
  lab.runVcpu(vm.vcpus[0]!);
  lab.tee().enablesSpi(Number(FOREIGN_INTID));
  lab.tee().entryDone(0n);
  assert(lab.fetch(lab.core(0)));
  return lab;
}

function quiet(vcpu: Vcpu): void {
  vcpu.registers.set("CNTV_CTL_EL0", 0n);
  vcpu.registers.set("CNTV_CVAL_EL0", 0n);
}

/** The count that whoever runs reads as CNTVCT_EL0. */
const count = (lab: Lab, core = 0) =>
  BigInt.asUintN(64, lab.machine.ticks - lab.core(core).get("CNTVOFF_EL2"));
const timerOf = (lab: Lab, core = 0) => TIMER_REGISTERS.map((name) => lab.core(core).get(name));
const isActive = (lab: Lab, core = 0) => lab.machine.devices.isActive(core, Number(INTID));
const monitor = (lab: Lab) => new MonitorState(lab.machine);

function setTimer(lab: Lab, ticksFromNow: bigint, core = 0): void {
  lab.core(core).set("CNTV_CVAL_EL0", ticksFromNow === NEVER ? NEVER : count(lab, core) + ticksFromNow);
  lab.core(core).set("CNTV_CTL_EL0", ENABLE);
}

/** Which interrupts wait in the live interface: list register → INTID. */
function pending(lab: Lab, core = 0): Record<number, bigint> {
  const registers = [0, 1, 2, 3].map((index) => lab.core(core).get(`ICH_LR${index}_EL2`));
  return Object.fromEntries(
    [...registers.entries()].filter(([, lr]) => lr >> 62n === 1n).map(([at, lr]) => [at, lr & 0xffffffffn]),
  );
}

/** The TEE acknowledges its timer's interrupt … */
function acknowledge(lab: Lab, core = 0): void {
  const lr = lab.core(core).get("ICH_LR0_EL2");
  assert.equal(lr & 0xffffffffn, INTID);
  lab.core(core).set("ICH_LR0_EL2", lr ^ (3n << 62n));
}

/** … and ends it: the interface deactivates the physical one that the list register names. */
function end(lab: Lab, core = 0): void {
  const lr = lab.core(core).get("ICH_LR0_EL2");
  assert.equal(lr >> 61n, 5n, "active, and tied to a physical interrupt");
  assert.equal((lr >> 32n) & 0x1fffn, INTID);
  lab.core(core).set("ICH_LR0_EL2", lr & ((1n << 62n) - 1n));
  lab.machine.devices.write(GICR_PA + core * GICR_FRAME_SIZE + size("GICR_ICACTIVER0"), 1 << Number(INTID));
}

suite("the two worlds' timers", () => {
  const leaves: Record<string, (lab: Lab) => void> = {
    "a call's end": (lab) => lab.tee().callDone(1n),
    "a yield": (lab) => lab.tee().returns(TEE_YIELD),
    WFI: (lab) => lab.tee().wfi(),
    preemption(lab) {
      lab.hypervisor.interrupt(lab.core(0));
      advanceVirtual(lab.machine, PREEMPTION_TICKS);
    },
    "a fault": (lab) => lab.tee().accessIpa(0x0f000000n),
  };
  for (const [name, leave] of Object.entries(leaves)) {
    test(`${name}: the normal world finds its own, and nothing of the TEE's`, async () => {
      const lab = await aGuest();
      const own = [IMASK, 0x123456n, 777n];
      TIMER_REGISTERS.forEach((register, index) => {
        lab.core(0).set(register, own[index]!);
      });
      lab.guestCalls(0, YIELDING_CALL);
      assert.notDeepEqual(timerOf(lab), own);
      setTimer(lab, 99_000_000n);

      leave(lab);

      assert(!teeRuns(lab.core(0)));
      assert.deepEqual(timerOf(lab), own);
      assert.equal(lab.core(0).get("CNTPS_CTL_EL1"), 0n, "no timer is left running");
      assert.deepEqual(brokenInvariants(lab), []);
    });
  }

  test("the TEE finds its own, and its clock as it left it, on whatever core", async () => {
    const lab = await aGuest();
    lab.guestCalls(0, YIELDING_CALL);
    setTimer(lab, 5000n);
    lab.machine.ticks += 300n;
    const left = [...timerOf(lab).slice(0, 2), count(lab)];
    lab.tee().returns(TEE_YIELD);
    lab.hypervisor.interrupt(lab.core(0));

    lab.machine.ticks += 1_000_000n;
    lab.runVcpu(lab.hypervisor.loaded[0]!, 1);
    lab.guestCalls(1);

    assert(teeRuns(lab.core(1)));
    assert.deepEqual([...timerOf(lab, 1).slice(0, 2), count(lab, 1)], left);
    assert(!isVirtualTimerUp(lab.machine, lab.core(1)));
  });

  test("while it waits by WFI its clock goes on", async () => {
    const lab = await aGuest();
    lab.guestCalls(0, YIELDING_CALL);
    const before = count(lab);
    lab.tee().wfi();
    lab.machine.ticks += 4000n;
    lab.guestCalls(0);
    assert.equal(count(lab), before + 4000n);
  });

  test("with a clock that runs, it is the machine's wherever the TEE was meanwhile", async () => {
    const lab = await aGuest({ clock: CLOCK_RUNS });
    for (const leave of ["a yield", "WFI", "a call's end"]) {
      lab.guestCalls(0, YIELDING_CALL);
      assert.equal(count(lab), lab.machine.ticks);
      leaves[leave]!(lab);
      lab.machine.ticks += 1_000_000n;
    }
    lab.guestCalls(0, FAST_CALL);
    assert.equal(lab.core(0).get("CNTVOFF_EL2"), 0n);
  });

  test("of a normal world in the middle of its timer's interrupt, that stays active", async () => {
    const lab = await aGuest();
    lab.machine.devices.write(GICR_PA + size("GICR_ISACTIVER0"), 1 << Number(INTID));
    lab.guestCalls(0, FAST_CALL);
    assert(!isActive(lab), "the TEE's own can be heard");
    lab.tee().callDone(1n);
    assert(isActive(lab));
  });
});

suite("the TEE's timer is due", () => {
  test("while it runs: pending there as its own interrupt, until it has ended it", async () => {
    const lab = await aGuest();
    lab.guestCalls(0, YIELDING_CALL);
    setTimer(lab, 1000n);
    const { pc } = lab.core(0);

    advanceVirtual(lab.machine, 1000n);

    assert(teeRuns(lab.core(0)));
    assert.equal(lab.core(0).pc, pc);
    assert.deepEqual(pending(lab), { 0: INTID });
    assert(!isVirtualTimerUp(lab.machine, lab.core(0)), "it is not heard a second time");
    acknowledge(lab);
    setTimer(lab, 1000n);
    end(lab);
    advanceVirtual(lab.machine, 1000n);
    assert.deepEqual(pending(lab), { 0: INTID });
    assert.equal(monitor(lab).guest(0, "timerInterrupts"), 2n);
    assert.equal(monitor(lab).guest(0, "foreignInterrupts"), 0n);
  });

  test("when it has just left: it is entered to serve it, and the normal world knows nothing", async () => {
    const lab = await aGuest();
    lab.guestCalls(0, FAST_CALL);
    setTimer(lab, 0n);
    lab.tee().callDone(1n);
    const before = [...lab.core(0).x, lab.core(0).pc, lab.core(0).pstate];

    advanceVirtual(lab.machine, 0n);

    assert(teeRuns(lab.core(0)));
    assert.equal(lab.core(0).x[0], BigInt(TEE_EVENT_INTERRUPT));
    assert.deepEqual(pending(lab), { 0: INTID });
    assert(isActive(lab));
    acknowledge(lab);
    setTimer(lab, NEVER);
    end(lab);
    lab.tee().interruptDone();
    assert.deepEqual([...lab.core(0).x, lab.core(0).pc, lab.core(0).pstate], before);
    advanceVirtual(lab.machine, 1_000_000n);
    assert(!teeRuns(lab.core(0)));
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("an interrupt that it has not taken when it leaves is not lost, nor left in the interface", async () => {
    const lab = await aGuest();
    lab.guestCalls(0, YIELDING_CALL);
    setTimer(lab, 10n);
    advanceVirtual(lab.machine, 10n);
    assert.deepEqual(pending(lab), { 0: INTID });

    lab.tee().callDone(1n);

    assert(!isActive(lab));
    advanceVirtual(lab.machine, 0n);
    assert(teeRuns(lab.core(0)), "entered for it");
    assert.deepEqual(pending(lab), { 0: INTID });
  });

  test("one that it does not serve does not keep its normal world from running; its next call sees it again", async () => {
    const lab = await aGuest();
    lab.guestCalls(0, FAST_CALL);
    setTimer(lab, 0n);
    lab.tee().callDone(1n);
    advanceVirtual(lab.machine, 0n);
    lab.tee().interruptDone();

    advanceVirtual(lab.machine, 1_000_000n);

    assert(!teeRuns(lab.core(0)));
    lab.guestCalls(0, FAST_CALL);
    deliverVirtualTimer(lab.machine);
    assert.deepEqual(pending(lab), { 0: INTID });
  });

  test("preempted in its handler: the normal world's interrupt is free, the TEE's active again when it goes on", async () => {
    const lab = await aGuest();
    lab.guestCalls(0, YIELDING_CALL);
    setTimer(lab, 10n);
    advanceVirtual(lab.machine, 10n);
    acknowledge(lab);
    const served = lab.core(0).get("ICH_LR0_EL2");

    lab.tee().returns(TEE_YIELD);
    assert(!isActive(lab));
    lab.guestCalls(0);

    assert.equal(lab.core(0).get("ICH_LR0_EL2"), served);
    assert(isActive(lab));
    lab.hypervisor.interrupt(lab.core(0));
    assert.deepEqual(pending(lab), { 1: FOREIGN_INTID }, "another interrupt is not taken for its timer");
    end(lab);
    assert(!isActive(lab));
  });

  test("not enabled in its redistributor: silent until it is", async () => {
    const lab = await aGuest();
    const enable = (name: string) => lab.tee().store(BigInt(TEE_GICR_IPA + size(name)), 1n << INTID);
    lab.guestCalls(0, YIELDING_CALL);
    enable("GICR_ICENABLER0");
    setTimer(lab, 0n);
    deliverVirtualTimer(lab.machine);
    assert.deepEqual(pending(lab), {});
    assert(!isVirtualTimerUp(lab.machine, lab.core(0)));

    enable("GICR_ISENABLER0");
    deliverVirtualTimer(lab.machine);

    assert.deepEqual(pending(lab), { 0: INTID });
    assert.equal(monitor(lab).guest(0, "foreignInterrupts"), 0n);
  });

  test("masked, off, or never: nothing comes", async () => {
    for (const [control, compare] of [
      [ENABLE | IMASK, 0n],
      [0n, 0n],
      [ENABLE, NEVER],
    ] as const) {
      const lab = await aGuest();
      lab.guestCalls(0, FAST_CALL);
      lab.core(0).set("CNTV_CTL_EL0", control);
      lab.core(0).set("CNTV_CVAL_EL0", compare);
      lab.tee().callDone(1n);
      advanceVirtual(lab.machine, 1_000_000n);
      assert(!teeRuns(lab.core(0)));
    }
  });
});

suite("the normal world's timer falls due while its TEE runs", () => {
  /** A TEE that runs; its normal world's timer is due in 2000 ticks. */
  async function running(foreignInterrupt = FOREIGN_VIRQ): Promise<Lab> {
    const lab = await aGuest({ foreignInterrupt });
    setTimer(lab, 2000n);
    lab.guestCalls(0, YIELDING_CALL);
    advanceVirtual(lab.machine, 1999n);
    assert.equal(monitor(lab).guest(0, "foreignInterrupts"), 0n, "not a tick too early");
    advanceVirtual(lab.machine, 1n);
    assert.equal(monitor(lab).guest(0, "foreignInterrupts"), 1n);
    return lab;
  }

  test("as an SPI: the TEE is told, leaves, and the hypervisor takes it", async () => {
    const lab = await running();
    assert.deepEqual(pending(lab), { 1: FOREIGN_INTID });
    lab.tee().returns(TEE_YIELD);
    assert(isVirtualTimerUp(lab.machine, lab.core(0)));
    deliverVirtualTimer(lab.machine);
    lab.hypervisor.takeOver(lab.core(0));
  });

  test("as a virtual FIQ: likewise", async () => {
    const lab = await running(FOREIGN_VFIQ);
    assert.notEqual(lab.core(0).get("HCR_EL2") & word("HCR_EL2_VF"), 0n);
    lab.tee().callDone(1n);
    assert(isVirtualTimerUp(lab.machine, lab.core(0)));
  });

  test("not at all: it is taken off the core at once", async () => {
    const lab = await running(FOREIGN_NONE);
    assert(!teeRuns(lab.core(0)));
    lab.hypervisor.takeOver(lab.core(0));
  });

  test("a TEE that does not leave is preempted as ever", async () => {
    const lab = await running();
    advanceVirtual(lab.machine, PREEMPTION_TICKS);
    assert(!teeRuns(lab.core(0)));
    assert.equal(monitor(lab).guest(0, "preemptions"), 1n);
  });
});

test("the GIC answers what a kernel that sets it up by itself asks", async () => {
  const lab = await aGuest();
  lab.guestCalls(0, YIELDING_CALL);
  const distributor = (name: string) => BigInt(TEE_GICD_IPA + size(name));
  const redistributor = (name: string) => BigInt(TEE_GICR_IPA + size(name));

  lab.tee().store(distributor("GICD_CTLR"), 0n);
  assert.equal(
    lab.tee().load(distributor("GICD_CTLR")) & word("GICD_CTLR_RWP"),
    0n,
    "no write is ever pending",
  );
  assert.equal(lab.tee().load(distributor("GICD_TYPER")) & word("GICD_TYPER_ITLINES_MASK"), 4n);
  assert.equal(lab.tee().load(redistributor("GICR_PIDR2")) & 0xf0n, 0x30n);
  assert.notEqual(lab.tee().load(redistributor("GICR_TYPER")) & word("GICR_TYPER_LAST"), 0n);
  assert.equal(lab.tee().load(redistributor("GICR_TYPER") + 4n), 0n, "the affinity that MPIDR_EL1 shows");
  assert.equal(lab.core(0).get("VMPIDR_EL2") & 0xffffffn, 0n);
  assert.equal(lab.tee().load(redistributor("GICR_WAKER")), 0n, "awake");
  lab.tee().store(redistributor("GICR_ICENABLER0"), 0xffffffffn);
  assert.equal(lab.tee().load(redistributor("GICR_ISENABLER0")), 0n);
  lab.tee().store(redistributor("GICR_ISENABLER0"), (1n << INTID) | 0xffffn);
  assert.equal(lab.tee().load(redistributor("GICR_ISENABLER0")), (1n << INTID) | 0xffffn);
});

test("CNTPS is not emulated for it: an SMC with such an immediate is one like any other", async () => {
  const lab = await aGuest();
  lab.guestCalls(0, YIELDING_CALL);
  lab.core(0).x[0] = 0x80000000n;
  lab.core(0).x[12] = ENABLE;
  smc(lab.machine, lab.core(0), 0x2000 | (1 << 5) | 12);
  assert.equal(lab.core(0).x[0], 0x10001n, "SMCCC_VERSION");
  assert.equal(monitor(lab).teeCore(0, 0, "timerControl"), 0n);
});
