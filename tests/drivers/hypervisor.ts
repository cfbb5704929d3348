// A hypervisor that behaves as Debian's Xen does towards the monitor: its boot, its writes of translation registers by SMC, its context
// switch, and the life of a VM's stage-2 root (empty, filled, flushed when it is gone).

import * as hardening from "../../abi/hardening.ts";
import { DRAM_PA, XEN_PA } from "../../abi/memory-map.ts";
import { PSCI_CPU_ON_64_FID } from "../../abi/smccc.ts";
import { type Core, EL2H, MASKED } from "../machine/core.ts";
import { translateEl2 } from "../machine/el2-translation.ts";
import { MachineCheck } from "../machine/errors.ts";
import type { Machine } from "../machine/machine.ts";
import { word } from "../machine/source-words.ts";
import { assembleStore } from "../machine/store-execution.ts";
import { executeStore, STORE_FAULT, type StoreOutcome } from "./el2-stores.ts";
import { exitToEl2, GROUP1_PRIORITY, smc, stepVectors, toEl2 } from "./exceptions.ts";
import { Stage2Tables } from "./stage2-tables.ts";
import { Vcpu, VirtualMachine } from "./virtual-machine.ts";
import { CODE_PAGE, directMapVa, imagePa, imageVa, XEN_VBAR, XenTables } from "./xen-memory.ts";

export { XEN_VBAR } from "./xen-memory.ts";

type HardenedName = "TTBR0" | "TCR" | "MAIR" | "SCTLR" | "VBAR" | "VTTBR" | "VTCR" | "HCR";
const INDEX: Record<HardenedName, number> = {
  TTBR0: hardening.HARDENED_TTBR0_EL2,
  TCR: hardening.HARDENED_TCR_EL2,
  MAIR: hardening.HARDENED_MAIR_EL2,
  SCTLR: hardening.HARDENED_SCTLR_EL2,
  VBAR: hardening.HARDENED_VBAR_EL2,
  VTTBR: hardening.HARDENED_VTTBR_EL2,
  VTCR: hardening.HARDENED_VTCR_EL2,
  HCR: hardening.HARDENED_HCR_EL2,
};

export const XEN_MAIR = 0xff000004eeaa4400n;
export const XEN_HCR = word("HCR_EL2_VM") | word("HCR_EL2_RW") | word("HCR_EL2_TSC") | 0x38n;
const XEN_DATA = 0x1e110_0000_0000n;
const MEMORY_PA = 0x58000000;
const MIB = 1 << 20;
export const XEN_TCR = 0x80843510n;
export const XEN_VTCR = 0x80043594n;
export const XEN_SCTLR = 0x30cd183dn;
const UNDEFINED_VECTOR = XEN_VBAR + 0x200n;
const PAGE_SIZE = 0x1000;
const ZERO_BLOCK_SIZE = 64;
const STR = assembleStore("STR_OFFSET", { RT: 2, RN: 1, SIZE: 3 });
const DC_ZVA = assembleStore("DC_ZVA", { RT: 1 });

export class Hypervisor {
  readonly machine: Machine;
  readonly tables: XenTables;
  readonly emptyRootPa: number;
  readonly controlDomain: VirtualMachine;
  /** What runs, or last ran, on each core. */
  readonly loaded: (Vcpu | undefined)[] = [];
  readonly fill: (register: string) => bigint;
  #nextPa = MEMORY_PA;
  readonly #freePages: number[] = [];
  readonly #planted = new Map<number, bigint>();
  /** From the first VM on the hypervisor writes its tables as Xen does; before, they are just there. */
  #isBooted = false;

  constructor(machine: Machine, fill: (register: string) => bigint) {
    this.machine = machine;
    this.fill = fill;
    this.tables = new XenTables(machine, () => this.allocate());
    for (const instruction of [STR, DC_ZVA]) this.plant(instruction);
    this.emptyRootPa = this.allocate();
    this.zeroPage(this.emptyRootPa);
    this.controlDomain = this.createVm({ vmid: 1, ramMib: 64, vcpus: machine.cores.length });
    this.fillRoot(this.controlDomain);
  }

  get rootPa(): number {
    return this.tables.root;
  }

  allocate(): number {
    const free = this.#freePages.pop();
    if (free !== undefined) return free;
    this.#nextPa += PAGE_SIZE;
    if (this.#nextPa > this.machine.bootPackage.poolPa)
      throw new MachineCheck("the hypervisor is out of memory");
    return this.#nextPa - PAGE_SIZE;
  }

  /** The page is the next to be used again. */
  free(pa: number): void {
    this.#freePages.push(pa);
  }

  /** What Xen does from its entry to the start of dom0, on every core. */
  boot(): void {
    this.bootCore(this.machine.cores[0]!);
    for (const core of this.machine.cores.slice(1)) {
      this.call(this.machine.cores[0]!, PSCI_CPU_ON_64_FID, core.index, XEN_PA);
      this.bootCore(core);
    }
    for (const core of this.machine.cores) {
      this.run(core, this.controlDomain.vcpus[core.index]!);
      this.#isBooted = true;
      this.interrupt(core);
    }
  }

  /** Its boot was on another machine, whose state this one has (Machine.copyFrom). */
  assumeBooted(): void {
    this.loaded.push(...this.controlDomain.vcpus);
    this.#isBooted = true;
  }

  bootCore(core: Core): void {
    this.writes(core, "MAIR", XEN_MAIR);
    this.writes(core, "TCR", XEN_TCR);
    this.writes(core, "TTBR0", BigInt(this.rootPa));
    this.writes(core, "SCTLR", XEN_SCTLR);
    this.writes(core, "VBAR", XEN_VBAR);
    this.writes(core, "VTCR", XEN_VTCR);
    this.writes(core, "HCR", XEN_HCR);
    this.writes(core, "VTTBR", BigInt(this.emptyRootPa));
  }

  /** A replaced MSR: `smc #(HARDENING_CALL | index << 5 | Rt)`. False: it was undefined, and the hypervisor goes on behind it. */
  writes(core: Core, register: HardenedName, value: bigint, rt = 3): boolean {
    if (rt < 31) core.x[rt] = value;
    const call = hardening.HARDENING_CALL | (INDEX[register] << hardening.HARDENED_REGISTER_SHIFT);
    return this.issues(core, call | rt);
  }

  /** An SMC with this immediate. False: it was undefined. */
  issues(core: Core, imm16: number): boolean {
    this.#mustRun(core);
    smc(this.machine, core, imm16);
    if (core.pc !== UNDEFINED_VECTOR) return true;
    core.pc = core.get("ELR_EL2") + 4n;
    return false;
  }

  // --- its own memory -------------------------------------------------------------------------------------------

  /** The VA of an instruction in its text, as if it had always been there. */
  plant(instruction: number): bigint {
    const known = this.#planted.get(instruction);
    if (known !== undefined) return known;
    const offset = this.#planted.size * 4;
    this.machine.memory.write(imagePa(CODE_PAGE) + offset, 4, BigInt(instruction));
    const va = imageVa(CODE_PAGE) + BigInt(offset);
    this.#planted.set(instruction, va);
    return va;
  }

  /** Executes one store; the registers it uses are set before. Where the core stood is put back. */
  execute(core: Core, instruction: number): StoreOutcome {
    this.#mustRun(core);
    const { pc, pstate } = core;
    const outcome = executeStore(this.machine, core, this.plant(instruction));
    core.pc = pc;
    core.pstate = pstate;
    return outcome;
  }

  /** A data abort of its own by this instruction, whatever it is; returns where the core goes on. */
  faults(core: Core, instruction: number, far: bigint): bigint {
    return this.faultsAt(core, this.plant(instruction), far);
  }

  /** The same at an address of the caller's choice, with another syndrome if need be. */
  faultsAt(core: Core, va: bigint, far: bigint, esr = STORE_FAULT, pstate = EL2H | MASKED): bigint {
    const before = [core.pc, core.pstate] as const;
    core.pc = va;
    core.pstate = pstate;
    toEl2(core, "synchronous", { esr, far });
    if (core.pc !== core.get("VBAR_EL2") + 0x200n) throw new MachineCheck("taken to another vector");
    stepVectors(this.machine, core);
    const after = core.pc;
    [core.pc, core.pstate] = before;
    return after;
  }

  /** `str x2, [x1]` */
  store(core: Core, va: bigint, value: bigint): StoreOutcome {
    core.x[1] = va;
    core.x[2] = value;
    return this.execute(core, STR);
  }

  /** Writes its memory through the direct map, on a core that it has. */
  write64(pa: number, value: bigint): void {
    if (!this.#isBooted) this.machine.memory.write64(pa, value);
    else if (this.store(this.anyCore(), directMapVa(pa), value) !== "done")
      throw new MachineCheck(`the hypervisor's store to 0x${pa.toString(16)} aborts`);
  }

  /** As Xen clears a page. */
  zeroPage(pa: number): void {
    if (!this.#isBooted) this.machine.memory.zero(pa, PAGE_SIZE);
    for (let offset = 0; this.#isBooted && offset < PAGE_SIZE; offset += ZERO_BLOCK_SIZE) {
      const core = this.anyCore();
      core.x[1] = directMapVa(pa + offset);
      if (this.execute(core, DC_ZVA) !== "done")
        throw new MachineCheck(`the hypervisor cannot clear 0x${(pa + offset).toString(16)}`);
    }
  }

  /** Whether a core's translation, with what it keeps, lets it write there through the direct map. */
  canWrite(core: Core, pa: number): boolean {
    return "pa" in translateEl2(this.machine, core, directMapVa(pa), "write");
  }

  /** A core on which the hypervisor runs. */
  anyCore(): Core {
    const core = this.machine.cores.find(
      (each) => !each.isParked && !each.isInMonitor && each.exceptionLevel === 2,
    );
    if (core === undefined) throw new MachineCheck("the hypervisor has no core");
    return core;
  }

  // --- what it asks for -----------------------------------------------------------------------------------------

  /** PSCI and the like; returns x0. */
  call(core: Core, fid: number, ...words: (number | bigint)[]): bigint {
    this.#mustRun(core);
    core.x[0] = BigInt(fid);
    words.forEach((value, index) => {
      core.x[index + 1] = BigInt(value);
    });
    smc(this.machine, core);
    return core.x[0]!;
  }

  /** A VM with an empty root; fillRoot gives it memory. */
  createVm(options: { vmid: number; vcpus?: number; ramMib?: number }): VirtualMachine {
    const { vmid, vcpus = 1, ramMib = 4 } = options;
    const tables = new Stage2Tables(this);
    const ramPa = DRAM_PA + Math.ceil((this.#nextPa - DRAM_PA) / (2 * MIB)) * 2 * MIB;
    this.#nextPa = ramPa + ramMib * MIB;
    const vm = new VirtualMachine(vmid, tables, ramPa, ramMib * MIB);
    for (let index = 0; index < vcpus; index++) vm.vcpus.push(new Vcpu(vm, index, this.fill));
    return vm;
  }

  /** RAM at 0x40000000 and a page of the kind that a guest has below it (grant table). */
  fillRoot(vm: VirtualMachine): void {
    vm.tables.mapBlocks(0x40000000, vm.ramPa, vm.ramSize);
    vm.tables.mapPage(0x38000000, this.allocate());
  }

  /** Context switch to a vCPU, ending with the ERET that enters it. */
  run(core: Core, vcpu: Vcpu): void {
    this.#mustRun(core);
    this.writes(core, "VTTBR", vcpu.vm.vttbr);
    this.writes(core, "HCR", XEN_HCR);
    core.set("VMPIDR_EL2", vcpu.vmpidr);
    core.set("ELR_EL2", vcpu.pc);
    core.set("SPSR_EL2", vcpu.pstate);
    vcpu.load(core);
    this.loaded[core.index] = vcpu;
  }

  /** Xen's context switch to its idle vCPU: between VMs the empty root is loaded. */
  idle(core: Core): void {
    this.writes(core, "VTTBR", BigInt(this.emptyRootPa));
  }

  /** Whatever runs below is at the hypervisor's vector now: it saves the vCPU. */
  takeOver(core: Core): Vcpu {
    this.#mustRun(core);
    if (core.pc >> 11n !== XEN_VBAR >> 11n)
      throw new MachineCheck(`not at the hypervisor's vectors but at 0x${core.pc.toString(16)}`);
    const vcpu = this.loaded[core.index];
    if (vcpu === undefined) throw new MachineCheck("no vCPU was loaded");
    vcpu.save(core);
    for (let index = 0; index < 31; index++) core.x[index] = XEN_DATA | BigInt(index);
    return vcpu;
  }

  /** A physical interrupt of the normal world arrives. True if the hypervisor has the core now; else it waits, masked, or a TEE has it. */
  interrupt(core: Core): boolean {
    if (core.get("ICC_PMR_EL1") <= GROUP1_PRIORITY) return false;
    exitToEl2(this.machine, core, "irq");
    if (core.exceptionLevel !== 2) return false;
    this.takeOver(core);
    return true;
  }

  /** Xen's p2m_force_tlb_flush: loads the VMID, flushes, puts the root back. */
  flush(core: Core, vttbr: bigint): void {
    const before = core.get("VTTBR_EL2");
    this.writes(core, "VTTBR", vttbr);
    for (const tlb of this.machine.tlbs) tlb.invalidate(core.get("VTTBR_EL2"));
    this.writes(core, "VTTBR", before);
  }

  /** The end of a VM: its root on no core, emptied, its VMID flushed. */
  destroy(core: Core, vm: VirtualMachine): void {
    for (const each of this.machine.cores) {
      const isIdle = !each.isParked && !each.isInMonitor && each.exceptionLevel === 2;
      if (isIdle && this.loaded[each.index]?.vm === vm) this.idle(each);
    }
    vm.tables.empty();
    this.flush(core, vm.vttbr);
  }

  #mustRun(core: Core): void {
    if (core.exceptionLevel !== 2) throw new MachineCheck(`core ${core.index} is not at EL2`);
  }
}
