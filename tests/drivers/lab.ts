// A machine with a booted hypervisor, ready for guests: what most tests start from.

import {
  CLOCK_STOPS,
  ENTRY_KIND_VECTOR,
  FOREIGN_VFIQ,
  TEE_KEY_WORD_COUNT,
  TIMER_CNTPS,
  WFI_FAULTS,
} from "../../abi/boot-package.ts";
import { TEE_RAM_SIZE } from "../../abi/memory-map.ts";
import type { TeeProfile } from "../../el1/tees/profiles.ts";
import type { BootPackage } from "../../host/machine/boot-package.ts";
import { layOutRam } from "../../host/machine/ram-layout.ts";
import { decodeStatus, type MonitorStatus, STATUS_SIZE } from "../../host/machine/status.ts";
import { teeDeviceTree } from "../../host/machine/tee-device-tree.ts";
import type { KeySite } from "../../host/machine/tee-key-site.ts";
import { ramImages } from "../machine/boot-images.ts";
import type { Core } from "../machine/core.ts";
import { MachineCheck } from "../machine/errors.ts";
import { Machine } from "../machine/machine.ts";
import { type MonitorModule, monitorModule } from "../machine/monitor.ts";
import { EC_INSTRUCTION_ABORT, esrOf, exitToEl2, smc } from "./exceptions.ts";
import { Hypervisor } from "./hypervisor.ts";
import { Tee, teeRuns } from "./tee.ts";
import type { Vcpu, VirtualMachine } from "./virtual-machine.ts";

export const CNTPS_CTL_WRITE = 0xd51fe220; // msr cntps_ctl_el1, x0
export const CNTPS_CVAL_WRITE = 0xd51fe240 + 5; // msr cntps_cval_el1, x5
export const CNTPS_TVAL_READ = 0xd53fe200 + 9; // mrs x9, cntps_tval_el1
const IMAGE_SIZE = 0x3000;
const SITES = [0x40, 0x1234, 0x2ffc];

/** An image of noise with three secure-timer instructions in it. */
export function anImage(): Uint8Array {
  const view = new DataView(new ArrayBuffer(IMAGE_SIZE));
  for (let offset = 0; offset < IMAGE_SIZE; offset += 4)
    view.setUint32(offset, Math.imul(offset + 1, 0x9e3779b1) >>> 1, true);
  [CNTPS_CTL_WRITE, CNTPS_CVAL_WRITE, CNTPS_TVAL_READ].forEach((instruction, index) => {
    view.setUint32(SITES[index]!, instruction, true);
  });
  return new Uint8Array(view.buffer);
}

export const KEY_SITE_OFFSET = 0x804;

/** A site at which the image has the words that the site says. */
export function aKeySite(image = anImage(), offset = KEY_SITE_OFFSET): KeySite {
  const view = new DataView(image.buffer);
  const words = Array.from({ length: TEE_KEY_WORD_COUNT }, (_, index) =>
    view.getUint32(offset + index * 4, true),
  );
  return { offset, words };
}

const PROFILE: TeeProfile = {
  name: "test-tee",
  loadIpa: 0x0e100000,
  entryIpa: 0x0e100000,
  entryKind: ENTRY_KIND_VECTOR,
  coreCount: 4,
  timer: TIMER_CNTPS,
  foreignInterrupt: FOREIGN_VFIQ,
  foreignIntid: 0,
  adaptedSites: SITES.length,
  wfi: WFI_FAULTS,
  clock: CLOCK_STOPS,
  hiddenCapabilities: 0x20,
  hasDeviceTree: true,
};

export interface LabOptions {
  readonly cores?: number;
  readonly guests?: number;
  readonly profile?: Partial<TeeProfile>;
  readonly image?: Uint8Array;
  readonly keySite?: KeySite;
  readonly package?: Partial<BootPackage>;
}

export function aBootPackage(options: LabOptions = {}): BootPackage {
  const { cores = 2, guests = 2, profile = {}, image = anImage(), keySite } = options;
  const tee = {
    profile: { ...PROFILE, ...profile },
    image,
    version: "1",
    ...(keySite === undefined ? {} : { keySite }),
  };
  return {
    version: 1n,
    ...layOutRam(1 << 30, guests),
    ...ramImages(),
    coreCount: cores,
    tees: [tee.profile.hasDeviceTree ? { ...tee, deviceTree: teeDeviceTree() } : tee],
    ...options.package,
  };
}

/** Values that name their owner in the upper 16 bits: 0x1111 for the normal world, 0x5ec5 for a TEE. */
export function taggedValues(tag: bigint): (register: string) => bigint {
  let next = 0n;
  return () => (tag << 48n) | ((++next * 0x9e3779b9n) % (1n << 48n));
}

export class Lab {
  /** Values that name a TEE as their owner. */
  readonly secrets = taggedValues(0x5ec5n);
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  #nextVmid = 2;
  #slotsUsed = 0;

  /** `booted`: a machine of the same kind on which the same boot has been. */
  constructor(machine: Machine, booted?: Machine) {
    this.machine = machine;
    if (booted === undefined) machine.reset();
    this.hypervisor = new Hypervisor(machine, taggedValues(0x1111n));
    if (booted === undefined) {
      this.hypervisor.boot();
    } else {
      machine.copyFrom(booted);
      this.hypervisor.assumeBooted();
    }
  }

  core(index: number): Core {
    return this.machine.cores[index]!;
  }

  /** The TEE that runs on a core. */
  tee(index = 0): Tee {
    return new Tee(this.machine, this.core(index));
  }

  /** A VM whose memory is mapped; the monitor has not seen it run. */
  aVm({ vcpus = 1, ramMib = 4, vmid = this.#nextVmid++ } = {}): VirtualMachine {
    const vm = this.hypervisor.createVm({ vmid, vcpus, ramMib });
    this.hypervisor.flush(this.hypervisor.anyCore(), vm.vttbr);
    this.hypervisor.fillRoot(vm);
    return vm;
  }

  /** The vCPU is entered and fetches an instruction. True if that works; else a TEE runs now, or a fault is pending. */
  runVcpu(vcpu: Vcpu, coreIndex = 0): boolean {
    const core = this.core(coreIndex);
    this.hypervisor.run(core, vcpu);
    return this.fetch(core);
  }

  fetch(core: Core): boolean {
    const ipa = core.pc; // stage 1 of the VM is off
    const tlb = this.machine.tlbs[core.index]!;
    if (tlb.translate(this.machine.memory, core.get("VTTBR_EL2"), ipa) !== undefined) return true;
    exitToEl2(this.machine, core, "synchronous", {
      esr: esrOf(EC_INSTRUCTION_ABORT, 0x6n),
      far: ipa,
      hpfar: (ipa >> 12n) << 4n,
    });
    return false;
  }

  /** A VM whose TEE has booted on `core`, and has enabled `spi`, at its first instruction. */
  aGuest(
    options: { vcpus?: number; ramMib?: number; vmid?: number; core?: number; spi?: number } = {},
  ): VirtualMachine {
    const { core = 0, spi, ...rest } = options;
    const vm = this.aVm(rest);
    this.runVcpu(vm.vcpus[0]!, core);
    if (spi !== undefined) this.tee(core).enablesSpi(spi);
    this.tee(core).entryDone();
    if (teeRuns(this.core(core)) || !this.fetch(this.core(core)))
      throw new MachineCheck("the guest does not start");
    return vm;
  }

  /** The guest that runs on a core issues an SMC with these words in x0…. */
  guestCalls(coreIndex: number, ...words: readonly (number | bigint)[]): void {
    const core = this.core(coreIndex);
    words.forEach((value, index) => {
      core.x[index] = BigInt(value);
    });
    smc(this.machine, core);
  }

  get slotCount(): number {
    return this.status.poolTotal / TEE_RAM_SIZE;
  }

  /** Slots are taken from the first on. */
  wasUsed(slot: number): boolean {
    this.#slotsUsed = Math.max(this.#slotsUsed, ...this.status.guests.map((guest) => guest.slot + 1));
    return slot < this.#slotsUsed;
  }

  get status(): MonitorStatus {
    return statusOf(this.machine);
  }

  /** Kinds of the events so far. */
  get eventKinds(): string[] {
    return this.status.events.map(({ kind }) => kind);
  }
}

export function statusOf(machine: Machine): MonitorStatus {
  const status = decodeStatus(machine.memory.bytes(machine.bootPackage.poolPa, STATUS_SIZE));
  if (status === undefined) throw new MachineCheck("the monitor has written no status page");
  return status;
}

export interface UnlockedMachine {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  /** Its only core that is on. */
  readonly core: Core;
  /** The hypervisor runs its first VM. */
  readonly lockDown: () => void;
}

/** A hypervisor at the end of its boot, before its first VM. */
export async function anUnlockedMachine(options: LabOptions = {}): Promise<UnlockedMachine> {
  const machine = new Machine(await monitorModule(), aBootPackage(options));
  machine.reset();
  const hypervisor = new Hypervisor(machine, taggedValues(0x1111n));
  const core = machine.cores[0]!;
  hypervisor.bootCore(core);
  return {
    machine,
    hypervisor,
    core,
    lockDown: () => hypervisor.run(core, hypervisor.controlDomain.vcpus[0]!),
  };
}

/** Machines that have booted, by their options: lockdown alone is a second's work. */
const bootedMachines = new Map<string, Machine>();

export async function aLab(options: LabOptions = {}): Promise<Lab> {
  return labOf(await monitorModule(), options);
}

export function labOf(module: MonitorModule, options: LabOptions = {}): Lab {
  const key = JSON.stringify(options);
  const booted = bootedMachines.get(key) ?? new Lab(new Machine(module, aBootPackage(options))).machine;
  bootedMachines.set(key, booted);
  return new Lab(new Machine(module, aBootPackage(options)), booted);
}

/** An OP-TEE call id: fast or yielding, owner 50. */
export const FAST_CALL = 0xb2000001;
export const YIELDING_CALL = 0x32000004;
