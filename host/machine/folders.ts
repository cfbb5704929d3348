// Whole folders into a guest and out of it, file by file. Empty folders come along, links to files are followed, and what is neither
// file nor folder is not left out in silence.

import { readdir, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { UserError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { shellQuote } from "./shell.ts";

/** What a machine must do for it. */
export interface Carrier {
  run(where: string, command: string): Promise<string>;
  push(where: string, localPath: string, remotePath: string, mode?: number): Promise<void>;
  pull(where: string, remotePath: string, localPath: string): Promise<void>;
}

export async function pushFolder(
  machine: Carrier,
  where: string,
  localFolder: string,
  remoteFolder: string,
): Promise<void> {
  const files: { path: string; mode: number }[] = [];
  const folders = [remoteFolder];
  const remoteOf = (path: string) => join(remoteFolder, relative(localFolder, path));
  // All of it is looked at before anything is sent.
  for (const entry of await readdir(localFolder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() === true) files.push({ path, mode: found.mode & 0o777 });
    else if (entry.isDirectory()) folders.push(remoteOf(path));
    else throw new UserError("not-a-file", `${path} is neither a file nor a folder`, "copy without it");
  }
  await machine.run(where, `mkdir -p -- ${folders.map(shellQuote).join(" ")}`);
  for (const { path, mode } of files) await machine.push(where, path, remoteOf(path), mode);
}

export async function isRemoteFolder(machine: Carrier, where: string, path: string): Promise<boolean> {
  return (await machine.run(where, `test -d ${shellQuote(path)} && echo yes || :`)).trim() === "yes";
}

/** How many entries were left out since they are neither files nor folders. */
export async function pullFolder(
  machine: Carrier,
  where: string,
  remoteFolder: string,
  localFolder: string,
): Promise<number> {
  const list = async (condition: string) => {
    const output = await machine.run(where, `cd ${shellQuote(remoteFolder)} && find . ${condition} -print0`);
    return output.split("\0").filter((path) => path !== "");
  };
  for (const folder of await list("-type d")) await makeFolder(join(localFolder, folder));
  for (const file of await list("-type f"))
    await machine.pull(where, join(remoteFolder, file), join(localFolder, file));
  return (await list("! -type d ! -type f")).length;
}
