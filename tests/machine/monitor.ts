// The monitor's built wasm, compiled once for a test process. VTZ_MONITOR_WASM names another one (tests/mutants).

import { readFile } from "node:fs/promises";
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

let compiled: Promise<WebAssembly.Module> | undefined;

export function monitorModule(): Promise<WebAssembly.Module> {
  compiled ??= load();
  return compiled;
}

async function load(): Promise<WebAssembly.Module> {
  const { VTZ_MONITOR_WASM } = process.env;
  const path = VTZ_MONITOR_WASM ?? (await buildFirmware()).wasm;
  return WebAssembly.compile(await readFile(path));
}

export function importNames(module: WebAssembly.Module): string[] {
  return WebAssembly.Module.imports(module).map(({ name }) => name);
}
