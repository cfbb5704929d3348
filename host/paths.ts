// Where vTZ keeps its files: downloads, state of running machines, build output. Read at every call, so that
// tests can point the variables elsewhere.

import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout: the folder that holds `host/`. */
export const projectFolder = dirname(dirname(fileURLToPath(import.meta.url)));

/** Downloads and what is made from them; may be deleted at any time. */
export function cacheFolder(): string {
  return chosen("VTZ_CACHE") ?? join(chosen("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "vtz");
}

/** Machines that run or ran. */
export function stateFolder(): string {
  return chosen("VTZ_STATE") ?? join(chosen("XDG_STATE_HOME") ?? join(homedir(), ".local", "state"), "vtz");
}

export function buildFolder(): string {
  return join(projectFolder, "build");
}

/** A new evidence folder's path; the time sorts, the name tells. */
export function evidenceFolder(name: string, time = new Date()): string {
  const stamp = time.toISOString().replace(/[-:]/g, "").replace(/\..*/, "Z");
  return join(stateFolder(), "evidence", `${stamp}-${name}`);
}

function chosen(variable: string): string | undefined {
  const value = process.env[variable];
  return value === undefined || value === "" ? undefined : value;
}
