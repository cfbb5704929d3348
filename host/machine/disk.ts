// dom0's PCIe disk: one sparse file, of which each guest slot has a window (el1/dom0/disk.pl shows it to dom0 as a
// partition of its own) and dom0 the rest. Only what is written takes place on the host.

import { open } from "node:fs/promises";
import { join } from "node:path";
import { GUEST_SLOT_COUNT } from "../images/guest-config.ts";

const GIB = 2 ** 30;
export const DISK_FILE = "disk.img";
/** The most that a guest's disk can have. */
export const DISK_WINDOW_SIZE = 16 * GIB;
const DISK_SIZE = (GUEST_SLOT_COUNT + 1) * DISK_WINDOW_SIZE;

/** dom0's own window is the first one. */
export function windowStart(slot: number): number {
  return (slot + 1) * DISK_WINDOW_SIZE;
}

export async function makeDisk(folder: string): Promise<void> {
  const file = await open(join(folder, DISK_FILE), "w");
  try {
    await file.truncate(DISK_SIZE);
  } finally {
    await file.close();
  }
}
