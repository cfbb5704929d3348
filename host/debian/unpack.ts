// Unpacks packages into the cache, each into a tree of its own, once.

import { access, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { explainFileError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { runTool } from "../run-tool.ts";
import { debianFolder, type FetchedPackage } from "./fetch.ts";

/** The folder that holds the package's files. */
export async function unpackPackage(fetched: FetchedPackage, onStart?: () => void): Promise<string> {
  const trees = join(debianFolder(), "trees");
  const tree = join(
    trees,
    `${fetched.name}_${fetched.version.replace(":", "%3a")}-${fetched.sha256.slice(0, 12)}`,
  );
  if (await exists(tree)) return tree;
  onStart?.();
  try {
    await makeFolder(trees);
    const incoming = await mkdtemp(join(trees, ".incoming-"));
    try {
      await runTool("dpkg-deb", ["-x", fetched.path, join(incoming, "tree")], { package: "dpkg" });
      await rename(join(incoming, "tree"), tree).catch(async (error) => {
        if (!(await exists(tree))) throw error; // else another process was faster
      });
    } finally {
      await rm(incoming, { recursive: true, force: true });
    }
  } catch (error) {
    throw explainFileError(error, `unpacking ${fetched.name}`);
  }
  return tree;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
