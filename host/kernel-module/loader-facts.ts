// What Linux's module loader wants of a module besides code (kernel/module/main.c and version.c, arch/arm64/kernel/module*.c
// of Linux 6.12). Nothing of it is written down here: it is learned from a module that belongs to the same kernel, so
// that neither headers nor offsets of a configuration are needed.

import { UserError } from "../errors.ts";
import { RelocatableFile } from "./relocatable.ts";

export const THIS_MODULE = ".gnu.linkonce.this_module";
export const MODINFO = ".modinfo";
export const VERSIONS = "__versions";
/** struct modversion_info: a CRC in 8 bytes, then a name. */
export const VERSION_NAME_OFFSET = 8;
export const VERSION_SIZE = 64;
/** The CRC of struct module itself. */
const LAYOUT_SYMBOL = "module_layout";
export const INIT_SYMBOL = "init_module";
const R_AARCH64_ABS64 = 257;
/** Sections of one byte that the loader enlarges for its veneers (module.lds.h). */
const VENEERS = /^(\.init)?(\.plt|\.text\.ftrace_trampoline)$/;

export interface LoaderFacts {
  /** Of the kernel's version and configuration. */
  readonly vermagic: string;
  /** struct module: its size, and where its name and the pointer to its first function are. */
  readonly structSize: number;
  readonly structAlignment: bigint;
  readonly nameOffset: number;
  readonly initOffset: number;
  /** CRCs by the symbol that they guard. */
  readonly versions: ReadonlyMap<string, bigint>;
  readonly veneerSections: readonly string[];
}

/** From a module of the kernel that shall load another one, which imports these symbols. */
export function readLoaderFacts(module: Uint8Array, imports: readonly string[]): LoaderFacts {
  const file = openModule(module);
  const info = new Map(modinfoOf(need(file, MODINFO)));
  const struct = file.section(THIS_MODULE);
  if (struct === undefined) throw otherLayout(`it has no section ${THIS_MODULE}`);
  const wanted = [LAYOUT_SYMBOL, ...imports];
  return {
    vermagic: info.get("vermagic") ?? refuse("it does not say for which kernel it is (vermagic)"),
    structSize: struct.bytes.length,
    structAlignment: struct.alignment,
    nameOffset: nameOffsetIn(struct.bytes, info.get("name") ?? ""),
    initOffset: initOffsetIn(file, struct.bytes.length),
    versions: versionsOf(need(file, VERSIONS), wanted),
    veneerSections: veneersOf(file),
  };
}

/** Its strings are `key=value`. */
export function modinfoOf(bytes: Buffer): [key: string, value: string][] {
  const texts = bytes.toString("latin1").split("\0");
  return texts.flatMap((text) => {
    const at = text.indexOf("=");
    return at < 0 ? [] : [[text.slice(0, at), text.slice(at + 1)] as [string, string]];
  });
}

function openModule(module: Uint8Array): RelocatableFile {
  try {
    return new RelocatableFile(module);
  } catch (error) {
    if (error instanceof RangeError) throw otherLayout(error.message);
    throw error;
  }
}

function need(file: RelocatableFile, name: string): Buffer {
  return file.section(name)?.bytes ?? refuse(`it has no section ${name}`);
}

/** The struct holds nothing but the name before it is loaded. */
function nameOffsetIn(struct: Buffer, name: string): number {
  const at = struct.indexOf(`${name}\0`, 0, "latin1");
  const isAlone = struct.every((byte, index) => byte === 0 || (index >= at && index < at + name.length));
  if (name === "" || at < 0 || !isAlone) refuse("its struct module does not hold just its name");
  return at;
}

function initOffsetIn(file: RelocatableFile, structSize: number): number {
  const found = file.relocations(THIS_MODULE).filter(({ symbol }) => symbol === INIT_SYMBOL);
  const [only] = found;
  const isPointer = only?.type === R_AARCH64_ABS64 && only.addend === 0n;
  if (found.length !== 1 || !isPointer || only.offset % 8n !== 0n || Number(only.offset) + 8 > structSize)
    return refuse(`its struct module has no pointer to ${INIT_SYMBOL}`);
  return Number(only.offset);
}

function versionsOf(bytes: Buffer, symbols: readonly string[]): Map<string, bigint> {
  if (bytes.length % VERSION_SIZE !== 0) refuse(`its ${VERSIONS} are of another size`);
  const all = new Map<string, bigint>();
  for (let at = 0; at < bytes.length; at += VERSION_SIZE) {
    const name = bytes.subarray(at + VERSION_NAME_OFFSET, at + VERSION_SIZE);
    all.set(name.toString("latin1").replace(/\0.*$/s, ""), bytes.readBigUInt64LE(at));
  }
  return new Map(symbols.map((name) => [name, all.get(name) ?? refuse(`it has no version of ${name}`)]));
}

function veneersOf(file: RelocatableFile): string[] {
  const found = file.sections.filter(({ name }) => VENEERS.test(name));
  if (found.some(({ bytes }) => bytes.length !== 1)) refuse("its sections for veneers are of another size");
  return found.map(({ name }) => name);
}

function refuse(what: string): never {
  throw otherLayout(what);
}

function otherLayout(what: string): UserError {
  return new UserError(
    "other-kernel",
    `the guest's kernel module is not as one of Linux 6.12 for arm64: ${what}`,
    "a guest's kernel must be one of Debian's that the tools install",
  );
}
