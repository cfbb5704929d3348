// One AssemblyScript module by itself, from source to a flat binary at an address of its own: asc → gate → wasm2c →
// clang and lld → objcopy. Compartments (S-EL0) and test kernels (EL1) are made this way; the monitor, which has more to
// it, by build-firmware.ts.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../make-folder.ts";
import { C_FLAGS, compileObject, GENERATED_C_FLAGS, LLVM, readSymbols } from "./compile-native.ts";
import { compileWasm, type LinearMemory } from "./compile-wasm.ts";
import { type FirmwareSources, LINEAR_MEMORY_GUARD_SIZE, WASM_PAGE_SIZE } from "./layout.ts";
import { type ModuleFacts, moduleFacts, offsetsHeader } from "./module-facts.ts";
import { registerAccessors } from "./register-access.ts";
import { runTool } from "./run-tool.ts";
import { translateToC } from "./translate-c.ts";
import { passGate } from "./wasm-gate.ts";

/** What wasm2c's output needs, whoever it is for. */
const RUNTIME_C = "el3/link";

export interface FlatModule {
  /** For messages: "a compartment". */
  readonly what: string;
  /** Of the wasm file. */
  readonly fileName: string;
  /** Of the C that is made; `initialise<Name>` is its start. */
  readonly moduleName: string;
  readonly entry: string;
  readonly memory: LinearMemory;
  /** C and assembly beside the module, below the project's folder. */
  readonly natives: readonly string[];
  readonly linkerScript: string;
  /** Symbols for the linker script. */
  readonly addresses: Readonly<Record<string, number>>;
  /** Macros for C and assembly. */
  readonly defines: Readonly<Record<string, number>>;
  readonly cFlags?: readonly string[];
  /** Sections of the flat binary. */
  readonly sections: readonly string[];
  /** Throws if the module may not be what it is. */
  readonly check?: (facts: ModuleFacts) => void;
}

export interface FlatImage {
  readonly wasm: string;
  readonly elf: string;
  readonly bin: string;
  readonly symbols: ReadonlyMap<string, bigint>;
}

type Sources = Pick<FirmwareSources, "root" | "runtime">;

export async function buildFlatModule(
  { root, runtime }: Sources,
  outDir: string,
  module: FlatModule,
): Promise<FlatImage> {
  const logs = join(outDir, "logs");
  await makeFolder(logs);
  const wasm = join(outDir, `${module.fileName}.wasm`);
  await compileWasm({ root, runtime, entry: module.entry }, wasm, join(logs, "asc.log"), module.memory);
  const facts = moduleFacts(passGate(await readFile(wasm)));
  module.check?.(facts);
  const translated = await translateToC(root, wasm, join(logs, "wasm2c.log"), module.moduleName);
  await Promise.all([
    writeFile(join(outDir, `${module.moduleName}.gen.c`), translated.source),
    writeFile(join(outDir, `${module.moduleName}.gen.h`), translated.header),
    writeFile(join(outDir, "registers.gen.c"), registerAccessors(facts.imports)),
    writeFile(join(outDir, "offsets.gen.h"), offsetsHeader(facts.constants)),
  ]);
  return { wasm, ...(await link(root, outDir, module)) };
}

async function link(root: string, outDir: string, module: FlatModule): Promise<Omit<FlatImage, "wasm">> {
  const { moduleName, what } = module;
  const elf = join(outDir, `${moduleName}.elf`);
  const bin = join(outDir, `${moduleName}.bin`);
  const logs = join(outDir, "logs");
  await runTool({
    doing: `linking ${what}`,
    command: `ld.lld-${LLVM}`,
    debianPackage: `lld-${LLVM}`,
    args: [
      ...["-T", join(root, module.linkerScript), "-o", elf, "--gc-sections", "--lto-O2"],
      ...["-z", "max-page-size=4096", "--no-warn-mismatch"],
      ...Object.entries(module.addresses).map(([name, value]) => `--defsym=${name}=${value}`),
      ...(await compileAll(root, outDir, module)),
    ],
    cwd: root,
    logFile: join(logs, "link.log"),
  });
  await runTool({
    doing: `making the flat binary of ${what}`,
    command: `llvm-objcopy-${LLVM}`,
    debianPackage: `llvm-${LLVM}`,
    args: ["-O", "binary", ...module.sections.map((name) => `--only-section=${name}`), elf, bin],
    cwd: root,
    logFile: join(logs, "objcopy.log"),
  });
  return { elf, bin, symbols: await readSymbols({ root }, outDir, elf) };
}

function compileAll(root: string, outDir: string, module: FlatModule): Promise<string[]> {
  const { cFlags = [], natives, moduleName } = module;
  const common = {
    root,
    outDir,
    includes: [RUNTIME_C],
    defines: {
      LINEAR_MEMORY_SIZE: module.memory.pages * WASM_PAGE_SIZE,
      LINEAR_MEMORY_GUARD_SIZE,
      ...module.defines,
    },
  };
  const own = [...C_FLAGS, ...cFlags];
  const generated = [`${moduleName}.gen.c`, "registers.gen.c"].map((name) =>
    compileObject({
      ...common,
      isGenerated: true,
      flags: [...own, ...GENERATED_C_FLAGS],
      file: join(outDir, name),
    }),
  );
  const written = [`${RUNTIME_C}/memory.c`, ...natives].map((file) =>
    compileObject({ ...common, isGenerated: false, flags: file.endsWith(".S") ? ["-g"] : own, file }),
  );
  return Promise.all([...generated, ...written]);
}
