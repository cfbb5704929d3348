// The monitor, from AssemblyScript to a flash image's first megabyte:
// asc → gate → wasm2c → clang and lld → ELF, flat binary, symbols; and the compartments behind it.

import { readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { COMPARTMENT_IMAGES_PA } from "../../abi/memory-map.ts";
import { COMPARTMENTS, type CompartmentRow } from "../../sel0/manifest.ts";
import { UserError } from "../errors.ts";
import { withLock } from "../file-lock.ts";
import { makeFolder } from "../make-folder.ts";
import { buildCompartments } from "./build-compartments.ts";
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
  /** The monitor, and from COMPARTMENT_IMAGES_PA on the compartments. */
  bin: string;
  wasm: string;
  /** The compartments' modules, by their numbers. */
  compartmentWasms: readonly string[];
  symbols: Map<string, bigint>;
  /** Exported constants of the monitor: structure offsets and sizes. */
  constants: Map<string, number>;
  /** False when everything was there already. */
  rebuilt: boolean;
}

export interface BuildOptions {
  outDir?: string;
  sources?: FirmwareSources;
  /** Those of the manifest if the sources are the monitor's, else no room for any. */
  compartments?: readonly CompartmentRow[];
  force?: boolean;
}

/** Beside the sources: what they include, and the tools that are ours or in node_modules. */
const OTHER_INPUTS = [
  "abi",
  "arm",
  "host/toolchain",
  "sel0",
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
  const isMonitor = sources.entry === firmwareSources.entry;
  const rows = options.compartments ?? (isMonitor ? COMPARTMENTS : undefined);
  const own = [dirname(sources.entry), sources.vectors, sources.link, dirname(sources.runtime)];
  const inputs = await fingerprint(
    sources.root,
    [...own, ...OTHER_INPUTS],
    JSON.stringify([sources, rows]) + process.version,
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
  const compartments = rows && (await buildCompartments(sources, join(outDir, "compartments"), rows));
  if (compartments !== undefined) await appendCompartments(products.bin, compartments.file);
  const firmware = {
    ...products,
    wasm,
    compartmentWasms: compartments?.wasms ?? [],
    symbols,
    constants: facts.constants,
    rebuilt: true,
  };
  await writeStamp(outDir, inputs, firmware);
  return firmware;
}

async function appendCompartments(binary: string, compartments: string): Promise<void> {
  const [monitor, images] = await Promise.all([readFile(binary), readFile(compartments)]);
  if (monitor.length > COMPARTMENT_IMAGES_PA)
    throw new UserError(
      "firmware-too-large",
      `the monitor has ${monitor.length} bytes; ${COMPARTMENT_IMAGES_PA} fit`,
    );
  const whole = new Uint8Array(COMPARTMENT_IMAGES_PA + images.length);
  whole.set(monitor);
  whole.set(images, COMPARTMENT_IMAGES_PA);
  await writeFile(binary, whole);
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
    const { inputs, elf, bin, wasm, compartmentWasms, symbols, constants } = JSON.parse(
      await readFile(join(outDir, "stamp.json"), "utf8"),
    );
    await Promise.all([elf, bin, wasm, ...compartmentWasms].map((file) => readFile(file)));
    const addresses = symbols.map(([name, address]: [string, string]) => [name, BigInt(address)] as const);
    const firmware = {
      elf,
      bin,
      wasm,
      compartmentWasms,
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
