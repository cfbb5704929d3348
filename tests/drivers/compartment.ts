// A compartment's wasm (sel0/) by itself in Node: what the monitor does around a call is left out, the code that
// ships is what runs. VTZ_FIRMWARE_ROOT names another tree to compile (tests/mutants).

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  COMPARTMENT_MEMORY_SIZE,
  COMPARTMENT_MESSAGE_PTR,
  COMPARTMENT_MESSAGE_SIZE,
  COMPARTMENT_STATICS_PTR,
  COMPARTMENT_WINDOW_PTR,
  COMPARTMENT_WINDOW_SIZE,
} from "../../abi/compartments.ts";
import { compileWasm } from "../../host/toolchain/compile-wasm.ts";
import { firmwareSources } from "../../host/toolchain/layout.ts";
import { passGate } from "../../host/toolchain/wasm-gate.ts";

const WASM_PAGE_SIZE = 0x10000;

export interface CompartmentLab<Exports> {
  readonly exports: Exports;
  readonly memory: Uint8Array;
  /** The message page. */
  readonly message: Uint8Array;
  /** Where a call finds what it was lent. */
  readonly window: Uint8Array;
}

/** What every compartment exports. */
export interface Compartment {
  call(operation: number, a: bigint, b: bigint, c: bigint): bigint;
}

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** A new instance of the module whose entry file is `entry`, as in `sel0/boot/main.ts`. */
export async function aCompartment<Exports = Compartment>(entry: string): Promise<CompartmentLab<Exports>> {
  const instance = new WebAssembly.Instance(await compartmentModule(entry), {});
  const { memory } = instance.exports as { memory: WebAssembly.Memory };
  const bytes = (ptr: number, size: number) => new Uint8Array(memory.buffer, ptr, size);
  return {
    exports: instance.exports as Exports,
    memory: bytes(0, COMPARTMENT_MEMORY_SIZE),
    message: bytes(COMPARTMENT_MESSAGE_PTR, COMPARTMENT_MESSAGE_SIZE),
    window: bytes(COMPARTMENT_WINDOW_PTR, COMPARTMENT_WINDOW_SIZE),
  };
}

export function compartmentModule(entry: string): Promise<WebAssembly.Module> {
  if (!compiled.has(entry)) compiled.set(entry, compile(entry));
  return compiled.get(entry)!;
}

async function compile(entry: string): Promise<WebAssembly.Module> {
  const { VTZ_FIRMWARE_ROOT } = process.env;
  const root = VTZ_FIRMWARE_ROOT ?? firmwareSources.root;
  const folder = await mkdtemp(join(tmpdir(), "vtz-compartment-"));
  try {
    const file = join(folder, "compartment.wasm");
    const memory = { pages: COMPARTMENT_MEMORY_SIZE / WASM_PAGE_SIZE, base: COMPARTMENT_STATICS_PTR };
    await compileWasm({ ...firmwareSources, root, entry }, file, join(folder, "asc.log"), memory);
    const wasm = await readFile(file);
    passGate(wasm);
    return await WebAssembly.compile(wasm);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
