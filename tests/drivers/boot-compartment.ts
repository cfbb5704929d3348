// The boot compartment with a package in its window, as the monitor would call it.

import * as abi from "../../abi/boot-compartment.ts";
import { decodeImageRows, isInPackage } from "../../host/machine/image-rows.ts";
import { ramContents } from "../machine/boot-images.ts";
import { ROOT_KEY } from "../machine/root-key.ts";
import { aCompartment } from "./compartment.ts";

export const lab = await aCompartment("sel0/boot/main.ts");

export function call(operation: number, a = 0, b = 0): number {
  return Number(lab.exports.call(operation, BigInt(a), BigInt(b), 0n));
}

let lentSize = 0;

/** Puts bytes where a call finds what it was lent; what was there is gone, as in a new mapping. */
export function lend(bytes: Uint8Array): void {
  lab.window.fill(0, 0, lentSize);
  lab.window.set(bytes);
  lentSize = bytes.length;
}

export interface OpenOptions {
  readonly rootKey?: Uint8Array;
  readonly minimumVersion?: bigint;
  /** Another than the package's own. */
  readonly size?: number;
}

/** BOOT_OPEN on this package. */
export function open(bytes: Uint8Array, options: OpenOptions = {}): number {
  const { rootKey = ROOT_KEY.publicKey, minimumVersion = 0n, size = bytes.length } = options;
  lend(bytes);
  lab.message.fill(0);
  lab.message.set(rootKey, abi.BOOT_MESSAGE_ROOT_KEY);
  const { buffer, byteOffset } = lab.message;
  new DataView(buffer, byteOffset).setBigUint64(abi.BOOT_MESSAGE_MINIMUM_VERSION, minimumVersion, true);
  return call(abi.BOOT_OPEN, size);
}

/** BOOT_IMAGE of a row with these bytes. */
export function compare(row: number, bytes: Uint8Array): number {
  lend(bytes);
  return call(abi.BOOT_IMAGE, row, bytes.length);
}

/** The bytes of every image that a package of tests/drivers/packages.ts names, by row. */
export function imagesOf(bytes: Uint8Array, teeCount: number): Uint8Array[] {
  const inRam = ramContents();
  return decodeImageRows(bytes, teeCount).map((row) =>
    isInPackage(row) ? bytes.slice(row.place, row.place + row.size) : inRam.get(row.place)!.slice(),
  );
}
