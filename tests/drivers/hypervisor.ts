// A hypervisor that behaves as Debian's Xen does towards the monitor: its boot, its writes of translation registers by SMC, its context
// switch, and the life of a VM's stage-2 root (empty, filled, flushed when it is gone).

import * as hardening from "../../abi/hardening.ts";
import { DRAM_PA, XEN_PA } from "../../abi/memory-map.ts";
import { PSCI_CPU_ON_64_FID } from "../../abi/smccc.ts";
import type { Core } from "../machine/core.ts";
import { MachineCheck } from "../machine/errors.ts";
import type { Machine } from "../machine/machine.ts";
import { word } from "../machine/source-words.ts";
import { exitToEl2, GROUP1_PRIORITY, smc } from "./exceptions.ts";
import { Stage2Tables } from "./stage2-tables.ts";
import { Vcpu, VirtualMachine } from "./virtual-machine.ts";

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

export const XEN_VBAR = 0x0a0000268800n & ~0x7ffn;
export const XEN_MAIR = 0xff000004eeaa4400n;
export const XEN_HCR = word("HCR_EL2_VM") | word("HCR_EL2_RW") | word("HCR_EL2_TSC") | 0x38n;
const XEN_DATA = 0x1e110_0000_0000n;
const MEMORY_PA = 0x58000000;
const MIB = 1 << 20;

export class Hypervisor {
  readonly machine: Machine;
  readonly rootPa: number;
  readonly emptyRootPa: number;
  readonly controlDomain: VirtualMachine;
  /** What runs, or last ran, on each core. */
  readonly loaded: (Vcpu | undefined)[] = [];
  readonly fill: (register: string) => bigint;
  #nextPa = MEMORY_PA;

  constructor(machine: Machine, fill: (register: string) => bigint) {
    this.machine = machine;
    this.fill = fill;
    this.rootPa = this.allocate();
    machine.memory.zero(this.rootPa, 0x1000);
    this.emptyRootPa = this.allocate();
    machine.memory.zero(this.emptyRootPa, 0x1000);
    this.controlDomain = this.createVm({ vmid: 1, ramMib: 64, vcpus: machine.cores.length });
    this.fillRoot(this.controlDomain);
  }

  allocate(): number {
    this.#nextPa += 0x1000;
    if (this.#nextPa > this.machine.bootPackage.poolPa)
      throw new MachineCheck("the hypervisor is out of memory");
    return this.#nextPa - 0x1000;
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
      this.interrupt(core);
    }
  }

  bootCore(core: Core): void {
    this.writes(core, "MAIR", XEN_MAIR);
    this.writes(core, "TCR", 0x80823518n);
    this.writes(core, "TTBR0", BigInt(this.rootPa));
    this.writes(core, "SCTLR", 0x30cd183dn);
    this.writes(core, "VBAR", XEN_VBAR);
    this.writes(core, "VTCR", 0x80043594n);
    this.writes(core, "HCR", XEN_HCR);
  }

  /** A replaced MSR: `smc #(HARDENING_CALL | index << 5 | Rt)`. */
  writes(core: Core, register: HardenedName, value: bigint, rt = 3): void {
    this.#mustRun(core);
    if (rt < 31) core.x[rt] = value;
    smc(
      this.machine,
      core,
      hardening.HARDENING_CALL | (INDEX[register] << hardening.HARDENED_REGISTER_SHIFT) | rt,
    );
  }

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
    const { memory } = this.machine;
    const tables = new Stage2Tables(memory, () => this.allocate());
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

  /** The end of a VM: its root emptied, its VMID flushed. */
  destroy(core: Core, vm: VirtualMachine): void {
    vm.tables.empty();
    this.flush(core, vm.vttbr);
  }

  #mustRun(core: Core): void {
    if (core.exceptionLevel !== 2) throw new MachineCheck(`core ${core.index} is not at EL2`);
  }
}
