// Modules of Debian's kernel package with all that they depend on, in the order in which to load them. The
// package has no modules.dep (depmod makes it on installation), so the modules themselves are asked.

import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { execa } from "execa";
import { missingTool } from "../run-tool.ts";

export interface KernelModule {
  name: string;
  data: Uint8Array;
}

export class KernelModules {
  private readonly pathByName: Map<string, string>;

  private constructor(pathByName: Map<string, string>) {
    this.pathByName = pathByName;
  }

  static async open(kernelTree: string): Promise<KernelModules> {
    const names = await readdir(kernelTree, { recursive: true });
    const modules = names.filter((name) => /\.ko(\.xz)?$/.test(name));
    return new KernelModules(new Map(modules.map((path) => [moduleName(path), join(kernelTree, path)])));
  }

  async load(names: string[]): Promise<KernelModule[]> {
    const loaded = new Map<string, KernelModule>();
    for (const name of names) await this.loadWithDependencies(name.replaceAll("-", "_"), loaded);
    return [...loaded.values()];
  }

  private async loadWithDependencies(name: string, loaded: Map<string, KernelModule>): Promise<void> {
    if (loaded.has(name)) return;
    const path = this.pathByName.get(name);
    if (path === undefined) throw new Error(`the kernel package has no module ${name}`);
    const data = await decompress(path);
    for (const dependency of dependenciesOf(data)) await this.loadWithDependencies(dependency, loaded);
    loaded.set(name, { name, data });
  }
}

/** The kernel writes names with `_`, files often have `-`. */
function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.xz)?$/, "")
    .replaceAll("-", "_");
}

/** From the section .modinfo: zero-terminated `key=value` strings. */
export function dependenciesOf(module: Uint8Array): string[] {
  const view = Buffer.from(module.buffer, module.byteOffset, module.length);
  const start = view.indexOf("\0depends=");
  if (start < 0) return [];
  const text = view.toString("latin1", start + "\0depends=".length, view.indexOf(0, start + 1));
  return text
    .split(",")
    .filter((name) => name !== "")
    .map((name) => name.replaceAll("-", "_"));
}

async function decompress(path: string): Promise<Uint8Array> {
  const args = path.endsWith(".xz") ? ["-dc", path] : ["-c", path];
  const result = await execa(path.endsWith(".xz") ? "xz" : "cat", args, {
    encoding: "buffer",
    reject: false,
  });
  if (result.code === "ENOENT") throw missingTool("xz", "xz-utils");
  if (result.exitCode !== 0) throw new Error(`xz -dc ${path}: exit code ${result.exitCode}`);
  return result.stdout;
}
