// A folder per run: what was started, from what, and what came out of it.

import { createHash } from "node:crypto";
import { copyFile, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { explainFileError } from "../errors.ts";
import type { Machine } from "../machine/machine.ts";
import { writeAtomically } from "../machine/state.ts";
import { makeFolder } from "../make-folder.ts";
import { quoteCommand } from "../qemu/command-line.ts";
import { tryTool } from "../run-tool.ts";

export class Evidence {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(folder: string): Promise<Evidence> {
    try {
      await makeFolder(folder);
    } catch (error) {
      throw explainFileError(error, "making the evidence folder");
    }
    return new Evidence(folder);
  }

  async write(name: string, contents: string | Uint8Array): Promise<void> {
    try {
      await writeAtomically(join(this.folder, name), contents);
    } catch (error) {
      throw explainFileError(error, "writing evidence");
    }
  }

  async writeJson(name: string, value: unknown): Promise<void> {
    await this.write(name, `${JSON.stringify(value, null, 2)}\n`);
  }

  /** How the machine was made: kept as soon as it runs, so that it is there whatever happens then. */
  async keepStart(machine: Machine, files: readonly string[]): Promise<void> {
    const { command, inputs, tee, ram, startedAt } = machine.state;
    await this.write("qemu-command.txt", `cd ${machine.folder} && ${quoteCommand(command)}\n`);
    const hashes = await Promise.all(
      files.map(async (path) => ({ file: basename(path), sha256: await sha256(path) })),
    );
    const qemu = (await tryTool(command[0]!, ["--version"])).stdout.split("\n")[0];
    await this.writeJson("inputs.json", {
      tee,
      ram,
      startedAt,
      qemu,
      node: process.version,
      packages: inputs,
      files: hashes,
    });
  }

  /** Logs and the monitor's status; the machine may be dead already. */
  async keepEnd(machine: Machine): Promise<void> {
    const status = await machine.status().catch(() => undefined);
    if (status !== undefined) await this.writeJson("status.json", status);
    for (const name of await readdir(machine.folder).catch(() => [])) {
      if (name.endsWith(".log"))
        await copyFile(join(machine.folder, name), join(this.folder, this.#nameOf(name, machine)));
    }
  }

  /** The logs of a machine that did not come up. */
  async keepFailedStart(machineFolder: string): Promise<void> {
    for (const name of await readdir(machineFolder)) {
      if (name.endsWith(".log")) await copyFile(join(machineFolder, name), join(this.folder, name));
    }
  }

  // Ports are named by slot; a reader looks for the guest.
  #nameOf(name: string, machine: Machine): string {
    const slot = /^vtz\.log\.(\d+)\.log$/.exec(name)?.[1];
    const guest = machine.guests.find((candidate) => String(candidate.slot) === slot);
    return guest === undefined ? name : `console-${guest.name}.log`;
  }
}

async function sha256(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}
