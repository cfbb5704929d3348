// The monitor's built wasm, compiled once for a test process. VTZ_MONITOR_WASM names another one (tests/mutants).

import { readFile } from "node:fs/promises";
import { COMPARTMENT_IMAGES_PA } from "../../abi/memory-map.ts";
import { buildFirmware } from "../../host/toolchain/build-firmware.ts";

export interface MonitorExports {
  readonly memory: WebAssembly.Memory;
  coreAreaPtr(core: number): number;
  bootMachine(core: number): number;
  bootSecondary(core: number): number;
  exceptionSynchronous(areaPtr: number, esrEl3: bigint): number;
  exceptionReplacedWrite(areaPtr: number, esrEl3: bigint): number;
  exceptionFiq(areaPtr: number): number;
  readonly CORE_AREA_IS_ON: WebAssembly.Global;
}

/** What a machine's flash holds, as far as it runs or is read. */
export interface MonitorModule {
  readonly monitor: WebAssembly.Module;
  readonly compartments: readonly WebAssembly.Module[];
  /** From COMPARTMENT_IMAGES_PA on. */
  readonly compartmentImages: Uint8Array;
}

let compiled: Promise<MonitorModule> | undefined;

export function monitorModule(): Promise<MonitorModule> {
  compiled ??= load();
  return compiled;
}

async function load(): Promise<MonitorModule> {
  const { VTZ_MONITOR_WASM } = process.env;
  const { wasm, bin, compartmentWasms } = await buildFirmware();
  const compile = async (path: string) => WebAssembly.compile(await readFile(path));
  const flash = new Uint8Array(await readFile(bin));
  return {
    monitor: await compile(VTZ_MONITOR_WASM ?? wasm),
    compartments: await Promise.all(compartmentWasms.map(compile)),
    compartmentImages: flash.subarray(COMPARTMENT_IMAGES_PA),
  };
}

export function importNames(module: WebAssembly.Module): string[] {
  return WebAssembly.Module.imports(module).map(({ name }) => name);
}
