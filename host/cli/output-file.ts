// A file that the user has named for a result. Unlike our own files it may be a link, a device, or a place that does not exist.

import { readFile, realpath, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { explainFileError, UserError } from "../errors.ts";
import { writeAtomically } from "../machine/state.ts";

/** Throws what a user can read if nothing can be written there: before the work whose result it is to take. */
export async function checkOutput(path: string): Promise<void> {
  if (path === "") throw new UserError("usage", "the name of the output file is empty", "name a file");
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory() === true) throw new UserError("usage", `${path} is a folder`, "name a file in it");
  const folder = dirname(path);
  const parent = await stat(folder).catch(() => undefined);
  if (parent?.isDirectory() !== true)
    throw new UserError("no-folder", `there is no folder ${folder}`, `make it first: mkdir -p ${folder}`);
}

/** Whole or not at all where that is a file, also behind a link; a device or a pipe is written to. */
export async function writeOutput(path: string, contents: string | Uint8Array): Promise<void> {
  await checkOutput(path);
  try {
    const there = await stat(path).catch(() => undefined);
    if (there === undefined) return await writeAtomically(path, contents);
    if (!there.isFile()) return await writeFile(path, contents);
    await writeAtomically(await realpath(path), contents, there.mode & 0o7777);
  } catch (error) {
    throw explainFileError(error, `writing ${path}`);
  }
}

/** A whole file that the user has named. */
export async function readInput(path: string): Promise<Uint8Array> {
  try {
    const there = await stat(path);
    if (!there.isFile()) throw new UserError("no-file", `${path} is not a file`, "name the file itself");
    return await readFile(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError("no-file", `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Whether both names are of one file that exists. */
export async function isSameFile(left: string, right: string): Promise<boolean> {
  const [one, other] = await Promise.all([left, right].map((path) => stat(path).catch(() => undefined)));
  return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
}
