// Fetches Debian packages into the cache and says exactly what was taken. With a warm cache nothing is asked of
// the network, nor of apt.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { explainFileError, UserError } from "../errors.ts";
import { withLock } from "../file-lock.ts";
import { makeFolder } from "../make-folder.ts";
import { cacheFolder } from "../paths.ts";
import { Apt, type PackageFile } from "./apt.ts";
import { KERNEL_METAPACKAGE, type PackageSpec, type Suite } from "./package-sets.ts";

export interface FetchedPackage {
  name: string;
  version: string;
  suite: Suite;
  sha256: string;
  size: number;
  /** Absolute path of the `.deb`. */
  path: string;
}

export interface FetchOptions {
  onProgress?: (text: string) => void;
}

interface RecordedPackage extends PackageFile {
  suite: Suite;
  /** Modification time when the hash was checked: while it and the size stay, the file is not read again. */
  checkedMtimeMs: number;
}

export async function fetchPackages(
  specs: PackageSpec[],
  options: FetchOptions = {},
): Promise<FetchedPackage[]> {
  const wanted = distinct(specs);
  try {
    const warm = await readRecord(wanted);
    if (warm !== undefined) return warm.map(toFetched);
    return await withLock(join(debianFolder(), "lock"), () => fetchCold(wanted, options), {
      doing: "downloading packages",
      onWait: () => options.onProgress?.("waiting for another vtz that downloads packages"),
    });
  } catch (error) {
    throw explainFileError(error, "downloading packages");
  }
}

/** One spec per package, whoever asks for it. */
function distinct(specs: PackageSpec[]): PackageSpec[] {
  const byKey = new Map(specs.map((spec) => [`${spec.suite}/${spec.name}`, spec]));
  return [...byKey.values()];
}

async function fetchCold(wanted: PackageSpec[], options: FetchOptions): Promise<FetchedPackage[]> {
  const warm = await readRecord(wanted); // another process may have done it while we waited
  if (warm !== undefined) return warm.map(toFetched);
  const records: RecordedPackage[] = [];
  for (const suite of new Set(wanted.map((spec) => spec.suite))) {
    const ofSuite = wanted.filter((spec) => spec.suite === suite);
    records.push(...(await fetchSuite(suite, ofSuite, options)));
  }
  await writeRecord(wanted, records);
  return records.map(toFetched);
}

async function fetchSuite(
  suite: Suite,
  specs: PackageSpec[],
  options: FetchOptions,
): Promise<RecordedPackage[]> {
  const apt = await Apt.open(suite);
  if (!(await apt.hasIndex())) {
    await updateIndex(apt, options);
    return await takeAll(apt, specs, options);
  }
  try {
    return await takeAll(apt, specs, options);
  } catch (error) {
    // The index that we hold may be older than the mirror's packages.
    if (!(error instanceof UserError) || !["package-gone", "wrong-hash"].includes(error.code)) throw error;
    await updateIndex(apt, options);
    return await takeAll(apt, specs, options);
  }
}

async function updateIndex(apt: Apt, options: FetchOptions): Promise<void> {
  options.onProgress?.(`reading the package list of Debian ${apt.suite}`);
  await apt.update();
}

async function takeAll(apt: Apt, specs: PackageSpec[], options: FetchOptions): Promise<RecordedPackage[]> {
  const files = await apt.describe(await resolveVersions(apt, specs));
  const missing: PackageFile[] = [];
  for (const file of files) {
    if (!(await isIntact(file))) missing.push(file);
  }
  if (missing.length > 0) await download(apt, missing, options);
  return await Promise.all(
    files.map(async (file) => ({
      ...file,
      suite: apt.suite,
      checkedMtimeMs: (await stat(poolPath(file.fileName))).mtimeMs,
    })),
  );
}

async function download(apt: Apt, files: PackageFile[], options: FetchOptions): Promise<void> {
  const megabytes = (files.reduce((sum, file) => sum + file.size, 0) / 1e6).toFixed(1);
  options.onProgress?.(`downloading ${files.length} packages of Debian ${apt.suite}, ${megabytes} MB`);
  await makeFolder(poolFolder());
  const folder = await mkdtemp(join(poolFolder(), ".incoming-"));
  try {
    await apt.download(files, folder);
    for (const file of files) {
      const path = join(folder, file.fileName);
      await checkHash(path, file);
      await rename(path, poolPath(file.fileName));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function resolveVersions(apt: Apt, specs: PackageSpec[]): Promise<{ name: string; version: string }[]> {
  const available = await apt.versions(specs.map((spec) => spec.name));
  const resolved: { name: string; version: string }[] = [];
  for (const spec of specs) {
    const versions = available.get(spec.name);
    if (versions === undefined) {
      resolved.push(await replacement(apt, spec));
    } else {
      const pinned = versions.find((version) => version === spec.version);
      resolved.push({ name: spec.name, version: pinned ?? versions[0]! });
    }
  }
  return resolved;
}

/** A kernel's version is part of its package's name; the metapackage knows the current one. */
async function replacement(apt: Apt, spec: PackageSpec): Promise<{ name: string; version: string }> {
  if (/^linux-image-\d/.test(spec.name)) {
    const dependencies = await apt.dependencies(KERNEL_METAPACKAGE.name);
    const name = dependencies.find((one) => /^linux-image-\d/.test(one));
    const version = name === undefined ? undefined : (await apt.versions([name])).get(name)?.[0];
    if (name !== undefined && version !== undefined) return { name, version };
  }
  throw new UserError(
    "package-gone",
    `Debian ${apt.suite} has no package ${spec.name}`,
    "set VTZ_DEBIAN_MIRROR to another mirror of Debian",
  );
}

async function isIntact(file: PackageFile): Promise<boolean> {
  try {
    await checkHash(poolPath(file.fileName), file);
    return true;
  } catch {
    return false;
  }
}

async function checkHash(path: string, file: PackageFile): Promise<void> {
  const hash = await hashFile(path);
  if (hash === file.sha256) return;
  throw new UserError(
    "wrong-hash",
    `${file.fileName} has SHA-256 ${hash}, Debian's index says ${file.sha256}`,
    "try again; if it stays so, the mirror or a proxy in between is broken",
  );
}

export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function readRecord(wanted: PackageSpec[]): Promise<RecordedPackage[] | undefined> {
  const text = await readFile(recordPath(wanted), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const records = parseRecord(text);
  for (const record of records ?? []) {
    const found = await stat(poolPath(record.fileName)).catch(() => undefined);
    const isSame = found?.size === record.size && found.mtimeMs === record.checkedMtimeMs;
    if (!isSame && !(await isIntact(record))) return undefined;
  }
  return records;
}

function parseRecord(text: string): RecordedPackage[] | undefined {
  try {
    return JSON.parse(text) as RecordedPackage[];
  } catch {
    return undefined; // damaged: as if it were not there
  }
}

async function writeRecord(wanted: PackageSpec[], records: RecordedPackage[]): Promise<void> {
  const path = recordPath(wanted);
  await makeFolder(join(debianFolder(), "sets"));
  await writeFile(`${path}.${process.pid}`, `${JSON.stringify(records, undefined, 2)}\n`);
  await rename(`${path}.${process.pid}`, path);
}

function recordPath(wanted: PackageSpec[]): string {
  const key = createHash("sha256").update(JSON.stringify(wanted)).digest("hex").slice(0, 16);
  return join(debianFolder(), "sets", `${key}.json`);
}

function toFetched(record: RecordedPackage): FetchedPackage {
  const { name, version, suite, sha256, size } = record;
  return { name, version, suite, sha256, size, path: poolPath(record.fileName) };
}

export function debianFolder(): string {
  return join(cacheFolder(), "debian");
}

function poolFolder(): string {
  return join(debianFolder(), "pool");
}

function poolPath(fileName: string): string {
  return join(poolFolder(), fileName);
}
