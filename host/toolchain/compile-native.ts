// C and assembly → ELF and flat binary, with clang and lld. Everything is compiled with LTO, so that an import of a
// few instructions becomes those instructions at its place of use.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { FirmwareSources } from "./layout.ts";
import { CORE_COUNT, LINEAR_MEMORY_GUARD_SIZE, LINEAR_MEMORY_SIZE, STACK_SIZE } from "./layout.ts";
import { runTool } from "./run-tool.ts";

export const LLVM = "19";
const TARGET = ["--target=aarch64-none-elf", "-march=armv8-a"];
const SIZES = { LINEAR_MEMORY_SIZE, LINEAR_MEMORY_GUARD_SIZE, CORE_COUNT, STACK_SIZE };

export const C_FLAGS = [
  ...["-std=gnu17", "-O2", "-g1", "-ffreestanding", "-flto", "-mgeneral-regs-only", "-mcmodel=small"],
  ...["-fno-pic", "-fno-stack-protector", "-fomit-frame-pointer"],
  ...["-fno-unwind-tables", "-fno-asynchronous-unwind-tables"],
  // Address 0 is the reset vector, a lawful address; two views of one linear memory are lawful too.
  ...["-fno-delete-null-pointer-checks", "-fno-strict-aliasing", "-mno-outline-atomics"],
  ...["-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra", "-Werror=implicit-function-declaration"],
];
// hw.ts and hw.c must agree on every import's types; LTO would not notice.
const DECLARED_IMPORTS = ["-include", "monitor.gen.h"];
/** registers.gen.h, for any vectors. */
const GENERATED_HEADERS = "el3/vectors";
// wasm2c's style is not ours to warn about.
export const GENERATED_C_FLAGS = ["-Wno-everything"];

export interface NativeProducts {
  elf: string;
  bin: string;
}

export async function compileNative(sources: FirmwareSources, outDir: string): Promise<NativeProducts> {
  const objects = await Promise.all([
    ...["monitor.gen.c", "registers.gen.c"].map((name) => compile(sources, outDir, join(outDir, name), true)),
    ...(await filesIn(sources, sources.link, ".c")).map((file) => compile(sources, outDir, file, false)),
    ...(await filesIn(sources, sources.vectors, ".S")).map((file) => compile(sources, outDir, file, false)),
  ]);
  const elf = join(outDir, "monitor.elf");
  const bin = join(outDir, "monitor.bin");
  await runTool({
    doing: "linking the monitor",
    command: `ld.lld-${LLVM}`,
    debianPackage: `lld-${LLVM}`,
    args: [
      ...[
        "-T",
        join(sources.root, sources.link, "monitor.ld"),
        "-o",
        elf,
        "-Map",
        join(outDir, "monitor.map"),
      ],
      ...["--gc-sections", "--lto-O2", "-z", "max-page-size=4096", "--no-warn-mismatch"],
      ...Object.entries(SIZES).map(([name, value]) => `--defsym=${name}=${value}`),
      ...objects,
    ],
    cwd: sources.root,
    logFile: join(outDir, "logs", "link.log"),
  });
  await runTool({
    doing: "making the flat binary",
    command: `llvm-objcopy-${LLVM}`,
    debianPackage: `llvm-${LLVM}`,
    args: ["-O", "binary", "--only-section=.text", "--only-section=.rodata", elf, bin],
    cwd: sources.root,
    logFile: join(outDir, "logs", "objcopy.log"),
  });
  return { elf, bin };
}

async function compile(
  sources: FirmwareSources,
  outDir: string,
  file: string,
  isGenerated: boolean,
): Promise<string> {
  const cFlags = [...C_FLAGS, ...DECLARED_IMPORTS, ...(isGenerated ? GENERATED_C_FLAGS : [])];
  return compileObject({
    root: sources.root,
    file,
    outDir,
    isGenerated,
    flags: file.endsWith(".S") ? ["-g"] : cFlags,
    includes: [sources.vectors, sources.link, GENERATED_HEADERS],
    defines: SIZES,
  });
}

export interface ObjectSource {
  readonly root: string;
  /** Below `root`, or absolute. */
  readonly file: string;
  readonly outDir: string;
  readonly isGenerated: boolean;
  readonly flags: readonly string[];
  /** Folders below `root`. */
  readonly includes: readonly string[];
  readonly defines: Readonly<Record<string, number>>;
}

/** One file of C or assembly → an object in `outDir`, whose path is the answer. */
export async function compileObject(source: ObjectSource): Promise<string> {
  const { root, file, outDir, isGenerated } = source;
  const name = file.split("/").at(-1)!;
  const object = join(outDir, `${name}.o`);
  await runTool({
    doing: `compiling ${isGenerated ? name : file}`,
    command: `clang-${LLVM}`,
    debianPackage: `clang-${LLVM}`,
    args: [
      ...TARGET,
      ...source.flags,
      ...source.includes.flatMap((folder) => ["-I", join(root, folder)]),
      ...["-I", outDir],
      ...Object.entries(source.defines).map(([key, value]) => `-D${key}=${value}`),
      ...["-c", file, "-o", object],
    ],
    cwd: root,
    logFile: join(outDir, "logs", `${name}.log`),
  });
  return object;
}

async function filesIn(sources: FirmwareSources, folder: string, ending: string): Promise<string[]> {
  const names = await readdir(join(sources.root, folder)).catch(() => []);
  return names
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => join(folder, name));
}

/** Symbols of the finished ELF, for gdb scripts, tests and the flash image. */
export async function readSymbols(
  sources: Pick<FirmwareSources, "root">,
  outDir: string,
  elf: string,
): Promise<Map<string, bigint>> {
  const text = await runTool({
    doing: `reading the symbols of ${elf}`,
    command: `llvm-nm-${LLVM}`,
    debianPackage: `llvm-${LLVM}`,
    args: ["--defined-only", elf],
    cwd: sources.root,
    logFile: join(outDir, "logs", "symbols.log"),
  });
  const rows = [...text.matchAll(/^([0-9a-f]+) \S (\S+)$/gm)];
  return new Map(rows.map(([, address, name]) => [name!, BigInt(`0x${address}`)]));
}
