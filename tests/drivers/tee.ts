// What a TEE kernel does while it runs on a core: leaves with the dispatcher's words, fills its registers, touches memory and devices.

import { TEE_GICD_IPA } from "../../abi/memory-map.ts";
import { TEE_CALL_DONE, TEE_CPU_ON_DONE, TEE_ENTRY_DONE, TEE_INTERRUPT_DONE } from "../../abi/tee.ts";
import { EL1_REGISTERS } from "../machine/contexts.ts";
import type { Core } from "../machine/core.ts";
import { MachineCheck } from "../machine/errors.ts";
import type { Machine } from "../machine/machine.ts";
import { size } from "../machine/source-words.ts";
import { vmidOf } from "../machine/translation.ts";
import { EC_DATA_ABORT, EC_WFX, esrOf, exitToEl2, smc, useFp, useGicInterface } from "./exceptions.ts";

export const VECTOR_TABLE = 0x0e100800n;
const FIRST_TEE_VMID = 0xf0n;

export const teeRuns = (core: Core): boolean =>
  vmidOf(core.get("VTTBR_EL2")) >= FIRST_TEE_VMID && core.exceptionLevel < 2;

/** Words of the dispatcher's ABI, by SMC. */
export class Tee {
  readonly machine: Machine;
  readonly core: Core;

  constructor(machine: Machine, core: Core) {
    this.machine = machine;
    this.core = core;
    if (!teeRuns(core)) throw new MachineCheck(`no TEE runs on core ${core.index}`);
  }

  returns(what: number, ...words: readonly bigint[]): void {
    this.core.x[0] = BigInt(what);
    words.forEach((value, index) => {
      this.core.x[index + 1] = value;
    });
    smc(this.machine, this.core);
  }

  entryDone(vectorTable = VECTOR_TABLE): void {
    this.returns(TEE_ENTRY_DONE, vectorTable);
  }

  coreOnDone(status = 0n): void {
    this.returns(TEE_CPU_ON_DONE, status);
  }

  callDone(...answer: readonly bigint[]): void {
    this.returns(TEE_CALL_DONE, ...answer);
  }

  interruptDone(): void {
    this.returns(TEE_INTERRUPT_DONE);
  }

  wfi(): void {
    exitToEl2(this.machine, this.core, "synchronous", { esr: esrOf(EC_WFX) });
  }

  /** A load or store, of 32 bits if nothing else is said, by register `rt` at an address that stage 2 does not map. */
  accessIpa(
    ipa: bigint,
    { write = false, rt = 7, isv = true, sas = 2n, sse = false, sf = false } = {},
  ): void {
    const size = (sas << 22n) | (sse ? 1n << 21n : 0n) | (sf || sas === 3n ? 1n << 15n : 0n);
    const iss = (isv ? 1n << 24n : 0n) | size | (BigInt(rt) << 16n) | (write ? 1n << 6n : 0n) | 0x6n;
    exitToEl2(this.machine, this.core, "synchronous", {
      esr: esrOf(EC_DATA_ABORT, iss),
      far: 0xffff000000000000n | (ipa & 0xfffn),
      hpfar: (ipa >> 12n) << 4n,
    });
  }

  store(ipa: bigint, value: bigint): void {
    this.core.x[7] = value;
    this.accessIpa(ipa, { write: true });
  }

  load(ipa: bigint): bigint {
    this.core.x[7] = 0xdeadbeefdeadbeefn;
    this.accessIpa(ipa);
    return this.core.x[7]!;
  }

  /** GICD_ISENABLER<n>, or GICD_ICENABLER<n>, of its distributor. */
  enablesSpi(intid: number, isOn = true): void {
    const first = TEE_GICD_IPA + size(isOn ? "GICD_ISENABLER" : "GICD_ICENABLER");
    this.store(BigInt(first + (intid >> 5) * 4), 1n << BigInt(intid & 31));
  }

  /** Memory through stage 2, without a fault of its own: the PA, or undefined. Fills the core's TLB. */
  translate(ipa: bigint): number | undefined {
    return this.machine.tlbs[this.core.index]!.translate(
      this.machine.memory,
      this.core.get("VTTBR_EL2"),
      ipa,
    );
  }

  /** Puts a value of `fill` into every register that a TEE can write. */
  fillRegisters(fill: (register: string) => bigint, { fp = true, gic = true } = {}): void {
    for (let index = 0; index < 31; index++) this.core.x[index] = fill(`X${index}`);
    for (const name of EL1_REGISTERS.values()) this.core.set(name, fill(name));
    if (fp) this.#fillFp(fill);
    if (!gic) return;
    useGicInterface(this.machine, this.core);
    this.core.set("ICH_VMCR_EL2", fill("ICH_VMCR_EL2"));
    this.core.set("ICH_AP1R0_EL2", fill("ICH_AP1R0_EL2"));
  }

  #fillFp(fill: (register: string) => bigint): void {
    useFp(this.machine, this.core);
    for (let index = 0; index < 64; index++) this.core.v[index] = fill(`V${index >> 1}.${index & 1}`);
    this.core.set("FPCR", fill("FPCR"));
    this.core.set("FPSR", fill("FPSR"));
  }
}
