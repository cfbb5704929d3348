// The contents of secure flash 0: the monitor at 0, the machine's fuses behind it, then the signed boot package.

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  BOOT_PACKAGE_PA,
  DEVICE_PAGE_PA,
  FLASH_SIZE,
  MONITOR_TEXT_PA,
  MONITOR_TEXT_SIZE,
  TEE_RAM_IPA,
  TEE_RAM_SIZE,
} from "../../abi/memory-map.ts";
import type { TeeProfile } from "../../el1/tees/profiles.ts";
import { UserError } from "../errors.ts";
import type { TeeEntry } from "./boot-package.ts";
import { writeAtomically } from "./state.ts";
import { teeDeviceTree } from "./tee-device-tree.ts";
import { parseTeeHeader } from "./tee-header.ts";
import { findKeySite, type KeySite } from "./tee-key-site.ts";

/** Of an image of the user's own. */
export const UNKNOWN_VERSION = "unknown";

export interface FlashParts {
  readonly monitor: Uint8Array;
  /** The machine's fuses (device-page.ts). */
  readonly devicePage: Uint8Array;
  readonly bootPackage: Uint8Array;
}

export function buildFlash({ monitor, devicePage, bootPackage }: FlashParts): Uint8Array {
  if (monitor.length === 0 || monitor.length > MONITOR_TEXT_SIZE) {
    throw new Error(`the monitor has ${monitor.length} bytes; 1 to ${MONITOR_TEXT_SIZE} fit`);
  }
  const size = BOOT_PACKAGE_PA + bootPackage.length;
  if (size > FLASH_SIZE) throw new Error(`flash contents of ${size} bytes; ${FLASH_SIZE} fit`);
  const flash = new Uint8Array(size);
  flash.set(monitor, MONITOR_TEXT_PA);
  flash.set(devicePage, DEVICE_PAGE_PA);
  flash.set(bootPackage, BOOT_PACKAGE_PA);
  return flash;
}

/** Reads a TEE's image and checks it against the header file beside it, where there is one. */
export async function readTee(
  pagerPath: string,
  profile: TeeProfile,
  version = UNKNOWN_VERSION,
): Promise<TeeEntry> {
  const image = await readFile(pagerPath).catch((error: NodeJS.ErrnoException) => {
    throw new UserError("no-image", `the TEE image ${pagerPath} cannot be read (${error.code})`);
  });
  const headerBytes = await readFile(join(dirname(pagerPath), "tee-header_v2.bin")).catch(() => undefined);
  const room = TEE_RAM_IPA + TEE_RAM_SIZE - profile.loadIpa;
  if (image.length > room)
    throw new UserError(
      "image-too-large",
      `the TEE image ${pagerPath} has ${image.length} bytes, ${profile.name} has room for ${room}`,
      "take an image that was built for the memory map of the profile (docs/guest-tee-abi.md)",
    );
  if (image.length === 0) throw new UserError("image-damaged", `the TEE image ${pagerPath} is empty`);
  if (profile.entryIpa >= profile.loadIpa + image.length)
    throw new UserError(
      "image-damaged",
      `the TEE image ${pagerPath} ends before its entry at 0x${profile.entryIpa.toString(16)}`,
      "is it the image that the profile describes? (docs/guest-tee-abi.md)",
    );
  if (headerBytes !== undefined) checkTeeHeader(headerBytes, image.length, profile);
  const keySite = keySiteOf(pagerPath, image);
  return {
    profile,
    image,
    version,
    ...(profile.hasDeviceTree ? { deviceTree: teeDeviceTree() } : {}),
    ...(keySite === undefined ? {} : { keySite }),
  };
}

function keySiteOf(path: string, image: Uint8Array): KeySite | undefined {
  try {
    return findKeySite(image);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(
      "ambiguous-key-site",
      `the TEE image ${path}: ${error.message}`,
      "which of them is adapted must be certain (docs/decisions/0032-hardware-unique-key.md)",
    );
  }
}

/** It holds the machine's secret. */
export async function writeFlash(path: string, parts: FlashParts): Promise<void> {
  await writeAtomically(path, buildFlash(parts), 0o600);
}

function checkTeeHeader(headerBytes: Uint8Array, imageSize: number, profile: TeeProfile): void {
  const refuse = (why: string) =>
    new UserError(
      "image-damaged",
      `the image of ${profile.name} cannot be used: ${why}`,
      "fetch or build it anew",
    );
  let header: ReturnType<typeof parseTeeHeader>;
  try {
    header = parseTeeHeader(headerBytes);
  } catch (error) {
    throw refuse((error as Error).message);
  }
  const [first, ...others] = header.images;
  if (first === undefined || others.length > 0) throw refuse("its header must name one image");
  if (first.loadAddress !== profile.loadIpa) {
    throw refuse(
      `it wants to be at 0x${first.loadAddress.toString(16)}, the profile says 0x${profile.loadIpa.toString(16)}`,
    );
  }
  if (first.size !== imageSize) throw refuse(`it has ${imageSize} bytes, its header says ${first.size}`);
}
