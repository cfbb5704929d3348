// A machine's fuses: its secret, its identity, the root key that it obeys and the lowest version of a boot package that
// it takes. Made when a machine of that name first starts, kept in its folder and deleted with it. Here is the only
// place that raises the version, as a board's programmer would (docs/decisions/0029-who-writes-the-fuses.md).

import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as abi from "../../abi/device.ts";
import { UserError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { type DevicePage, encodeDevicePage } from "./device-page.ts";
import { machineFolder, writeAtomically } from "./state.ts";

export type Device = Omit<DevicePage, "bootSeed">;

export const DEVICE_FILE = "device.json";
const OWNER_ONLY = 0o600;
const VERSION_MAX = 2n ** 64n - 1n;

interface DeviceFile {
  readonly minimumVersion: string;
  readonly rootKey: string;
  readonly secret: string;
  readonly identity: string;
}

export async function readDevice(machine: string): Promise<Device | undefined> {
  const path = join(machineFolder(machine), DEVICE_FILE);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return decode(JSON.parse(text) as DeviceFile);
  } catch {
    throw new UserError(
      "device-damaged",
      `${path}, the fuses of machine “${machine}”, cannot be read`,
      "use another name (`vtz up --machine NAME`), or remove the file: what that machine's guests have sealed is lost",
    );
  }
}

/** The fuses of a machine that has started before. */
export async function knownDevice(machine: string): Promise<Device> {
  const device = await readDevice(machine);
  if (device !== undefined) return device;
  throw new UserError(
    "no-device",
    `machine “${machine}” has no fuses yet`,
    "it gets them when it first starts: `vtz up`",
  );
}

/** The fuses of a machine; a new one gets them now, and obeys this root key for ever. */
export async function findOrMakeDevice(machine: string, rootKey: Uint8Array): Promise<Device> {
  const known = await readDevice(machine);
  if (known !== undefined) return known;
  const device: Device = {
    minimumVersion: 0n,
    rootKey,
    secret: new Uint8Array(randomBytes(abi.DEVICE_SECRET_SIZE)),
    identity: new Uint8Array(randomBytes(abi.DEVICE_IDENTITY_SIZE)),
  };
  await writeDevice(machine, device);
  return device;
}

/** From now on the machine takes no boot package below this version. There is no way back. */
export async function raiseMinimumVersion(machine: string, version: bigint): Promise<Device> {
  const device = await knownDevice(machine);
  if (version < device.minimumVersion)
    throw new UserError(
      "fused",
      `machine “${machine}” takes version ${device.minimumVersion} and later: a fuse is not taken back`,
    );
  const raised = { ...device, minimumVersion: version };
  await writeDevice(machine, raised);
  return raised;
}

/** The page as it goes into flash for one start: with randomness of that start. */
export function devicePage(device: Device): Uint8Array {
  return encodeDevicePage({ ...device, bootSeed: randomBytes(abi.DEVICE_BOOT_SEED_SIZE) });
}

async function writeDevice(machine: string, device: Device): Promise<void> {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const file: DeviceFile = {
    minimumVersion: String(device.minimumVersion),
    rootKey: hex(device.rootKey),
    secret: hex(device.secret),
    identity: hex(device.identity),
  };
  await makeFolder(machineFolder(machine));
  await writeAtomically(
    join(machineFolder(machine), DEVICE_FILE),
    `${JSON.stringify(file, null, 2)}\n`,
    OWNER_ONLY,
  );
}

function decode(file: DeviceFile): Device {
  const bytes = (text: string, size: number) => {
    if (text.length !== 2 * size || !/^[0-9a-f]*$/.test(text)) throw new RangeError("not so many bytes");
    return new Uint8Array(Buffer.from(text, "hex"));
  };
  const minimumVersion = BigInt(file.minimumVersion);
  if (minimumVersion < 0n || minimumVersion > VERSION_MAX) throw new RangeError("no version");
  return {
    minimumVersion,
    rootKey: bytes(file.rootKey, abi.DEVICE_ROOT_KEY_SIZE),
    secret: bytes(file.secret, abi.DEVICE_SECRET_SIZE),
    identity: bytes(file.identity, abi.DEVICE_IDENTITY_SIZE),
  };
}
