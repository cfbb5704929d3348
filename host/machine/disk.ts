// dom0's PCIe disk: one sparse file, of which each guest slot has a window (el1/dom0/window.pl makes it a partition)
// and dom0 the first. Only what is written takes place on the host.

import { type FileHandle, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { explainFileError, UserError } from "../errors.ts";
import { GUEST_SLOT_COUNT } from "../images/guest-config.ts";
import { runTool } from "../run-tool.ts";

/** An empty disk, or one that begins as a copy of a file of the host. */
export type DiskSpec = { readonly sizeMib: number } | { readonly file: string };

export interface DiskWindow {
  readonly start: number;
  readonly size: number;
}

const MIB = 2 ** 20;
export const WINDOW_SIZE = 16 * 1024 * MIB;
const DISK_SIZE = (GUEST_SLOT_COUNT + 1) * WINDOW_SIZE;
/** Disks are whole pages: Xen's frontends send pages. */
const SIZE_UNIT = 4096;
const CHUNK_SIZE = MIB;
export const DISK_FILE = "disk.img";
export const DISK_SIZE_MAX_MIB = WINDOW_SIZE / MIB;

export async function makeDisk(folder: string): Promise<void> {
  const file = await open(join(folder, DISK_FILE), "w");
  try {
    await file.truncate(DISK_SIZE);
  } finally {
    await file.close();
  }
}

/** Makes the slot's window what the guest shall find; nothing of the slot's last guest stays. */
export async function fillWindow(folder: string, slot: number, spec: DiskSpec): Promise<DiskWindow> {
  const window = { start: (slot + 1) * WINDOW_SIZE, size: await diskSize(spec) };
  await emptyWindow(folder, slot);
  if ("file" in spec) await copyInto(join(folder, DISK_FILE), window.start, spec.file);
  return window;
}

/** Gives the window's place on the host back. */
export async function emptyWindow(folder: string, slot: number): Promise<void> {
  const place = ["--offset", String((slot + 1) * WINDOW_SIZE), "--length", String(WINDOW_SIZE)];
  await runTool("fallocate", ["--punch-hole", ...place, join(folder, DISK_FILE)], { package: "util-linux" });
}

/** In bytes; complains of a disk that cannot be made. */
export async function diskSize(spec: DiskSpec): Promise<number> {
  const size = "sizeMib" in spec ? spec.sizeMib * MIB : await fileDiskSize(spec.file);
  if (size > 0 && size <= WINDOW_SIZE) return size;
  const what = `a disk of ${size / MIB} MiB cannot be made`;
  throw new UserError("bad-disk", what, `give 1 to ${DISK_SIZE_MAX_MIB} MiB`);
}

async function fileDiskSize(file: string): Promise<number> {
  const stats = await stat(file).catch(() => undefined);
  if (stats?.isFile() !== true) {
    throw new UserError("no-file", `${file} is not a file`, "give a disk image, or a size in MiB");
  }
  return Math.ceil(stats.size / SIZE_UNIT) * SIZE_UNIT;
}

async function copyInto(disk: string, start: number, source: string): Promise<void> {
  const from = await open(source).catch((error) => {
    throw explainFileError(error, "reading a disk image");
  });
  const to = await open(disk, "r+");
  try {
    await copyChunks(from, to, start);
  } catch (error) {
    throw explainFileError(error, "copying a disk image");
  } finally {
    await from.close();
    await to.close();
  }
}

/** What is zero stays a hole. */
async function copyChunks(from: FileHandle, to: FileHandle, start: number): Promise<void> {
  const zeros = Buffer.alloc(CHUNK_SIZE);
  const chunk = Buffer.alloc(CHUNK_SIZE);
  for (let at = 0; ; ) {
    const { bytesRead } = await from.read(chunk, 0, CHUNK_SIZE, at);
    if (bytesRead === 0) return;
    const bytes = chunk.subarray(0, bytesRead);
    if (!bytes.equals(zeros.subarray(0, bytesRead))) await writeAll(to, bytes, start + at);
    at += bytesRead;
  }
}

async function writeAll(to: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await to.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}
