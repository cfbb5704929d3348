// The programs that measure and test, from el1/probe: a kernel image for the measuring guest, a program for a guest's Linux.

import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { buildFolder, projectFolder } from "../host/paths.ts";
import { runTool } from "../host/toolchain/run-tool.ts";

const LLVM = "19";
const SOURCES = join(projectFolder, "el1", "probe");
const COMMON_FLAGS = [
  ...["-march=armv8-a", "-std=gnu17", "-O2", "-ffreestanding", "-fno-pic", "-mgeneral-regs-only"],
  ...["-fno-stack-protector", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-Wall", "-Wextra"],
];

export interface ProbeImage {
  readonly elf: string;
  /** What the toolstack starts in place of a kernel. */
  readonly image: string;
}

/** Calls its TEE. */
export function buildProbe(): Promise<ProbeImage> {
  return buildImage("probe", "image.S", ["probe.c", "console.c"]);
}

/** Makes the hypervisor work. */
export function buildHypervisorProbe(): Promise<ProbeImage> {
  return buildImage("hypervisor", "hypervisor.S", ["hypervisor.c", "peers.c", "interrupts.c", "console.c"]);
}

async function buildImage(name: string, head: string, sources: readonly string[]): Promise<ProbeImage> {
  const outDir = await outFolder();
  const target = ["--target=aarch64-none-elf"];
  const objects = [await compile(outDir, head, target)];
  // The probe runs with the MMU off.
  for (const source of sources)
    objects.push(await compile(outDir, source, [...target, ...COMMON_FLAGS, "-mstrict-align"]));
  const elf = await link(outDir, `${name}.elf`, ["-T", join(SOURCES, "probe.ld"), ...objects]);
  const image = join(outDir, `${name}.img`);
  await run(outDir, `objcopy ${name}`, "llvm", [`llvm-objcopy-${LLVM}`, "-O", "binary", elf, image]);
  return { elf, image };
}

/** A static program for aarch64 Linux, from `<name>.c`. */
export async function buildProgram(name: string): Promise<string> {
  const outDir = await outFolder();
  const object = await compile(outDir, `${name}.c`, ["--target=aarch64-linux-gnu", ...COMMON_FLAGS]);
  return link(outDir, name, ["-static", object]);
}

/** A TEE kernel of the resume kind, from `<name>.S`, for the load address in its profile. */
export async function buildTee(name: string, loadIpa: number): Promise<string> {
  const outDir = await outFolder();
  const object = await compile(outDir, `${name}.S`, ["--target=aarch64-none-elf"]);
  const elf = await link(outDir, `${name}.elf`, [`-Ttext=0x${loadIpa.toString(16)}`, object]);
  const image = join(outDir, `${name}.bin`);
  await run(outDir, "objcopy", "llvm", [`llvm-objcopy-${LLVM}`, "-O", "binary", "-j", ".text", elf, image]);
  return image;
}

async function outFolder(): Promise<string> {
  const folder = join(buildFolder(), "bench");
  await mkdir(folder, { recursive: true });
  return folder;
}

async function compile(outDir: string, source: string, flags: readonly string[]): Promise<string> {
  const object = join(outDir, `${source}.o`);
  const words = [`clang-${LLVM}`, ...flags, "-c", join(SOURCES, source), "-o", object];
  await run(outDir, `compiling ${source}`, "clang", words);
  return object;
}

async function link(outDir: string, name: string, args: readonly string[]): Promise<string> {
  const path = join(outDir, name);
  await run(outDir, `linking ${name}`, "lld", [`ld.lld-${LLVM}`, ...args, "-o", `${path}.new`]);
  await rename(`${path}.new`, path);
  return path;
}

async function run(outDir: string, doing: string, tool: string, words: readonly string[]): Promise<void> {
  await runTool({
    doing,
    command: words[0]!,
    args: words.slice(1),
    cwd: projectFolder,
    logFile: join(outDir, "logs", `${doing.replaceAll(" ", "-")}.log`),
    debianPackage: `${tool}-${LLVM}`,
  });
}

export async function readSymbol(elf: string, name: string): Promise<number> {
  const text = await runTool({
    doing: "reading a program's symbols",
    command: `llvm-nm-${LLVM}`,
    args: [elf],
    cwd: projectFolder,
    logFile: join(await outFolder(), "logs", "symbols.log"),
    debianPackage: `llvm-${LLVM}`,
  });
  const match = new RegExp(`^([0-9a-f]+) \\S ${name}$`, "m").exec(text);
  if (match === null) throw new Error(`${elf} has no symbol ${name}`);
  return Number.parseInt(match[1]!, 16);
}
