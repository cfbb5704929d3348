// Acts of everybody below EL3, for random histories: what a hypervisor that schedules, guests and TEEs that do as they please can do on
// two cores. Each act is possible in every state; where it has no meaning it does nothing.

import { TEE_RETURN_VALUE } from "../../abi/tee.ts";
import {
  advance,
  deliverTimer,
  EC_HVC,
  EC_SYSTEM_REGISTER,
  esrOf,
  exitToEl2,
  smc,
  stepVectors,
  useFp,
  useGicInterface,
} from "../drivers/exceptions.ts";
import type { Lab } from "../drivers/lab.ts";
import { Tee, teeRuns } from "../drivers/tee.ts";
import type { Vcpu, VirtualMachine } from "../drivers/virtual-machine.ts";
import { type Core, EL1H, MASKED } from "../machine/core.ts";
import { illegalReturn } from "../machine/exception-return.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { word } from "../machine/source-words.ts";

export interface History {
  readonly lab: Lab;
  /** VMs that the hypervisor has, by their place in the history's small world; undefined: none at the moment. */
  readonly vms: (VirtualMachine | undefined)[];
  /** vCPUs that a core is about to enter. */
  readonly starting: Set<Vcpu>;
}

export const VM_PLACES = 3;
export const VCPUS = 2;
export const FIRST_VMID = 5;

const isHypervisor = (core: Core) => core.exceptionLevel === 2;
const isGuest = (core: Core) => !core.isParked && core.exceptionLevel < 2 && !teeRuns(core);

/** Two vCPUs of hypervisors never run on two cores at once. */
function isElsewhere({ lab }: History, vm: VirtualMachine, vcpu: number, core: Core): boolean {
  return lab.machine.cores.some(
    (other) =>
      other !== core && !isHypervisor(other) && lab.hypervisor.loaded[other.index] === vm.vcpus[vcpu],
  );
}

export const ACTS = {
  createVm({ lab, vms }: History, place: number): void {
    if (!lab.machine.cores.some(isHypervisor)) return;
    vms[place] ??= lab.aVm({ vcpus: VCPUS, ramMib: 2, vmid: FIRST_VMID + place });
  },
  destroyVm({ lab, vms }: History, place: number, coreIndex: number): void {
    const vm = vms[place];
    const core = lab.core(coreIndex);
    const runs = lab.machine.cores.some(
      (other) => !isHypervisor(other) && lab.hypervisor.loaded[other.index]?.vm === vm,
    );
    if (vm === undefined || runs || !isHypervisor(core)) return;
    vms[place] = undefined;
    lab.hypervisor.destroy(core, vm);
  },
  run(history: History, place: number, vcpu: number, coreIndex: number): void {
    const { lab, vms } = history;
    const vm = vms[place];
    const core = lab.core(coreIndex);
    if (vm === undefined || !isHypervisor(core) || isElsewhere(history, vm, vcpu, core)) return;
    const { starting } = history;
    if (starting.has(vm.vcpus[vcpu]!)) return;
    // A VM switches its further vCPUs on only when it runs itself.
    if (vcpu > 0 && !lab.status.guests.some(({ vmid, state }) => vmid === vm.vmid && state !== "booting"))
      return;
    starting.add(vm.vcpus[vcpu]!);
    lab.runVcpu(vm.vcpus[vcpu]!, coreIndex);
    starting.delete(vm.vcpus[vcpu]!);
  },
  interrupt({ lab }: History, coreIndex: number): void {
    if (!isHypervisor(lab.core(coreIndex))) lab.hypervisor.interrupt(lab.core(coreIndex));
  },
  flush({ lab, vms }: History, place: number, coreIndex: number): void {
    const vm = vms[place];
    if (vm !== undefined && isHypervisor(lab.core(coreIndex)))
      lab.hypervisor.flush(lab.core(coreIndex), vm.vttbr);
  },
  wait({ lab }: History, ticks: number): void {
    advance(lab.machine, BigInt(ticks));
  },
  guestSmc({ lab }: History, coreIndex: number, words: readonly bigint[], imm16: number): void {
    const core = lab.core(coreIndex);
    if (!isGuest(core)) return;
    words.forEach((value, index) => {
      core.x[index] = value;
    });
    smc(lab.machine, core, imm16);
    if (isHypervisor(core)) lab.hypervisor.takeOver(core);
  },
  guestRuns({ lab }: History, coreIndex: number): void {
    if (!isGuest(lab.core(coreIndex))) return;
    lab.fetch(lab.core(coreIndex));
  },
  /** As its state asks for: booted, core up, call answered, interrupt served. */
  teeLeaves({ lab }: History, coreIndex: number, answer: bigint): void {
    const core = lab.core(coreIndex);
    const state = new MonitorState(lab.machine);
    const running = state.running(coreIndex);
    if (!teeRuns(core) || running === undefined) return;
    const tee = new Tee(lab.machine, core);
    const activity = state.teeCore(running.slot, running.index, "activity");
    if (activity === word("TEE_CORE_CALLED")) tee.callDone(answer, 0n, 0n, 0n);
    else if (activity === word("TEE_CORE_INTERRUPTED")) tee.interruptDone();
    else if (state.guest(running.slot, "coresOn") === 0n) tee.entryDone();
    else tee.coreOnDone();
  },
  /** A TEE that does not leave for an interrupt in time. */
  foreignInterruptAndWait({ lab }: History, coreIndex: number): void {
    if (!teeRuns(lab.core(coreIndex))) return;
    lab.hypervisor.interrupt(lab.core(coreIndex));
    advance(lab.machine, 1_250_000n);
  },
  teeReturns({ lab }: History, coreIndex: number, low: number, x1: bigint): void {
    if (teeRuns(lab.core(coreIndex)))
      new Tee(lab.machine, lab.core(coreIndex)).returns(TEE_RETURN_VALUE + low, x1, 0n, 0n, 0n);
  },
  teeSmc({ lab }: History, coreIndex: number, x0: bigint, imm16: number): void {
    const core = lab.core(coreIndex);
    if (!teeRuns(core)) return;
    core.x[0] = x0;
    smc(lab.machine, core, imm16);
  },
  teeAccesses({ lab }: History, coreIndex: number, ipa: number, write: boolean): void {
    const core = lab.core(coreIndex);
    if (!teeRuns(core)) return;
    const tee = new Tee(lab.machine, core);
    if (tee.translate(BigInt(ipa)) === undefined) tee.accessIpa(BigInt(ipa), { write });
  },
  teeUses({ lab }: History, coreIndex: number, what: number): void {
    const core = lab.core(coreIndex);
    if (!teeRuns(core)) return;
    if (what === 0) useFp(lab.machine, core);
    else if (what === 1) useGicInterface(lab.machine, core);
    else new Tee(lab.machine, core).fillRegisters(lab.secrets);
  },
  teeExits({ lab }: History, coreIndex: number, what: number): void {
    const core = lab.core(coreIndex);
    if (!teeRuns(core)) return;
    if (what === 0) new Tee(lab.machine, core).wfi();
    else if (what === 1) exitToEl2(lab.machine, core, "synchronous", { esr: esrOf(EC_HVC) });
    else if (what === 2) exitToEl2(lab.machine, core, "synchronous", { esr: esrOf(EC_SYSTEM_REGISTER) });
    else exitToEl2(lab.machine, core, "serror");
  },
  /**
   * All that the hypervisor does for a vCPU but its ERET: it jumps to a vector instead, with an origin and a core number of its own making. Of the
   * origins that are legal only EL1h: a vCPU in another mode would not be one that it can run again.
   */
  jump(
    history: History,
    place: number,
    coreIndex: number,
    vector: number,
    mode: bigint,
    hcr: bigint,
    vmpidr: bigint,
  ): void {
    const { lab, vms } = history;
    const vm = vms[place];
    const core = lab.core(coreIndex);
    if (vm === undefined || !isHypervisor(core) || isElsewhere(history, vm, 0, core)) return;
    if (illegalReturn(mode, hcr) === undefined && mode !== EL1H) return;
    const { pc, pstate } = core;
    const vcpu = vm.vcpus[0]!;
    lab.hypervisor.run(core, vcpu);
    [core.pc, core.pstate] = [pc, pstate];
    lab.hypervisor.writes(core, "HCR", hcr);
    core.set("VMPIDR_EL2", vmpidr);
    core.set("SPSR_EL2", mode | MASKED);
    core.pc = core.get("VBAR_EL2") + BigInt(vector * 0x80);
    stepVectors(lab.machine, core);
    if (isHypervisor(core)) [core.pc, core.pstate] = [pc, pstate];
  },
  spuriousFiq({ lab }: History, coreIndex: number): void {
    lab.machine.fiq(lab.core(coreIndex));
    deliverTimer(lab.machine);
  },
} as const;
