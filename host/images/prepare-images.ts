// Makes everything that runs on the machine besides the monitor: packages are fetched, initramfs images built.
// Results are kept by a key over all inputs, so that a second call finds them.

import { createHash } from "node:crypto";
import { lstat, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type FetchedPackage, fetchPackages } from "../debian/fetch.ts";
import {
  DOM0,
  GUEST,
  HYPERVISOR,
  KERNEL,
  type PackageSpec,
  TEE,
  type TeeName,
} from "../debian/package-sets.ts";
import { unpackPackage } from "../debian/unpack.ts";
import { explainFileError, UserError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { cacheFolder, projectFolder } from "../paths.ts";
import { buildDom0Initrd, buildGuestInitrd } from "./initrds.ts";

export interface PrepareOptions {
  tee: TeeName;
  /** A folder laid over the root of every guest. */
  guestFiles?: string;
  onProgress?: (text: string) => void;
}

export interface ImageSet {
  tee: TeeName;
  /** arm64 Image of the hypervisor, as Debian ships it (not yet hardened). */
  xen: string;
  /** arm64 Image of Linux, for dom0 and the guests. */
  kernel: string;
  dom0Initrd: string;
  guestInitrd: string;
  /** tee-header_v2.bin and tee-pager_v2.bin of OP-TEE. */
  teeHeader: string;
  teeImage: string;
  /** What Debian calls them; of the initrd, the key over all that is in it. */
  versions: { xen: string; kernel: string; dom0Initrd: string; tee: string };
  inputs: ImageInput[];
}

export interface ImageInput {
  name: string;
  version: string;
  suite: string;
  sha256: string;
}

/** Our own files that decide what an image holds. */
const SOURCES = ["el1/agent", "el1/common", "el1/dom0", "el1/guest", "host/images", "host/formats"];
const KEPT_SET_COUNT = 6;

export async function prepareImages(options: PrepareOptions): Promise<ImageSet> {
  const { tee, onProgress } = options;
  const specs = [...HYPERVISOR["4.20"], ...KERNEL, ...DOM0, ...GUEST[tee], ...TEE[tee]];
  const packages = await fetchPackages(specs, onProgress === undefined ? {} : { onProgress });
  const treeOf = await unpackAll(packages, onProgress);
  try {
    const folder = await buildOnce(options, packages, treeOf);
    const teeFolder = join(treeOf(TEE[tee][0]!), "usr/lib/optee/vexpress-qemu_armv8a");
    return {
      tee,
      xen: await fileIn(join(treeOf(HYPERVISOR["4.20"][0]!), "boot"), /^xen-4\.20-arm64$/),
      kernel: await kernelImage(treeOf),
      dom0Initrd: join(folder, "dom0.cpio"),
      guestInitrd: join(folder, "guest.cpio"),
      teeHeader: join(teeFolder, "tee-header_v2.bin"),
      teeImage: join(teeFolder, "tee-pager_v2.bin"),
      versions: {
        xen: versionOf(packages, HYPERVISOR["4.20"][0]!),
        kernel: versionOf(packages, KERNEL[0]!),
        dom0Initrd: basename(folder),
        tee: versionOf(packages, TEE[tee][0]!),
      },
      inputs: packages.map(({ name, version, suite, sha256 }) => ({ name, version, suite, sha256 })),
    };
  } catch (error) {
    throw explainFileError(error, "building the images");
  }
}

type TreeOf = (spec: PackageSpec) => string;

async function unpackAll(packages: FetchedPackage[], onProgress?: (text: string) => void): Promise<TreeOf> {
  const trees = new Map<string, string>();
  let isTold = false;
  for (const one of packages) {
    const tree = await unpackPackage(one, () => {
      if (!isTold) onProgress?.("unpacking packages");
      isTold = true;
    });
    trees.set(treeKey(one), tree);
  }
  return (spec) => {
    const tree = trees.get(treeKey(spec));
    if (tree === undefined) throw new Error(`${spec.name} was not fetched`);
    return tree;
  };
}

/** The kernel's package may be another than the one that was asked for: its name holds the version. */
function treeKey({ name, suite }: { name: string; suite: string }): string {
  return name.startsWith("linux-image-") ? "linux-image" : `${suite}/${name}`;
}

function versionOf(packages: readonly FetchedPackage[], spec: PackageSpec): string {
  return packages.find((one) => treeKey(one) === treeKey(spec))?.version ?? "";
}

async function kernelImage(treeOf: TreeOf): Promise<string> {
  return await fileIn(join(treeOf(KERNEL[0]!), "boot"), /^vmlinuz-/);
}

async function fileIn(folder: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(folder)).find((candidate) => pattern.test(candidate));
  if (name === undefined) throw new Error(`${folder} has no file like ${pattern}`);
  return join(folder, name);
}

/** The folder with the finished initramfs images of these very inputs. */
async function buildOnce(
  options: PrepareOptions,
  packages: FetchedPackage[],
  treeOf: TreeOf,
): Promise<string> {
  const sets = join(cacheFolder(), "images");
  const folder = join(sets, await inputKey(options, packages));
  if (await lstat(folder).catch(() => undefined)) {
    if (await isWhole(folder)) {
      await utimes(folder, new Date(), new Date()); // lately used
      return folder;
    }
    options.onProgress?.(`${folder} is damaged`);
    await rm(folder, { recursive: true, force: true });
  }
  options.onProgress?.("building the initramfs images");
  await makeFolder(sets);
  const incoming = await mkdtemp(join(sets, ".incoming-"));
  try {
    await build(incoming, options, treeOf);
    await rename(incoming, folder).catch(async (error) => {
      if (!(await lstat(folder).catch(() => undefined))) throw error; // else another process was faster
    });
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
  await forgetOldSets(sets);
  return folder;
}

async function build(folder: string, options: PrepareOptions, treeOf: TreeOf): Promise<void> {
  const { tee, guestFiles } = options;
  const kernelTree = treeOf(KERNEL[0]!);
  const guestInitrd = await buildGuestInitrd({
    packageTrees: GUEST[tee].map(treeOf),
    kernelTree,
    teeSdkTree: treeOf(TEE[tee][1]!),
    ...(guestFiles === undefined ? {} : { extraFiles: guestFiles }),
  });
  await writeFile(join(folder, "guest.cpio"), guestInitrd);
  const dom0Initrd = await buildDom0Initrd({
    packageTrees: DOM0.map(treeOf),
    kernelTree,
    guestKernel: await readFile(await kernelImage(treeOf)),
    guestInitrd,
  });
  await writeFile(join(folder, "dom0.cpio"), dom0Initrd);
  await writeFile(join(folder, SUMS_FILE), JSON.stringify(await sumsOf(folder)));
}

const SUMS_FILE = "sha256.json";

async function sumsOf(folder: string): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  for (const name of ["dom0.cpio", "guest.cpio"]) {
    sums[name] = createHash("sha256")
      .update(await readFile(join(folder, name)))
      .digest("hex");
  }
  return sums;
}

/** Whether the images are what was built: a full disk or a stray hand may have been there. */
async function isWhole(folder: string): Promise<boolean> {
  const expected = await readFile(join(folder, SUMS_FILE), "utf8").catch(() => undefined);
  return expected === JSON.stringify(await sumsOf(folder).catch(() => undefined));
}

async function inputKey(options: PrepareOptions, packages: FetchedPackage[]): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([options.tee, packages.map(({ name, sha256 }) => [name, sha256])]));
  for (const source of SOURCES) await hashFolder(hash, join(projectFolder, source), "contents");
  if (options.guestFiles !== undefined) {
    await hashFolder(hash, options.guestFiles, "times").catch((error) => {
      throw guestFilesError(error, options.guestFiles!);
    });
  }
  return hash.digest("hex").slice(0, 20);
}

/** Contents of our few sources; size and times of the user's files, which may be large. */
async function hashFolder(
  hash: ReturnType<typeof createHash>,
  folder: string,
  by: "contents" | "times",
): Promise<void> {
  const names = (await readdir(folder, { recursive: true }))
    .filter((name) => !name.endsWith(".test.ts"))
    .sort();
  for (const name of names) {
    const path = join(folder, name);
    const stats = await lstat(path);
    hash.update(`${name}\0${stats.mode}\0`);
    if (stats.isDirectory()) continue;
    hash.update(
      by === "contents" ? await readFile(path) : `${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}\0`,
    );
  }
}

function guestFilesError(error: unknown, folder: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT")
    return new UserError(
      "no-such-folder",
      `${folder} is not there`,
      "give a folder with files for the guests",
    );
  if (code === "ENOTDIR")
    return new UserError(
      "not-a-folder",
      `${folder} is not a folder`,
      "give a folder; its contents are laid over the guest's root",
    );
  return error;
}

async function forgetOldSets(sets: string): Promise<void> {
  const names = (await readdir(sets)).filter((name) => !name.startsWith("."));
  const dated = await Promise.all(
    names.map(async (name) => ({ name, time: (await lstat(join(sets, name))).mtimeMs })),
  );
  dated.sort((a, b) => b.time - a.time);
  for (const { name } of dated.slice(KEPT_SET_COUNT))
    await rm(join(sets, name), { recursive: true, force: true });
}
