// The monitor, from AssemblyScript to a flash image's first megabyte:
// asc → gate → wasm2c → clang and lld → ELF, flat binary, symbols.

import { readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { withLock } from "../file-lock.ts";
import { makeFolder } from "../make-folder.ts";
import { compileNative, readSymbols } from "./compile-native.ts";
import { compileWasm } from "./compile-wasm.ts";
import { fingerprint } from "./fingerprint.ts";
import type { FirmwareSources } from "./layout.ts";
import { firmwareFolder, firmwareSources } from "./layout.ts";
import { interfaceText, moduleFacts, offsetsHeader } from "./module-facts.ts";
import { registerAccessors } from "./register-access.ts";
import { translateToC } from "./translate-c.ts";
import { passGate } from "./wasm-gate.ts";

export interface Firmware {
  elf: string;
  bin: string;
  wasm: string;
  symbols: Map<string, bigint>;
  /** Exported constants of the monitor: structure offsets and sizes. */
  constants: Map<string, number>;
  /** False when everything was there already. */
  rebuilt: boolean;
}

export interface BuildOptions {
  outDir?: string;
  sources?: FirmwareSources;
  force?: boolean;
}

/** Beside the sources: what they include, and the tools that are ours or in node_modules. */
const OTHER_INPUTS = [
  "abi",
  "arm",
  "host/toolchain",
  "node_modules/assemblyscript/dist",
  "node_modules/wabt/bin",
];

export function buildFirmware(options: BuildOptions = {}): Promise<Firmware> {
  const lock = join(options.outDir ?? firmwareFolder(), "build.lock");
  return withLock(lock, () => buildAlone(options), { doing: "building the firmware" });
}

async function buildAlone(options: BuildOptions): Promise<Firmware> {
  const sources = options.sources ?? firmwareSources;
  const outDir = options.outDir ?? firmwareFolder();
  const own = [dirname(sources.entry), sources.vectors, sources.link, dirname(sources.runtime)];
  const inputs = await fingerprint(
    sources.root,
    [...own, ...OTHER_INPUTS],
    JSON.stringify(sources) + process.version,
  );
  const known = options.force ? undefined : await readStamp(outDir);
  if (known !== undefined && known.inputs === inputs) return known.firmware;

  await makeFolder(join(outDir, "logs"));
  const wasm = join(outDir, "monitor.wasm");
  await compileWasm(sources, wasm, join(outDir, "logs", "asc.log"));
  const facts = moduleFacts(passGate(await readFile(wasm)));
  const translated = await translateToC(sources.root, wasm, join(outDir, "logs", "wasm2c.log"));
  await Promise.all([
    writeIfChanged(join(sources.root, sources.interface), interfaceText(facts)),
    writeFile(join(outDir, "monitor.gen.c"), translated.source),
    writeFile(join(outDir, "monitor.gen.h"), translated.header),
    writeFile(join(outDir, "registers.gen.c"), registerAccessors(facts.imports)),
    writeFile(join(outDir, "offsets.gen.h"), offsetsHeader(facts.constants)),
  ]);
  const products = await compileNative(sources, outDir);
  const symbols = await readSymbols(sources, outDir, products.elf);
  const firmware = { ...products, wasm, symbols, constants: facts.constants, rebuilt: true };
  await writeStamp(outDir, inputs, firmware);
  return firmware;
}

interface Stamp {
  inputs: string;
  firmware: Firmware;
}

async function writeStamp(outDir: string, inputs: string, firmware: Firmware): Promise<void> {
  const symbols = [...firmware.symbols].map(([name, address]) => [name, `0x${address.toString(16)}`]);
  const text = JSON.stringify({ inputs, ...firmware, symbols, constants: [...firmware.constants] }, null, 1);
  await writeFile(join(outDir, "stamp.json.new"), text);
  await rename(join(outDir, "stamp.json.new"), join(outDir, "stamp.json"));
}

async function readStamp(outDir: string): Promise<Stamp | undefined> {
  try {
    const { inputs, elf, bin, wasm, symbols, constants } = JSON.parse(
      await readFile(join(outDir, "stamp.json"), "utf8"),
    );
    await Promise.all([elf, bin, wasm].map((file) => readFile(file)));
    const addresses = symbols.map(([name, address]: [string, string]) => [name, BigInt(address)] as const);
    const firmware = {
      elf,
      bin,
      wasm,
      symbols: new Map<string, bigint>(addresses),
      constants: new Map<string, number>(constants),
    };
    return { inputs, firmware: { ...firmware, rebuilt: false } };
  } catch {
    return undefined;
  }
}

async function writeIfChanged(file: string, text: string): Promise<void> {
  if ((await readFile(file, "utf8").catch(() => "")) === text) return;
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}
