// From what a user asks for to what a boot image is made of: Debian's images, the rewritten hypervisor, the TEE.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ENTRY_KIND_VECTOR } from "../../abi/boot-package.ts";
import { TEE_PROFILES, type TeeName } from "../../el1/tees/profiles.ts";
import { type ImageInput, prepareImages } from "../images/prepare-images.ts";
import { hardenXen } from "../rewriter/harden.ts";
import { type BootImage, type BootImageOptions, makeBootImage } from "./boot-image.ts";
import type { TeeEntry } from "./boot-package.ts";
import { readTee, UNKNOWN_VERSION } from "./flash.ts";
import type { SigningKey } from "./keys.ts";
import { layOutRam } from "./ram-layout.ts";
import { writeAtomically } from "./state.ts";
import { readTeeProfile } from "./tee-profile.ts";

export interface ImageOptions {
  readonly tee: TeeName;
  readonly coreCount?: number;
  readonly ramSize?: number;
  /** In MiB, as Xen counts. */
  readonly dom0Memory?: number;
  /** How many guests with a TEE the pool can hold. */
  readonly guestTeeCount?: number;
  /** A folder laid over the root of every guest. */
  readonly guestFiles?: string;
  /** A TEE image of one's own, for the profile that `tee` names or `teeProfile` describes. */
  readonly teeImage?: string;
  /** A file that describes a TEE kernel (tee-profile.ts); the guests' packages stay those of `tee`. */
  readonly teeProfile?: string;
  /** A hypervisor of one's own, taken as it is: whoever gives it has hardened it, or wants to see what happens. */
  readonly hypervisor?: string;
  /** Appended to Xen's command line. */
  readonly xenArguments?: string;
  /** Figures of the machine must repeat. */
  readonly isCounting?: boolean;
}

const MIB = 2 ** 20;
export const DEFAULTS = {
  coreCount: 2,
  ramSize: 2048 * MIB,
  dom0Memory: 512,
  guestTeeCount: 4,
  bootTimeoutMs: 120_000,
} as const;

/** Of the packages that this release makes; raised when an older one must not boot any more. */
export const PACKAGE_VERSION = 1n;
const HARDENED_XEN = "xen-hardened.bin";

/** All of a boot image but who signs it. */
export interface ImageParts extends Omit<BootImageOptions, "key" | "packageVersion" | "monitor"> {
  /** Whether the rewriter is to go over the hypervisor. */
  readonly mustBeHardened: boolean;
  readonly inputs: readonly ImageInput[];
}

/** The version of a package for a device whose fuses say this: it takes it, and it is no older than the release. */
export function versionFor(minimumVersion: bigint): bigint {
  return minimumVersion > PACKAGE_VERSION ? minimumVersion : PACKAGE_VERSION;
}

export async function gatherParts(
  options: ImageOptions,
  onProgress: (line: string) => void,
): Promise<ImageParts> {
  const { tee, hypervisor, xenArguments, guestFiles, teeImage, teeProfile } = options;
  const profile = teeProfile === undefined ? undefined : await readTeeProfile(teeProfile);
  const ram = layOutRam(options.ramSize ?? DEFAULTS.ramSize, options.guestTeeCount ?? DEFAULTS.guestTeeCount);
  const images = await prepareImages({
    tee,
    onProgress,
    ...(guestFiles === undefined ? {} : { guestFiles }),
  });
  const { versions } = images;
  const teeVersion = teeImage === undefined ? versions.tee : UNKNOWN_VERSION;
  const entry = await readTee(teeImage ?? images.teeImage, profile ?? TEE_PROFILES[tee], teeVersion);
  if (keepsItsOwnKey(entry))
    onProgress(
      "the TEE image does not take its hardware unique key as OP-TEE for QEMU does: it keeps its own",
    );
  return {
    hypervisor:
      hypervisor === undefined
        ? { path: images.xen, version: versions.xen }
        : { path: hypervisor, version: UNKNOWN_VERSION },
    dom0Kernel: { path: images.kernel, version: versions.kernel },
    dom0Initrd: { path: images.dom0Initrd, version: versions.dom0Initrd },
    tees: [entry],
    ram,
    coreCount: options.coreCount ?? DEFAULTS.coreCount,
    dom0Memory: options.dom0Memory ?? DEFAULTS.dom0Memory,
    ...(xenArguments === undefined ? {} : { xenArguments }),
    isCounting: options.isCounting === true,
    mustBeHardened: hypervisor === undefined,
    inputs: images.inputs,
  };
}

/** Of a kernel that is OP-TEE by its ABI. */
function keepsItsOwnKey({ profile, keySite }: TeeEntry): boolean {
  return profile.entryKind === ENTRY_KIND_VECTOR && keySite === undefined;
}

/** For a machine without a monitor: the hypervisor stays as it was shipped, nobody signs. */
export function plainImage(parts: ImageParts): BootImageOptions {
  return { ...parts, packageVersion: 0n };
}

/** For a machine with one, which takes the calls of a hardened hypervisor and a signed package. */
export async function makeHardenedImage(
  folder: string,
  parts: ImageParts,
  signer: { readonly monitor: Uint8Array; readonly key: SigningKey; readonly packageVersion: bigint },
): Promise<BootImage> {
  if (!parts.mustBeHardened) return makeBootImage(folder, { ...parts, ...signer });
  const { image } = hardenXen(await readFile(parts.hypervisor.path));
  await writeAtomically(join(folder, HARDENED_XEN), image);
  const hypervisor = { path: HARDENED_XEN, version: parts.hypervisor.version };
  return makeBootImage(folder, { ...parts, ...signer, hypervisor });
}
