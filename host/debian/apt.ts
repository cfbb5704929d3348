// apt for architecture arm64 in folders of our own: one per suite, so that a suite nobody asked for is never
// downloaded. Signatures are checked by apt with the host's keyring; nothing of the host's apt is changed.

import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FREE_SPACE_HINT, UserError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { cacheFolder } from "../paths.ts";
import { type ToolOutput, tryTool } from "../run-tool.ts";
import type { Suite } from "./package-sets.ts";
import { hostMirror, type Mirror } from "./sources.ts";

const UPDATE_TIMEOUT_MS = 300_000;
const DOWNLOAD_TIMEOUT_MS = 1_200_000;

/** One package file as the signed index describes it. */
export interface PackageFile {
  name: string;
  version: string;
  fileName: string;
  size: number;
  sha256: string;
}

export class Apt {
  readonly suite: Suite;
  readonly folder: string;

  private constructor(suite: Suite, folder: string) {
    this.suite = suite;
    this.folder = folder;
  }

  static async open(suite: Suite): Promise<Apt> {
    const folder = join(cacheFolder(), "debian", "apt", suite);
    await makeFolder(join(folder, "lists", "partial"));
    await makeFolder(join(folder, "cache", "archives", "partial"));
    await writeFile(join(folder, "status"), "");
    await writeFile(join(folder, "apt.conf"), configuration(folder));
    await writeFile(join(folder, "vtz.sources"), sourcesFile(suite, await hostMirror()));
    return new Apt(suite, folder);
  }

  async hasIndex(): Promise<boolean> {
    const names = await readdir(join(this.folder, "lists"));
    return names.some((name) => name.includes("_Packages"));
  }

  async update(): Promise<void> {
    const output = await this.run("apt-get", ["update", "--error-on=any"], UPDATE_TIMEOUT_MS);
    if (output.exitCode !== 0) throw aptError(output, `reading Debian ${this.suite}'s package list`);
  }

  /** Versions in the suite, newest first, of each name; a name without any is absent. */
  async versions(names: string[]): Promise<Map<string, string[]>> {
    const output = await this.run("apt-cache", ["madison", ...names]);
    const versions = new Map<string, string[]>();
    for (const line of output.stdout.split("\n")) {
      const [name, version] = line.split("|").map((field) => field.trim());
      if (name === undefined || version === undefined) continue;
      versions.set(name, [...(versions.get(name) ?? []), version]);
    }
    return versions;
  }

  /** Names that a package depends on directly. */
  async dependencies(name: string): Promise<string[]> {
    const output = await this.run("apt-cache", ["depends", "--important", name]);
    return [...output.stdout.matchAll(/^\s*Depends: (\S+)$/gm)].map((match) => match[1]!);
  }

  /** What the index says about exact versions. */
  async describe(packages: { name: string; version: string }[]): Promise<PackageFile[]> {
    const wanted = packages.map(({ name, version }) => `${name}=${version}`);
    const output = await this.run("apt-get", ["download", "--print-uris", ...wanted]);
    if (output.exitCode !== 0) throw aptError(output, `looking up ${wanted.join(" ")}`);
    const found = parseUris(output.stdout);
    return packages.map(({ name, version }) => {
      const file = found.find((one) => one.fileName.startsWith(`${name}_${version.replace(":", "%3a")}_`));
      if (file === undefined)
        throw new Error(`apt-get printed no URI for ${name}=${version}:\n${output.stdout}`);
      return { name, version, ...file };
    });
  }

  async download(packages: { name: string; version: string }[], folder: string): Promise<void> {
    const wanted = packages.map(({ name, version }) => `${name}=${version}`);
    const output = await this.run("apt-get", ["download", ...wanted], DOWNLOAD_TIMEOUT_MS, folder);
    if (output.exitCode !== 0) throw aptError(output, `downloading from Debian ${this.suite}`);
  }

  private run(tool: string, args: string[], timeoutMs = 60_000, cwd = this.folder): Promise<ToolOutput> {
    return tryTool(tool, ["-c", join(this.folder, "apt.conf"), "-q", ...args], {
      timeoutMs,
      cwd,
      package: "apt",
    });
  }
}

/** Lines `'URI' FILE SIZE SHA256:HASH`. */
export function parseUris(text: string): { fileName: string; size: number; sha256: string }[] {
  return [...text.matchAll(/^'[^']+' (\S+) (\d+) SHA256:([0-9a-f]{64})\s*$/gm)].map((match) => ({
    fileName: match[1]!,
    size: Number(match[2]),
    sha256: match[3]!,
  }));
}

/** Says in one line what apt says in many. */
export function aptError(output: ToolOutput, doing: string): UserError {
  const text = output.stdout + output.stderr;
  const first = /^E: (.*)$/m.exec(text)?.[1] ?? `exit code ${output.exitCode}`;
  const cause = new Error(text);
  if (/No space left on device|Disk quota exceeded|don't have enough free space/.test(text)) {
    return new UserError("disk-full", `no space left while ${doing}`, FREE_SPACE_HINT, cause);
  }
  if (/Hash Sum mismatch|Hashes of received file|unexpected size/.test(text)) {
    return new UserError(
      "wrong-hash",
      `a file is not what Debian's signed index says, while ${doing}`,
      "try again; if it stays so, the mirror or a proxy in between is broken",
      cause,
    );
  }
  if (/NO_PUBKEY|not signed|EXPKEYSIG|BADSIG|signatures couldn't be verified/.test(text)) {
    return new UserError(
      "bad-signature",
      `apt cannot verify the mirror's signature while ${doing}`,
      "sudo apt-get install --reinstall debian-archive-keyring",
      cause,
    );
  }
  if (
    /resolving|Could not connect|Connection (failed|timed out|refused)|Network is unreachable|Could not wait/i.test(
      text,
    )
  ) {
    return new UserError("no-network", `cannot reach the Debian mirror while ${doing}`, mirrorHint(), cause);
  }
  if (/Unable to locate package|was not found|Can't find a source|404 +Not Found/i.test(text)) {
    return new UserError(
      "package-gone",
      `${first.trim()} (${doing})`,
      "the mirror does not have it (any more); set VTZ_DEBIAN_MIRROR to another",
      cause,
    );
  }
  return new UserError(
    "apt-failed",
    `${first.trim()} (${doing})`,
    "sudo apt-get update shows whether apt itself works",
    cause,
  );
}

function configuration(folder: string): string {
  return `// Written by vtz. Hooks of the host are for the host's packages.
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Dir::Etc::PreferencesParts;
#clear Acquire::IndexTargets;
Acquire::IndexTargets::deb::Packages {
  MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages";
  ShortDescription "Packages";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
  flatDescription "$(RELEASE) Packages";
  Optional "0";
};
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
APT::Get::AllowUnauthenticated "0";
Acquire::AllowInsecureRepositories "0";
Acquire::ForceHash "SHA256";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "20";
Dir::State::Lists "${folder}/lists";
Dir::State::Status "${folder}/status";
Dir::Cache "${folder}/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "";
Dir::Etc::SourceList "${folder}/vtz.sources";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
`;
}

function sourcesFile(suite: Suite, mirror: Mirror): string {
  const signedBy = mirror.signedBy === undefined ? "" : `Signed-By: ${mirror.signedBy}\n`;
  return `Types: deb\nURIs: ${mirror.uri}\nSuites: ${suite}\nComponents: main\n${signedBy}`;
}

function mirrorHint(): string {
  const { VTZ_DEBIAN_MIRROR: override } = process.env;
  if (override !== undefined && override !== "")
    return `check the network, and VTZ_DEBIAN_MIRROR=${override}`;
  return "check the network and the host's apt configuration: sudo apt-get update";
}
