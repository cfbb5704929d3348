// The model machine: cores, physical memory and devices around one instance of the monitor's wasm. It plays the hardware and the
// assembly of `el3/vectors/`; who runs below EL3 is the drivers' business (tests/drivers).

import { HARDENING_CALL } from "../../abi/hardening.ts";
import {
  BOOT_PACKAGE_PA,
  COMPARTMENT_IMAGES_PA,
  COMPARTMENT_RAM_PA,
  DEVICE_PAGE_PA,
  DRAM_PA,
  FLASH_SIZE,
  SECURE_SRAM_PA,
  SECURE_SRAM_SIZE,
  SMMU_PA,
  SMMU_SIZE,
} from "../../abi/memory-map.ts";
import { PAGE_GUEST_SECURE, PAGE_STAGE1_TABLE, PAGE_STAGE2_TABLE } from "../../abi/pages.ts";
import { type BootPackage, encodeBootPackage, signBootPackage } from "../../host/machine/boot-package.ts";
import { type DevicePage, encodeDevicePage } from "../../host/machine/device-page.ts";
import { ramContents } from "./boot-images.ts";
import type { ForcedEnd } from "./compartments.ts";
import { Core } from "./core.ts";
import { Devices } from "./devices.ts";
import { type Epitaph, MachineCheck, WouldWait } from "./errors.ts";
import { illegalReturn } from "./exception-return.ts";
import { imports, isTimerOn, Parked } from "./hw.ts";
import { importNames, type MonitorExports, type MonitorModule } from "./monitor.ts";
import { pageRecord } from "./page-records.ts";
import { PhysicalMemory } from "./physical-memory.ts";
import { ROOT_KEY } from "./root-key.ts";
import { Smmu } from "./smmu.ts";
import { word } from "./source-words.ts";
import { Tlb, TranslationCache } from "./translation.ts";

const GENERAL_REGISTERS = 31;
const FRAME_ELR = GENERAL_REGISTERS * 8;
const FRAME_SPSR = FRAME_ELR + 8;
/** A core that asks so often whether it may go on waits for one that does not run. */
const WAITS_MAX = 1000;

/** The same on every model machine. */
export const DEVICE: DevicePage = {
  minimumVersion: 0n,
  rootKey: ROOT_KEY.publicKey,
  secret: new Uint8Array(32).fill(0x22),
  identity: new Uint8Array(32).fill(0x33),
  bootSeed: new Uint8Array(64).fill(0x44),
};

export class Machine {
  readonly memory = new PhysicalMemory();
  readonly devices: Devices;
  readonly smmu = new Smmu(this.memory);
  readonly cores: readonly Core[];
  /** Stage 2, and EL2's own stage 1, of each core. */
  readonly tlbs: readonly Tlb[];
  readonly el2Tlbs: readonly TranslationCache[];
  readonly bootPackage: BootPackage;
  readonly monitor: MonitorExports;
  readonly linear: DataView;
  ticks = 1_000_000n;
  /** Barriers, TLB and cache maintenance, in order. */
  readonly notes: string[] = [];
  /** Physical addresses that EL3 has written, of pages that are neither the pool's nor otherwise the monitor's to write. */
  readonly writesOutsidePool = new Set<number>();
  epitaph: Epitaph | undefined;
  current: Core;
  /** Called before an act of the monitor on the machine, when no lock is held: another core may run here. */
  interleave: ((act: string) => void) | undefined;
  /** Also while locks are held; who would then wait for one throws WouldWait, and the machine is of no use any more. */
  interleavesLocked = false;
  /** Stores to memory that no barrier has ordered before a device is told. */
  #hasUnordered = false;
  /** Called before every act of the monitor: what other cores' hardware does by itself, such as walking tables. */
  speculate: (() => void) | undefined;
  readonly #locks = new Map<number, number>();
  #depth = 0;
  #heldMask = 0;
  #waitCount = 0;

  readonly compartments: readonly WebAssembly.Module[];
  /** The next compartment that is called ends so. */
  forcedEnd: ForcedEnd | undefined;
  /** … or the next call of this one. */
  forcedCompartment: number | undefined;

  constructor(module: MonitorModule, bootPackage: BootPackage) {
    this.bootPackage = bootPackage;
    this.devices = new Devices(Math.max(1, bootPackage.coreCount));
    this.cores = Array.from({ length: Math.max(1, bootPackage.coreCount) }, (_, index) => new Core(index));
    this.tlbs = this.cores.map(() => new Tlb());
    this.el2Tlbs = this.cores.map(() => new TranslationCache());
    this.current = this.cores[0]!;
    const packageBytes = signBootPackage(encodeBootPackage(bootPackage), ROOT_KEY.privateKey);
    this.memory.load(BOOT_PACKAGE_PA, packageBytes);
    for (const [pa, bytes] of ramContents()) this.memory.load(pa, bytes);
    this.memory.load(COMPARTMENT_IMAGES_PA, module.compartmentImages);
    this.memory.load(DEVICE_PAGE_PA, encodeDevicePage(DEVICE));
    this.compartments = module.compartments;
    const instance = new WebAssembly.Instance(module.monitor, imports(this, importNames(module.monitor)));
    this.monitor = instance.exports as unknown as MonitorExports;
    this.linear = new DataView(this.monitor.memory.buffer);
  }

  /** Everything is as on `other`, a machine with the same boot package that stands between two exceptions. */
  copyFrom(other: Machine): void {
    new Uint8Array(this.linear.buffer).set(new Uint8Array(other.linear.buffer));
    this.memory.restore(other.memory.image());
    this.devices.copyFrom(other.devices);
    this.smmu.copyFrom(other.smmu);
    for (const [index, core] of this.cores.entries()) {
      core.copyFrom(other.cores[index]!);
      this.tlbs[index]!.copyFrom(other.tlbs[index]!);
      this.el2Tlbs[index]!.copyFrom(other.el2Tlbs[index]!);
    }
    this.notes.push(...other.notes);
    for (const pa of other.writesOutsidePool) this.writesOutsidePool.add(pa);
    this.ticks = other.ticks;
  }

  // --- what the vectors and the boot code do -----------------------------------------------------------------

  reset(): void {
    this.#enterMonitor(this.cores[0]!, (core) => this.monitor.bootMachine(core.index));
    this.cores[0]!.isParked = false;
  }

  /** An exception of a lower level to EL3, synchronous. ELR_EL3 is the PC of the moment. */
  synchronous(core: Core, esrEl3: bigint): void {
    this.#storeFrame(core);
    const areaPtr = this.monitor.coreAreaPtr(core.index);
    const isWrite = (esrEl3 & BigInt(HARDENING_CALL)) !== 0n; // vectors.S
    this.#enterMonitor(core, () =>
      isWrite
        ? this.monitor.exceptionReplacedWrite(areaPtr, esrEl3)
        : this.monitor.exceptionSynchronous(areaPtr, esrEl3),
    );
  }

  fiq(core: Core): void {
    this.#storeFrame(core);
    const areaPtr = this.monitor.coreAreaPtr(core.index);
    this.#enterMonitor(core, () => this.monitor.exceptionFiq(areaPtr));
  }

  /** The interrupt of the SMMU's that is the monitor's by now, and waits for it. */
  get smmuInterrupt(): number | undefined {
    return [...this.smmu.pending].find((intid) => this.devices.isMonitors(intid));
  }

  isTimerDue(core: Core): boolean {
    return isTimerOn(core) && !core.isTimerActive && this.ticks >= core.get("CNTPS_CVAL_EL1");
  }

  #enterMonitor(core: Core, act: (core: Core) => number): void {
    if (this.epitaph !== undefined)
      throw new MachineCheck(`the machine has stopped: ${this.epitaph.message}`);
    const interrupted = this.current;
    this.current = core;
    this.#depth++;
    core.isInMonitor = true;
    try {
      const framePtr = act(core) >>> 0;
      if (framePtr === 0) {
        this.#loadCallerSaved(core);
      } else {
        core.framePtr = framePtr;
        this.#loadFrame(core);
      }
      const why = illegalReturn(core.pstate, core.get("HCR_EL2"));
      if (why !== undefined) throw new MachineCheck(`illegal return from EL3: ${why}`);
    } catch (error) {
      if (!(error instanceof Parked)) throw error;
      core.isParked = true;
    } finally {
      this.current = interrupted;
      this.#depth--;
      core.isInMonitor = false;
    }
    if ([...this.#locks.values()].includes(core.index)) throw new MachineCheck("left EL3 with a lock");
    if (this.#depth === 0) this.#wakeCores();
  }

  /** Cores in the holding pen that CPU_ON has released. */
  #wakeCores(): void {
    for (const core of this.cores) {
      const isOnPtr = this.monitor.coreAreaPtr(core.index) + Number(this.monitor.CORE_AREA_IS_ON.value);
      if (!core.isParked || this.linear.getUint32(isOnPtr, true) === 0) continue;
      core.isParked = false;
      this.#enterMonitor(core, () => this.monitor.bootSecondary(core.index));
    }
  }

  #storeFrame(core: Core): void {
    if (core.isParked) throw new MachineCheck(`core ${core.index} is off`);
    for (let index = 0; index < GENERAL_REGISTERS; index++)
      this.linear.setBigUint64(core.framePtr + index * 8, core.x[index]!, true);
    this.linear.setBigUint64(core.framePtr + FRAME_ELR, core.pc, true);
    this.linear.setBigUint64(core.framePtr + FRAME_SPSR, core.pstate, true);
  }

  #loadFrame(core: Core): void {
    for (let index = 0; index < GENERAL_REGISTERS; index++)
      core.x[index] = this.linear.getBigUint64(core.framePtr + index * 8, true);
    core.pc = this.linear.getBigUint64(core.framePtr + FRAME_ELR, true);
    core.pstate = this.linear.getBigUint64(core.framePtr + FRAME_SPSR, true);
  }

  /** The short way out of vectors.S: the rest is still in the registers. */
  #loadCallerSaved(core: Core): void {
    for (let index = 0; index < GENERAL_REGISTERS; index++)
      if (index < 19 || index === 30)
        core.x[index] = this.linear.getBigUint64(core.framePtr + index * 8, true);
  }

  // --- what the imports do ------------------------------------------------------------------------------------

  beforeImport(name: string): void {
    this.smmu.prefetch();
    this.speculate?.();
    if (this.#mayInterleave()) this.interleave?.(name);
  }

  #mayInterleave(): boolean {
    return (this.#locks.size === 0 || this.interleavesLocked) && this.#heldMask === 0;
  }

  readPhysical(pa: number, length: 1 | 4 | 8): bigint {
    if (isSmmu(pa)) return this.smmu.read(pa - SMMU_PA, length);
    if (this.devices.isDevice(pa)) return BigInt(this.devices.read(pa) >>> 0);
    this.#checkRange(pa, length, "read");
    return this.memory.read(pa, length);
  }

  writePhysical(pa: number, length: 1 | 4 | 8, value: bigint): void {
    if (isSmmu(pa)) {
      if (this.#hasUnordered && this.smmu.publishes(pa - SMMU_PA, value))
        throw new MachineCheck("the SMMU is told before memory is written");
      this.smmu.write(pa - SMMU_PA, length, value);
      return;
    }
    if (this.devices.isDevice(pa)) {
      this.devices.write(pa, Number(value));
      return;
    }
    this.#noteWrite(pa, length);
    this.memory.write(pa, length, value);
  }

  zeroPhysical(pa: number, length: number): void {
    this.#noteWrite(pa, length);
    if (pa % 16 !== 0 || length % 16 !== 0) throw new MachineCheck("zeroPhysical takes multiples of 16");
    this.memory.zero(pa, length);
  }

  copyPhysical(toPa: number, fromPa: number, length: number): void {
    const rounded = Math.ceil(length / 16) * 16; // as the loop in hw.c does
    this.#checkRange(fromPa, rounded, "read");
    this.#noteWrite(toPa, rounded);
    if (toPa % 16 !== 0 || fromPa % 16 !== 0) throw new MachineCheck("copyPhysical takes multiples of 16");
    this.memory.load(toPa, this.memory.bytes(fromPa, rounded));
  }

  #noteWrite(pa: number, length: number): void {
    this.#checkRange(pa, length, "write");
    const { poolPa, poolSize } = this.bootPackage;
    const isPool = pa >= poolPa && pa + length <= poolPa + poolSize;
    if (!isPool && !isCompartmentRam(pa, length) && !this.#isMonitors(pa)) this.writesOutsidePool.add(pa);
    this.memory.noteCachedWrite(pa, length);
    this.#hasUnordered = true;
  }

  /** A translation table, or memory that a TEE has taken from its normal world. */
  #isMonitors(pa: number): boolean {
    const { state } = pageRecord(this, pa);
    return state === PAGE_STAGE1_TABLE || state === PAGE_STAGE2_TABLE || state === PAGE_GUEST_SECURE;
  }

  #checkRange(pa: number, length: number, act: "read" | "write"): void {
    const isFlash = act === "read" && pa >= 0 && pa + length <= FLASH_SIZE;
    const isDram = pa >= DRAM_PA && pa + length <= DRAM_PA + this.bootPackage.ramSize;
    if (!isFlash && !isDram && !isCompartmentRam(pa, length))
      throw new MachineCheck(`EL3's ${act} of ${length} at 0x${pa.toString(16)}`);
  }

  note(act: string): void {
    this.notes.push(act);
    if (act === "dsbSy") this.#hasUnordered = false;
  }

  /** TLBI VMALLS12E1IS: the current VMID, on all cores. */
  invalidateTlb(): void {
    const vttbr = this.current.get("VTTBR_EL2");
    for (const tlb of this.tlbs) tlb.invalidate(vttbr);
    this.note(`tlbi vmid ${vttbr >> 48n}`);
  }

  /** TLBI ALLE1IS: stage 1 and 2 of EL1, every VMID, on all cores. */
  invalidateAllTlbs(): void {
    for (const tlb of this.tlbs) tlb.clear();
    this.note("tlbi all");
  }

  /** TLBI VAE2IS for a page, TLBI ALLE2IS without one. */
  invalidateEl2(page?: bigint): void {
    for (const tlb of this.el2Tlbs) {
      if (page === undefined) tlb.clear();
      else tlb.invalidate(page);
    }
    this.note(page === undefined ? "tlbi el2" : `tlbi el2 0x${page.toString(16)}`);
  }

  /** The others leave what they do at once, and go on when they are released: none runs meanwhile. */
  holdCores(mask: number): void {
    if (this.cores.some((core) => isIn(mask, core) && core.isInMonitor && core !== this.current))
      throw new MachineCheck("a core that is in the monitor would be held later; this is not modelled");
    this.#heldMask = mask;
    this.note(`hold ${mask}`);
  }

  releaseCores(): void {
    const mask = this.#heldMask;
    this.#heldMask = 0;
    for (const core of this.cores) {
      if (!isIn(mask, core)) continue;
      core.isHoldPending = true;
      this.fiq(core);
      if (core.isHoldPending || core.activeIntid !== undefined)
        throw new MachineCheck(`core ${core.index} was not held`);
    }
  }

  waitWhileHeld(): void {
    if (this.#heldMask !== 0) throw new MachineCheck("a held core runs");
    if (++this.#waitCount > WAITS_MAX) throw new MachineCheck("a core waits for another that does not run");
  }

  lock(index: number): void {
    const holder = this.#locks.get(index);
    if (holder !== undefined && holder !== this.current.index && this.interleavesLocked)
      throw new WouldWait(index, holder);
    if (holder !== undefined) throw new MachineCheck(`deadlock: lock ${index} is held by core ${holder}`);
    const own = [...this.#locks].filter(([, core]) => core === this.current.index);
    const last = Math.max(-1, ...own.map(([lock]) => lock));
    if (index < last) throw new MachineCheck(`lock ${index} taken while ${last} is held: wrong order`);
    this.#locks.set(index, this.current.index);
  }

  isLocked(index: number): boolean {
    return this.#locks.has(index);
  }

  unlock(index: number): void {
    if (this.#locks.get(index) !== this.current.index) throw new MachineCheck(`lock ${index} is not held`);
    this.#locks.delete(index);
    // Others may have waited for this, and what follows need not be an act on the machine.
    if (this.#mayInterleave()) this.interleave?.("unlocked");
  }

  compareAndSwap32(ptr: number, expected: number, value: number): number {
    const seen = this.linear.getUint32(ptr, true);
    if (seen === expected >>> 0) this.linear.setUint32(ptr, value >>> 0, true);
    return seen;
  }

  /** EL3 itself may touch FP only while it does not trap. */
  withFp(act: string): Core {
    if ((this.current.get("CPTR_EL3") & word("CPTR_EL3_TFP")) !== 0n)
      throw new MachineCheck(`FP ${act} while CPTR_EL3.TFP traps it at EL3`);
    return this.current;
  }

  stop(epitaph: Epitaph): Epitaph {
    this.epitaph = epitaph;
    return epitaph;
  }

  get poolTeePa(): number {
    return this.bootPackage.poolPa + this.bootPackage.poolTeeOffset;
  }
}

const isCompartmentRam = (pa: number, length: number): boolean =>
  pa >= COMPARTMENT_RAM_PA && pa + length <= SECURE_SRAM_PA + SECURE_SRAM_SIZE;

const isSmmu = (pa: number): boolean => pa >= SMMU_PA && pa < SMMU_PA + SMMU_SIZE;
const isIn = (mask: number, core: Core): boolean => ((mask >> core.index) & 1) !== 0;
