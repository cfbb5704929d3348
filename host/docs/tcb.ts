// The trusted computing base, counted: every file that becomes code at EL3, its lines, and what its first words say
// that it is. Fixtures and the host's own tools are not in it.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface TrustedFile {
  /** From the project's folder. */
  readonly path: string;
  readonly folder: string;
  readonly lines: number;
  /** Without blank lines and comments. */
  readonly codeLines: number;
  readonly isGenerated: boolean;
  /** The first sentence of the comment at its top. */
  readonly summary: string;
}

export interface TrustedFolder {
  readonly folder: string;
  readonly fileCount: number;
  readonly codeLines: number;
  readonly generatedLines: number;
}

/** Why a mistake in a folder breaks the isolation of guests: the order is that of the README. */
export const REASONS: readonly (readonly [folder: string, reason: string])[] = [
  ["el3/monitor", "entry from the vectors, the import list, all of the monitor's storage"],
  ["el3/monitor/exceptions", "decides for whom an exception is; a wrong answer hands one world to the other"],
  ["el3/monitor/worlds", "holds the registers of both worlds; what it forgets to switch leaks"],
  ["el3/monitor/hypervisor", "performs the hypervisor's writes of translation registers; serves PSCI"],
  ["el3/monitor/measure", "decides what code the hypervisor may have; what it overlooks can be executed"],
  ["el3/monitor/memory", "decides every change of a translation of the hypervisor's and of its guests'"],
  ["el3/monitor/compartments", "builds the address spaces of compartments; what it maps, one can use"],
  ["el3/monitor/attest", "says what evidence is made of; what is wrong there, a device signs"],
  ["el3/monitor/random", "says whose random numbers an answer is; what it mixes up, two guests share"],
  ["el3/monitor/partition", "takes memory from a normal world for its TEE, and gives it back"],
  ["el3/monitor/guests", "gives TEE RAM and stage-2 tables, and takes them back"],
  ["el3/monitor/devices", "acts for a TEE on addresses and values that the TEE chose"],
  ["el3/monitor/dma", "programs the SMMU; what it maps, every device can read and write"],
  ["el3/monitor/boot", "sets what every lower level inherits: security state, interrupt groups, traps"],
  ["el3/monitor/trace", "writes where the normal world reads"],
  ["el3/monitor/arm", "bits of registers, descriptors and instructions, generated from `arm/`"],
  ["el3/vectors", "saves and loads registers; MMU of EL3; no compiler checks it"],
  [
    "el3/link",
    "the imports in C: physical memory, locks, TLB; the runtime under the wasm; the memory layout",
  ],
  ["el3/runtime", "stands in for AssemblyScript's runtime and refuses to allocate"],
];

const SOURCE = /\.(ts|S|c|h|ld)$/;
const FIXTURE = /^el3\/fixture\//;

export async function trustedFiles(root: string): Promise<TrustedFile[]> {
  const entries = await readdir(join(root, "el3"), { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && SOURCE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => !FIXTURE.test(path) && !path.endsWith(".test.ts"))
    .sort();
  return Promise.all(paths.map(async (path) => measure(path, await readFile(join(root, path), "utf8"))));
}

export function measure(path: string, text: string): TrustedFile {
  const withoutBlocks = text.replace(/\/\*[\s\S]*?\*\//g, (block) => block.replace(/[^\n]/g, ""));
  const codeLines = withoutBlocks.split("\n").filter((line) => !/^\s*(\/\/.*)?$/.test(line)).length;
  return {
    path,
    folder: path.slice(0, path.lastIndexOf("/")),
    lines: text.split("\n").length - 1,
    codeLines,
    isGenerated: path.includes(".gen."),
    summary: firstSentence(text),
  };
}

export function byFolder(files: readonly TrustedFile[]): TrustedFolder[] {
  return [...new Set(files.map(({ folder }) => folder))].sort(byReason).map((folder) => {
    const own = files.filter((file) => file.folder === folder);
    const sum = (some: readonly TrustedFile[]) => some.reduce((total, { codeLines }) => total + codeLines, 0);
    return {
      folder,
      fileCount: own.length,
      codeLines: sum(own.filter(({ isGenerated }) => !isGenerated)),
      generatedLines: sum(own.filter(({ isGenerated }) => isGenerated)),
    };
  });
}

function byReason(left: string, right: string): number {
  const place = (folder: string) =>
    REASONS.findIndex(([known]) => known === folder) + 1 || REASONS.length + 1;
  return place(left) - place(right) || left.localeCompare(right);
}

function firstSentence(text: string): string {
  const comment =
    /^\/\*([\s\S]*?)\*\//.exec(text)?.[1]?.replace(/^\s*\* ?/gm, "") ??
    /^(?:\/\/.*\n)+/.exec(text)?.[0].replace(/^\/\/ ?/gm, "") ??
    "";
  const paragraph = comment
    .trim()
    .split(/\n\s*\n/)[0]!
    .replace(/\s+/g, " ");
  return /^.*?\.(?= |$)/.exec(paragraph)?.[0] ?? paragraph;
}
