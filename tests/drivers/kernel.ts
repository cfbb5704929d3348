// A test kernel's wasm (el1/probe-tee, el1/probe-guest) by itself in Node: its imports are what a test makes of them.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileWasm } from "../../host/toolchain/compile-wasm.ts";
import { firmwareSources, LINEAR_MEMORY_BASE } from "../../host/toolchain/layout.ts";
import { passGate } from "../../host/toolchain/wasm-gate.ts";
import { PhysicalMemory } from "./kernel-memory.ts";

const FRAME_WORD = 0xf8;
const FRAME_OUTCOME = 0x100;
const FRAME_ESR = 0x108;

/** What `run` executes: x0…x30, which may be changed; an exception's ESR_EL1 is the answer. */
export type Instruction = (word: number, x: BigUint64Array) => bigint | undefined;

export interface KernelLab<Exports> {
  readonly exports: Exports;
  readonly physical: PhysicalMemory;
  /** Names of imports that were called, other than accesses of memory, with what they got. */
  readonly calls: readonly (readonly [name: string, ...words: (number | bigint)[]])[];
}

type Words = (number | bigint)[];
type Hooks = Readonly<Record<string, (...words: never[]) => number | bigint | undefined>>;

const compiled = new Map<string, Promise<WebAssembly.Module>>();

export async function aKernel<Exports>(
  entry: string,
  execute: Instruction,
  hooks: Hooks = {},
): Promise<KernelLab<Exports>> {
  if (!compiled.has(entry)) compiled.set(entry, compile(entry));
  const module = await compiled.get(entry)!;
  const physical = new PhysicalMemory();
  const calls: [string, ...Words][] = [];
  let memory: WebAssembly.Memory | undefined;
  const view = () => new DataView(memory!.buffer);
  const known: Record<string, (...words: never[]) => number | bigint | undefined> = {
    readPhysical8: (address: bigint) => physical.read(address, 1),
    readPhysical32: (address: bigint) => physical.read(address, 4),
    readPhysical64: (address: bigint) => physical.read64(address),
    writePhysical32: (address: bigint, value: number) => physical.write32(address, value),
    loadAcquire32: (ptr: number) => view().getUint32(ptr, true),
    storeRelease32: (ptr: number, value: number) => void view().setUint32(ptr, value, true),
    run: (ptr: number) => {
      const x = new BigUint64Array(memory!.buffer, ptr, FRAME_WORD / 8);
      const esr = execute(view().getUint32(ptr + FRAME_WORD, true), x);
      view().setBigUint64(ptr + FRAME_OUTCOME, esr === undefined ? 0n : 1n, true);
      if (esr !== undefined) view().setBigUint64(ptr + FRAME_ESR, esr, true);
      return undefined;
    },
    ...hooks,
  };
  const hw = Object.fromEntries(
    WebAssembly.Module.imports(module).map(({ name }) => [
      name,
      (...words: never[]) => {
        if (!/Physical|Acquire|Release/.test(name)) calls.push([name, ...(words as Words)]);
        const hook = known[name];
        return hook === undefined ? (/^read|Entry$|Address$/.test(name) ? 0n : 0) : hook(...words);
      },
    ]),
  );
  const instance = new WebAssembly.Instance(module, { hw });
  ({ memory } = instance.exports as { memory: WebAssembly.Memory });
  return { exports: instance.exports as Exports, physical, calls };
}

async function compile(entry: string): Promise<WebAssembly.Module> {
  const { VTZ_FIRMWARE_ROOT } = process.env;
  const root = VTZ_FIRMWARE_ROOT ?? firmwareSources.root;
  const folder = await mkdtemp(join(tmpdir(), "vtz-kernel-"));
  try {
    const file = join(folder, "kernel.wasm");
    const memory = { pages: 1, base: LINEAR_MEMORY_BASE };
    await compileWasm({ ...firmwareSources, root, entry }, file, join(folder, "asc.log"), memory);
    const wasm = await readFile(file);
    passGate(wasm);
    return await WebAssembly.compile(wasm);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
