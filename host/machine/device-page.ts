// The device page as bytes: abi/device.ts, encoded and decoded.

import * as abi from "../../abi/device.ts";
import { DEVICE_PAGE_SIZE } from "../../abi/memory-map.ts";

export interface DevicePage {
  /** Below it no boot package is taken. */
  readonly minimumVersion: bigint;
  /** Ed25519 public key, 32 bytes. */
  readonly rootKey: Uint8Array;
  readonly secret: Uint8Array;
  readonly identity: Uint8Array;
  readonly bootSeed: Uint8Array;
}

const MAGIC = (BigInt(abi.DEVICE_MAGIC_HIGH) << 32n) | BigInt(abi.DEVICE_MAGIC_LOW);

const PARTS = [
  ["rootKey", abi.DEVICE_ROOT_KEY, abi.DEVICE_ROOT_KEY_SIZE],
  ["secret", abi.DEVICE_SECRET, abi.DEVICE_SECRET_SIZE],
  ["identity", abi.DEVICE_IDENTITY, abi.DEVICE_IDENTITY_SIZE],
  ["bootSeed", abi.DEVICE_BOOT_SEED, abi.DEVICE_BOOT_SEED_SIZE],
] as const;

export function encodeDevicePage(device: DevicePage): Uint8Array {
  const bytes = new Uint8Array(DEVICE_PAGE_SIZE);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(abi.DEVICE_MAGIC, MAGIC, true);
  view.setBigUint64(abi.DEVICE_MINIMUM_VERSION, device.minimumVersion, true);
  for (const [key, offset, size] of PARTS) {
    if (device[key].length !== size) throw new RangeError(`${key}: ${device[key].length} bytes, not ${size}`);
    bytes.set(device[key], offset);
  }
  return bytes;
}

export function decodeDevicePage(bytes: Uint8Array): DevicePage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length !== DEVICE_PAGE_SIZE || view.getBigUint64(abi.DEVICE_MAGIC, true) !== MAGIC)
    throw new Error("not a device page");
  const part = (offset: number, size: number) => bytes.slice(offset, offset + size);
  const parts = Object.fromEntries(PARTS.map(([key, offset, size]) => [key, part(offset, size)]));
  return {
    minimumVersion: view.getBigUint64(abi.DEVICE_MINIMUM_VERSION, true),
    ...parts,
  } as unknown as DevicePage;
}
