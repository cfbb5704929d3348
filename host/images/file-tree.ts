// The contents of an initramfs while it is put together: files by path, folders made as needed, libraries found
// for the programs that need them.

import { readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import { type CpioEntry, encodeCpio } from "../formats/cpio.ts";
import { isElf, readDynamicNeeds } from "../formats/elf-dynamic.ts";

const LIBRARY_FOLDER = "usr/lib/aarch64-linux-gnu";
const INTERPRETER = "usr/lib/ld-linux-aarch64.so.1";

export class FileTree {
  private readonly entries = new Map<string, CpioEntry>();
  private readonly packageTrees: string[];

  /** Programs and libraries are looked for in the trees of unpacked packages, in this order. */
  constructor(packageTrees: string[]) {
    this.packageTrees = packageTrees;
    for (const folder of ["bin", "sbin", "lib"]) {
      this.addFolder(`usr/${folder}`);
      this.addLink(folder, `usr/${folder}`);
    }
    for (const folder of ["proc", "sys", "dev", "run", "tmp", "root", "etc", "mnt", "var/log"])
      this.addFolder(folder);
    this.addLink("var/run", "../run");
    // Linux opens it for init before devtmpfs is mounted.
    this.add({ path: "dev/console", kind: "character-device", mode: 0o600, device: { major: 5, minor: 1 } });
  }

  addFolder(path: string): void {
    if (path === "." || this.entries.has(path)) return;
    this.addFolder(posix.dirname(path));
    this.entries.set(path, { path, kind: "folder", mode: 0o755 });
  }

  addLink(path: string, target: string): void {
    this.add({ path, kind: "link", mode: 0o777, data: Buffer.from(target) });
  }

  addFile(path: string, data: Uint8Array | string, mode = 0o644): void {
    this.add({ path, kind: "file", mode, data: Buffer.from(data) });
  }

  /** A later entry with the same path takes the place of an earlier one. */
  private add(entry: CpioEntry): void {
    this.addFolder(posix.dirname(entry.path));
    this.entries.set(entry.path, entry);
  }

  /** A program of a package, with the libraries that it needs, all in their usual places. */
  async addProgram(path: string): Promise<void> {
    const data = await readFile(await this.find(path));
    this.addFile(path, data, 0o755);
    await this.addLibrariesOf(data, path);
  }

  /** Everything that any of the packages has in a folder. */
  async addPackageFolder(path: string): Promise<void> {
    const sizeBefore = this.entries.size;
    for (const tree of this.packageTrees) {
      const folder = await realpath(join(tree, path)).catch(() => undefined);
      if (folder !== undefined) await this.addHostFolder(folder, path);
    }
    if (this.entries.size === sizeBefore) throw new Error(`no package of the set has files in ${path}`);
  }

  async addPackageFile(path: string, mode = 0o644): Promise<void> {
    this.addFile(path, await readFile(await this.find(path)), mode);
  }

  /** A folder of the host laid over the tree; permissions and links are kept. */
  async addHostFolder(hostFolder: string, path: string): Promise<void> {
    const entries = await readdir(hostFolder, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const from = join(hostFolder, entry.name);
      const to = path === "" ? entry.name : posix.join(path, entry.name);
      if (entry.isSymbolicLink()) this.addLink(this.merged(to), await readlink(from));
      else if (entry.isDirectory()) await this.addHostFolder(from, to);
      else if (entry.isFile())
        this.addFile(this.merged(to), await readFile(from), (await stat(from)).mode & 0o777);
    }
  }

  encode(): Uint8Array {
    return encodeCpio([...this.entries.values()]);
  }

  /** `bin/x` is `usr/bin/x`: a folder must not replace the link that stands for it. */
  private merged(path: string): string {
    return /^(bin|sbin|lib)\//.test(path) ? `usr/${path}` : path;
  }

  /** A library that programs open at run time, so that none says that it needs it. */
  async addLibrary(name: string): Promise<void> {
    const path = `${LIBRARY_FOLDER}/${name}`;
    const data = await readFile(await this.find(path));
    this.addFile(path, data, 0o755);
    await this.addLibrariesOf(data, name);
  }

  private async addLibrariesOf(data: Uint8Array, user: string): Promise<void> {
    if (!isElf(data)) return;
    const needs = readDynamicNeeds(data);
    if (needs.interpreter !== undefined && !this.entries.has(INTERPRETER)) {
      this.addFile(
        INTERPRETER,
        await readFile(await this.find(`${LIBRARY_FOLDER}/ld-linux-aarch64.so.1`)),
        0o755,
      );
    }
    for (const library of needs.libraries) {
      if (library === "ld-linux-aarch64.so.1" || this.entries.has(`${LIBRARY_FOLDER}/${library}`)) continue;
      const found = await readFile(await this.find(`${LIBRARY_FOLDER}/${library}`, user));
      this.addFile(`${LIBRARY_FOLDER}/${library}`, found, 0o755);
      await this.addLibrariesOf(found, library);
    }
  }

  /** Path on the host of a packaged file; packages from before the merge of / and /usr are understood too. */
  private async find(path: string, user?: string): Promise<string> {
    const unmerged = path.replace(/^usr\/(bin|sbin|lib)\//, "$1/");
    for (const tree of this.packageTrees) {
      for (const candidate of [path, unmerged]) {
        const found = await realpath(join(tree, candidate)).catch(() => undefined);
        if (found !== undefined) return found;
      }
    }
    throw new Error(`no package of the set has ${path}${user === undefined ? "" : `, which ${user} needs`}`);
  }
}
