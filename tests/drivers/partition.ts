// A TEE at its virtual TZC-400, and who reaches what of the memory that it takes.

import assert from "node:assert/strict";
import { COMPARTMENT_DEVICES } from "../../abi/compartments.ts";
import { PARTITION_GRANULE } from "../../abi/devices-compartment.ts";
import { DRAM_PA, TEE_TZC400_IPA } from "../../abi/memory-map.ts";
import { tzc400Constants, tzc400Registers } from "../../arm/tzc400.ts";
import { brokenRules } from "../../spec/valid.ts";
import { translateEl2 } from "../machine/el2-translation.ts";
import { monitorModule } from "../machine/monitor.ts";
import { walk } from "../machine/translation.ts";
import { compartmentModule } from "./compartment.ts";
import { brokenInvariants } from "./invariants.ts";
import { aLab, FAST_CALL, type Lab, type LabOptions, labOf } from "./lab.ts";
import { memoryStateOf } from "./memory-state.ts";
import { stateOf } from "./tables.ts";
import type { VirtualMachine } from "./virtual-machine.ts";
import { directMapVa } from "./xen-memory.ts";

export const MIB2: number = PARTITION_GRANULE;
export const RAM_IPA: number = DRAM_PA;
/** Filter on, all of it the secure world's. */
export const SECURE = 0xc0000001;
const NORMAL_CORE = 1;

export function tzcIpa(name: string, region = 0): bigint {
  const { offset } = tzc400Registers.find((register) => register.name === `TZC400_${name}`)!;
  return BigInt(TEE_TZC400_IPA + offset! + region * tzc400Constants.TZC400_REGION_STRIDE);
}

export class PartitionLab {
  readonly lab: Lab;
  readonly vm: VirtualMachine;

  constructor(lab: Lab, vm: VirtualMachine) {
    this.lab = lab;
    this.vm = vm;
  }

  read(name: string, region = 0): number {
    return Number(this.lab.tee().load(tzcIpa(name, region)));
  }

  write(name: string, value: number, region = 0): void {
    this.lab.tee().store(tzcIpa(name, region), BigInt(value >>> 0));
  }

  place(ipa: number, size: number, region = 1): void {
    const top = ipa + size - 1;
    this.write("REGION_BASE_LOW", ipa, region);
    this.write("REGION_BASE_HIGH", Math.floor(ipa / 2 ** 32), region);
    this.write("REGION_TOP_LOW", top, region);
    this.write("REGION_TOP_HIGH", Math.floor(top / 2 ** 32), region);
  }

  /** Turns a range secure. True if the controller says so. */
  secure(ipa: number, size = MIB2, region = 1): boolean {
    this.place(ipa, size, region);
    this.write("REGION_ATTRIBUTES", SECURE, region);
    return this.read("REGION_ATTRIBUTES", region) === SECURE;
  }

  release(region = 1): void {
    this.write("REGION_ATTRIBUTES", 0, region);
  }

  /** Why, and from where on, the last request was refused; and forgets it. */
  refusal(): { code: number; ipa: number } | undefined {
    if (this.read("INT_STATUS") === 0) return undefined;
    const ipa = this.read("FAIL_ADDRESS_HIGH") * 2 ** 32 + this.read("FAIL_ADDRESS_LOW");
    const refusal = { code: this.read("FAIL_ID"), ipa };
    this.write("INT_CLEAR", 1);
    return refusal;
  }

  /** What a core reaches in this VM's normal world, with what its TLB keeps. */
  normalPa(ipa: number): number | undefined {
    const { machine } = this.lab;
    return machine.tlbs[NORMAL_CORE]!.translate(machine.memory, this.vm.vttbr, BigInt(ipa));
  }

  teePa(ipa: number): number | undefined {
    return this.lab.tee().translate(BigInt(ipa));
  }

  tablePa(ipa: number): number | undefined {
    return walk(this.lab.machine.memory, this.vm.tables.rootPa, BigInt(ipa))?.pa;
  }

  isReadByHypervisor(pa: number): boolean {
    const { machine } = this.lab;
    return machine.cores.some(
      (core) => !core.isParked && "pa" in translateEl2(machine, core, directMapVa(pa), "read"),
    );
  }

  isReachedByDevices(pa: number): boolean {
    return this.lab.machine.smmu.find(0, pa) !== undefined;
  }

  /** Every cache of translations has the pages of [ipa, ipa + size). */
  warmCaches(ipa: number, size = MIB2): void {
    const { machine } = this.lab;
    for (let at = ipa; at < ipa + size; at += 0x1000) {
      this.teePa(at);
      const pa = this.normalPa(at);
      if (pa === undefined) continue;
      this.isReadByHypervisor(pa);
      machine.smmu.find(0, pa);
    }
  }

  assertValid(): void {
    assert.deepEqual(brokenInvariants(this.lab), []);
    assert.deepEqual(brokenRules(memoryStateOf(this.lab.machine, this.lab.slotCount)), []);
  }
}

/** A guest whose TEE runs in a call on core 0; the hypervisor has the other cores. */
export async function aPartitionLab(options: LabOptions & { ramMib?: number } = {}): Promise<PartitionLab> {
  const { ramMib = 8, ...rest } = options;
  return calledTee(await aLab({ cores: 3, ...rest }), ramMib);
}

export function calledTee(lab: Lab, ramMib: number): PartitionLab {
  const vm = lab.aGuest({ ramMib });
  lab.guestCalls(0, FAST_CALL);
  return new PartitionLab(lab, vm);
}

/** Its compartment of devices is `entry`, whatever that does. */
export async function aPartitionLabWith(entry: string): Promise<PartitionLab> {
  const module = await monitorModule();
  const compartments = [...module.compartments];
  compartments[COMPARTMENT_DEVICES] = await compartmentModule(entry);
  return calledTee(labOf({ ...module, compartments }, { cores: 3 }), 40);
}

/** 2 MiB in pages of which no two lie together, at `ipa`. */
export function mapPages({ lab, vm }: PartitionLab, ipa: number, count = 512): number[] {
  return Array.from({ length: count }, (_, index) => {
    const pa = lab.hypervisor.allocate();
    lab.hypervisor.allocate();
    vm.tables.mapPage(ipa + index * 0x1000, pa);
    return pa;
  });
}

/** Nobody but the TEE reaches the page at `ipa`, whose PA is `pa`. */
export function assertIsTees(it: PartitionLab, ipa: number, pa: number): void {
  assert.equal(it.teePa(ipa), pa);
  assert.equal(it.normalPa(ipa), undefined);
  assert.equal(it.isReadByHypervisor(pa), false);
  assert.equal(it.isReachedByDevices(pa), false);
  assert.equal(stateOf(it.lab, pa), "GUEST_SECURE");
}

/** Both worlds reach it there, and so do hypervisor and devices. */
export function assertIsShared(it: PartitionLab, ipa: number, pa: number): void {
  assert.equal(it.teePa(ipa), pa);
  assert.equal(it.normalPa(ipa), pa);
  assert.equal(it.isReadByHypervisor(pa), true);
  assert.equal(it.isReachedByDevices(pa), true);
  assert.equal(stateOf(it.lab, pa), "GUEST 1");
}
