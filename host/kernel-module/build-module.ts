// One file of C → a module for the kernel to which another module belongs, without that kernel's headers.

import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { projectFolder } from "../paths.ts";
import { LLVM } from "../toolchain/compile-native.ts";
import { runTool } from "../toolchain/run-tool.ts";
import { readLoaderFacts } from "./loader-facts.ts";
import { type ModuleText, moduleAssembly } from "./module-assembly.ts";
import { RelocatableFile } from "./relocatable.ts";

export interface ModuleSource extends ModuleText {
  /** C; below the project's folder, or absolute. */
  readonly file: string;
  readonly defines: Readonly<Record<string, string>>;
  /** Symbols of the kernel that it uses. */
  readonly imports: readonly string[];
}

const TARGET = ["--target=aarch64-none-elf", "-march=armv8-a"];
/** As the kernel is compiled: no FP registers, no GOT; a place to land for indirect branches. */
const C_FLAGS = [
  ...["-std=gnu17", "-O2", "-ffreestanding", "-mgeneral-regs-only", "-mcmodel=small", "-fno-pic"],
  ...["-fno-stack-protector", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-fno-addrsig"],
  ...["-mbranch-protection=bti", "-Wall", "-Wextra", "-Werror"],
];

/** `reference` is any module of the kernel; the work is done in `folder`. */
export async function buildModule(
  source: ModuleSource,
  reference: Uint8Array,
  folder: string,
): Promise<Uint8Array> {
  const facts = readLoaderFacts(reference, source.imports);
  const assembly = join(folder, "loader.S");
  await writeFile(assembly, moduleAssembly(source, facts));
  const defines = Object.entries(source.defines).map(([name, value]) => `-D${name}=${value}`);
  const objects = [
    await compile(resolve(projectFolder, source.file), [...C_FLAGS, ...defines], folder),
    await compile(assembly, [], folder),
  ];
  const module = join(folder, `${source.name}.ko`);
  await run("linking", `ld.lld-${LLVM}`, `lld-${LLVM}`, ["-r", "-o", module, ...objects], folder);
  const bytes = await readFile(module);
  refuseOtherImports(bytes, source);
  return bytes;
}

/** The loader would refuse it: a symbol without a version. */
function refuseOtherImports(module: Uint8Array, { file, imports }: ModuleSource): void {
  const others = new RelocatableFile(module).undefinedSymbols().filter((name) => !imports.includes(name));
  if (others.length > 0)
    throw new Error(`${file} uses ${others.join(" ")} of the kernel, which it did not say`);
}

async function compile(file: string, flags: readonly string[], folder: string): Promise<string> {
  const object = join(folder, `${file.split("/").at(-1)}.o`);
  const args = [...TARGET, ...flags, "-c", file, "-o", object];
  await run("compiling", `clang-${LLVM}`, `clang-${LLVM}`, args, folder);
  return object;
}

async function run(
  verb: string,
  command: string,
  debianPackage: string,
  args: readonly string[],
  folder: string,
): Promise<void> {
  const logFile = join(folder, "logs", `${verb}.log`);
  await runTool({ doing: `${verb} a kernel module`, command, debianPackage, args, cwd: folder, logFile });
}
