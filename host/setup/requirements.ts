// What the host must have: one table for `vtz doctor` and for the commands that install by themselves.

import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

export interface Requirement {
  /** A program on PATH, or an absolute file. */
  readonly probe: string;
  readonly debianPackage: string;
  readonly purpose: string;
  /** Needed by `debug` only; `doctor` lists it, nothing installs it unasked. */
  readonly isOptional?: boolean;
  readonly version?: { readonly words: readonly string[]; readonly atLeast: readonly [number, number] };
}

export const REQUIREMENTS: readonly Requirement[] = [
  {
    probe: "qemu-system-aarch64",
    debianPackage: "qemu-system-arm",
    purpose: "the machine",
    version: { words: ["--version"], atLeast: [7, 2] },
  },
  {
    probe: "/usr/lib/ipxe/qemu/efi-virtio.rom",
    debianPackage: "ipxe-qemu",
    purpose: "ROM files QEMU asks for",
  },
  { probe: "clang-19", debianPackage: "clang-19", purpose: "compiles the monitor" },
  { probe: "ld.lld-19", debianPackage: "lld-19", purpose: "links the monitor" },
  { probe: "llvm-objdump-19", debianPackage: "llvm-19", purpose: "objcopy, and objdump as a test's oracle" },
  { probe: "dtc", debianPackage: "device-tree-compiler", purpose: "a test's oracle for device trees" },
  { probe: "cpio", debianPackage: "cpio", purpose: "a test's oracle for initial RAM disks" },
  { probe: "dpkg-deb", debianPackage: "dpkg", purpose: "unpacks Debian's packages" },
  { probe: "apt-get", debianPackage: "apt", purpose: "fetches Debian's packages" },
  { probe: "setpriv", debianPackage: "util-linux", purpose: "ends QEMU when vtz ends" },
  { probe: "gdb-multiarch", debianPackage: "gdb-multiarch", purpose: "vtz debug", isOptional: true },
];

export interface Finding {
  readonly requirement: Requirement;
  readonly state: "present" | "missing" | "too-old";
  readonly version?: string;
}

export function examine(requirements: readonly Requirement[] = REQUIREMENTS): Promise<Finding[]> {
  return Promise.all(requirements.map(examineOne));
}

export function installWords(findings: readonly Finding[]): string[] {
  return ["apt-get", "install", "--no-install-recommends", "-y", ...packagesOf(findings)];
}

export function packagesOf(findings: readonly Finding[]): string[] {
  return [...new Set(findings.map(({ requirement }) => requirement.debianPackage))];
}

async function examineOne(requirement: Requirement): Promise<Finding> {
  const path = await findProgram(requirement.probe);
  if (path === undefined) return { requirement, state: "missing" };
  if (requirement.version === undefined) return { requirement, state: "present" };
  const version = await versionOf(path, requirement.version.words);
  if (version === undefined) return { requirement, state: "missing" };
  const state = isAtLeast(version, requirement.version.atLeast) ? "present" : "too-old";
  return { requirement, state, version };
}

async function findProgram(probe: string): Promise<string | undefined> {
  const { PATH = "" } = process.env;
  // Debian keeps some administrators' tools out of a user's PATH.
  const folders = [...PATH.split(delimiter), "/usr/sbin", "/sbin"];
  const candidates = probe.startsWith("/") ? [probe] : folders.map((folder) => join(folder, probe));
  const mode = probe.startsWith("/") ? constants.R_OK : constants.X_OK;
  for (const candidate of candidates) {
    try {
      await access(candidate, mode);
      return candidate;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

async function versionOf(path: string, words: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, [...words], { timeout: 20_000 });
    return /\d+\.\d+(\.\d+)*/.exec(stdout)?.[0];
  } catch {
    return undefined;
  }
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [foundMajor = 0, foundMinor = 0] = version.split(".").map(Number);
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}
