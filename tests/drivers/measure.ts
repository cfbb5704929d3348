// What el3/monitor/measure computes, from a small module of its own (el3/fixture/measure): the monitor exports none of
// it. Physical memory is bytes from address 0. VTZ_FIRMWARE_ROOT names another tree to compile (tests/mutants).

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileWasm } from "../../host/toolchain/compile-wasm.ts";
import { firmwareSources } from "../../host/toolchain/layout.ts";
import { translateToC } from "../../host/toolchain/translate-c.ts";
import { passGate } from "../../host/toolchain/wasm-gate.ts";

export interface Measure {
  isForbidden(instruction: number): number;
  findForbidden(pagePa: bigint): number;
}

export interface MeasureLab {
  readonly measure: Measure;
  /** From physical address 0 on. */
  readonly memory: Uint8Array;
  readonly wasm: Uint8Array;
  /** The C that wasm2c makes of it. */
  readonly c: string;
}

export async function aMeasureLab(memorySize = 0x10000): Promise<MeasureLab> {
  const { wasm, c } = await compiled();
  const memory = new Uint8Array(memorySize);
  const view = new DataView(memory.buffer);
  const hw = {
    readPhysical8: (pa: bigint) => view.getUint8(Number(pa)),
    readPhysical64: (pa: bigint) => view.getBigUint64(Number(pa), true),
  };
  const instance = new WebAssembly.Instance(await WebAssembly.compile(wasm), { hw });
  return { measure: instance.exports as unknown as Measure, memory, wasm, c };
}

let result: Promise<{ wasm: Uint8Array; c: string }> | undefined;

function compiled(): Promise<{ wasm: Uint8Array; c: string }> {
  result ??= compile();
  return result;
}

async function compile(): Promise<{ wasm: Uint8Array; c: string }> {
  const { VTZ_FIRMWARE_ROOT } = process.env;
  const root = VTZ_FIRMWARE_ROOT ?? firmwareSources.root;
  const folder = await mkdtemp(join(tmpdir(), "vtz-measure-"));
  try {
    const file = join(folder, "measure.wasm");
    const sources = { ...firmwareSources, root, entry: "el3/fixture/measure/main.ts" };
    await compileWasm(sources, file, join(folder, "asc.log"));
    const wasm = new Uint8Array(await readFile(file));
    passGate(wasm);
    const { source } = await translateToC(root, file, join(folder, "wasm2c.log"));
    return { wasm, c: source };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
