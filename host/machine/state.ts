// What is known of a machine after the command that started it has ended: one JSON file in the machine's folder.

import { chmod, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { explainFileError, UserError } from "../errors.ts";
import type { ImageInput } from "../images/prepare-images.ts";
import { makeFolder } from "../make-folder.ts";
import { stateFolder } from "../paths.ts";
import type { ProcessIdentity } from "../qemu/process.ts";
import type { RamLayout } from "./ram-layout.ts";

export interface MachineState {
  readonly version: 1;
  readonly name: string;
  readonly tee: string;
  readonly hasMonitor: boolean;
  readonly coreCount: number;
  readonly ram: RamLayout;
  readonly startedAt: string;
  readonly process: ProcessIdentity;
  readonly command: readonly string[];
  /** Debian packages that the machine was made from. */
  readonly inputs: readonly ImageInput[];
  readonly guests: readonly GuestState[];
}

export interface GuestState {
  readonly name: string;
  /** Which pair of channels in dom0 is the guest's. */
  readonly slot: number;
  readonly vcpuCount: number;
  readonly memoryMib: number;
  /** On the network of dom0 and the guests. */
  readonly address?: string;
  readonly diskMib?: number;
  /** Where its output begins in its slot's log. */
  readonly logStart: number;
  /** The monitor's number of the guest, once it is known: 1 for the first that ever was. */
  readonly teeId?: number;
}

const STATE_FILE = "machine.json";

export function machinesFolder(): string {
  return join(stateFolder(), "machines");
}

export function machineFolder(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$/.test(name)) {
    throw new UserError(
      "bad-name",
      `“${name}” cannot be a name`,
      "use up to 31 letters, digits, dots, dashes",
    );
  }
  return join(machinesFolder(), name);
}

export async function readState(name: string): Promise<MachineState | undefined> {
  const path = join(machineFolder(name), STATE_FILE);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const state = JSON.parse(text) as MachineState;
    if (state.version === 1) return state;
  } catch {
    // falls through: unreadable is as good as unknown
  }
  throw new UserError("state-damaged", `${path} cannot be read`, `run \`vtz down --machine ${name}\``);
}

export async function writeState(state: MachineState): Promise<void> {
  const folder = machineFolder(state.name);
  try {
    await makeFolder(folder);
    await writeAtomically(join(folder, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`);
  } catch (error) {
    throw explainFileError(error, "writing the machine's state");
  }
}

export async function forgetState(name: string): Promise<void> {
  await rm(join(machineFolder(name), STATE_FILE), { force: true });
}

export async function machineNames(): Promise<string[]> {
  const entries = await readdir(machinesFolder(), { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** Readers see the old contents or the new, never a part. For files of our own: what a user has named goes by writeOutput. */
export async function writeAtomically(
  path: string,
  contents: string | Uint8Array,
  mode?: number,
): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, contents, mode === undefined ? {} : { mode }); // a secret is never seen, not for a moment
    if (mode !== undefined) await chmod(temporary, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
