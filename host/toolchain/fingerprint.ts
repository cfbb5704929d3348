// What a build was made from, as one hash: nothing is done when nothing changed.

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Of file names and contents; missing folders count as empty. */
export async function fingerprint(root: string, folders: readonly string[], extra: string): Promise<string> {
  const hash = createHash("sha256").update(extra);
  for (const folder of folders) {
    for (const file of await filesBelow(root, folder)) {
      hash.update(`\0${file}\0`).update(await readFile(join(root, file)));
    }
  }
  return hash.digest("hex");
}

async function filesBelow(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true, recursive: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && !/\.gen\.txt$|\.test\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}
