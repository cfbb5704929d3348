// A machine whose monitor lets a test protect and release pages by itself (el3/fixture/dma), and devices that try.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileWasm } from "../../host/toolchain/compile-wasm.ts";
import { firmwareSources } from "../../host/toolchain/layout.ts";
import { Machine } from "../machine/machine.ts";
import { type MonitorModule, monitorModule } from "../machine/monitor.ts";
import type { Smmu } from "../machine/smmu.ts";
import { size, word } from "../machine/source-words.ts";
import { deliverSmmuInterrupt } from "./exceptions.ts";
import { aBootPackage, type LabOptions, statusOf } from "./lab.ts";

export const ENTRY = "el3/fixture/dma/main.ts";
/** Streams of a device on bus 0, of the last one that there can be, and of none. */
export const STREAMS = [0x28, 0, 0xffff] as const;

interface DmaExports {
  protectFromDma(pa: bigint): void;
  protectRangeFromDma(pa: bigint, size: bigint): void;
  releaseToDma(pa: bigint): void;
}

let compiled: Promise<MonitorModule> | undefined;

/** VTZ_MONITOR_WASM names another one (tests/mutants). */
function dmaModule(): Promise<MonitorModule> {
  compiled ??= compile();
  return compiled;
}

/** The machine's own, but for the monitor. */
async function compile(): Promise<MonitorModule> {
  return { ...(await monitorModule()), monitor: await compileMonitor() };
}

async function compileMonitor(): Promise<WebAssembly.Module> {
  const { VTZ_MONITOR_WASM } = process.env;
  if (VTZ_MONITOR_WASM !== undefined) return WebAssembly.compile(await readFile(VTZ_MONITOR_WASM));
  const folder = await mkdtemp(join(tmpdir(), "vtz-dma-"));
  try {
    const wasm = join(folder, "monitor.wasm");
    await compileWasm({ ...firmwareSources, entry: ENTRY }, wasm, join(folder, "asc.log"));
    return await WebAssembly.compile(await readFile(wasm));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export class DmaLab {
  readonly machine: Machine;
  readonly smmu: Smmu;

  constructor(module: MonitorModule, options: LabOptions, change: (smmu: Smmu) => void) {
    this.machine = new Machine(module, aBootPackage(options));
    this.smmu = this.machine.smmu;
    change(this.smmu);
    this.machine.reset();
  }

  get ramPa(): number {
    return this.machine.bootPackage.ramPa;
  }

  get poolPa(): number {
    return this.machine.bootPackage.poolPa;
  }

  protect(pa: number): void {
    this.#withMemory((monitor) => monitor.protectFromDma(BigInt(pa)));
  }

  protectRange(pa: number, length: number): void {
    this.#withMemory((monitor) => monitor.protectRangeFromDma(BigInt(pa), BigInt(length)));
  }

  release(pa: number): void {
    this.#withMemory((monitor) => monitor.releaseToDma(BigInt(pa)));
  }

  /** What they are called with: the lock held. */
  #withMemory(act: (monitor: DmaExports) => void): void {
    this.machine.lock(size("LOCK_MEMORY"));
    act(this.machine.monitor as unknown as DmaExports);
    this.machine.unlock(size("LOCK_MEMORY"));
  }

  /** Whether a device gets at the page. If so, it must be that one. */
  reaches(pa: number, stream: number = STREAMS[0]): boolean {
    const found = this.smmu.access(stream, pa);
    if (found !== undefined && found !== pa)
      throw new Error(`DMA to 0x${pa.toString(16)} ends at 0x${found.toString(16)}`);
    return found !== undefined;
  }

  /** Devices try, one after another; the monitor hears of it. */
  try(...addresses: readonly number[]): void {
    for (const pa of addresses) this.reaches(pa);
    deliverSmmuInterrupt(this.machine);
  }

  get status() {
    return statusOf(this.machine);
  }

  /** Kind and arguments of the events of devices. */
  get dmaEvents(): string[] {
    return this.status.events
      .filter(({ kind }) => kind.startsWith("dma-"))
      .map(({ kind, arguments: [first, second] }) => `${kind} ${first} ${second}`);
  }
}

export async function aDmaLab(
  options: LabOptions = {},
  change: (smmu: Smmu) => void = () => undefined,
): Promise<DmaLab> {
  return new DmaLab(await dmaModule(), options, change);
}

/** An SMMU that needs a block gone before a table takes its place. */
export const withoutBbml = (smmu: Smmu): void => smmu.set("IDR3", 0);

export const blocked = (address: number, stream: number = STREAMS[0]): string =>
  `dma-blocked 0x${((word("SMMU_EVENT0_TYPE_F_TRANSLATION") << 32n) | BigInt(stream)).toString(16)} 0x${address.toString(16)}`;
