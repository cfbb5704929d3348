// A VM as the hypervisor keeps it: its stage-2 tables and, for each vCPU, every register that is not on a core now.

import { EL1_REGISTERS } from "../machine/contexts.ts";
import { type Core, EL1H, MASKED } from "../machine/core.ts";
import type { Stage2Tables } from "./stage2-tables.ts";

/** What Xen switches with a vCPU, beside the general registers and FP. */
export const VCPU_REGISTERS = [
  ...EL1_REGISTERS.values(),
  "ACTLR_EL1",
  "CNTV_CTL_EL0",
  "CNTV_CVAL_EL0",
  "ICH_VMCR_EL2",
  "ICH_AP0R0_EL2",
  "ICH_AP1R0_EL2",
  "ICH_HCR_EL2",
  ...Array.from({ length: 4 }, (_, index) => `ICH_LR${index}_EL2`),
  "FPCR",
  "FPSR",
] as const;

const VMPIDR_RES1 = 0x80000000n;
const AFF0_VCPUS = 16;
export const KERNEL_IPA = 0x40000000n;

export class Vcpu {
  readonly vm: VirtualMachine;
  readonly index: number;
  readonly registers = new Map<string, bigint>();
  readonly x = new BigUint64Array(31);
  readonly v = new BigUint64Array(64);
  pc = KERNEL_IPA;
  pstate = EL1H | MASKED;

  constructor(vm: VirtualMachine, index: number, fill: (register: string) => bigint) {
    this.vm = vm;
    this.index = index;
    for (const name of VCPU_REGISTERS) this.registers.set(name, fill(name));
    this.registers.set("ICH_HCR_EL2", 1n);
    for (let at = 0; at < 31; at++) this.x[at] = fill(`X${at}`);
    for (let at = 0; at < 64; at++) this.v[at] = fill(`V${at >> 1}.${at & 1}`);
  }

  /** As Xen numbers vCPUs: sixteen to a cluster. */
  get vmpidr(): bigint {
    return (
      VMPIDR_RES1 | BigInt(this.index % AFF0_VCPUS) | (BigInt(Math.floor(this.index / AFF0_VCPUS)) << 8n)
    );
  }

  load(core: Core): void {
    for (const [name, value] of this.registers) core.set(name, value);
    core.x.set(this.x);
    core.v.set(this.v);
    core.pc = this.pc;
    core.pstate = this.pstate;
  }

  /** The general registers as they are at the hypervisor's vector; PC and PSTATE from EL2's return state. */
  save(core: Core): void {
    for (const name of this.registers.keys()) this.registers.set(name, core.get(name));
    this.x.set(core.x);
    this.v.set(core.v);
    this.pc = core.get("ELR_EL2");
    this.pstate = core.get("SPSR_EL2");
  }
}

export class VirtualMachine {
  readonly vmid: number;
  readonly tables: Stage2Tables;
  readonly vcpus: Vcpu[] = [];
  readonly ramPa: number;
  readonly ramSize: number;

  constructor(vmid: number, tables: Stage2Tables, ramPa: number, ramSize: number) {
    this.vmid = vmid;
    this.tables = tables;
    this.ramPa = ramPa;
    this.ramSize = ramSize;
  }

  get vttbr(): bigint {
    return this.tables.vttbr(this.vmid);
  }
}
