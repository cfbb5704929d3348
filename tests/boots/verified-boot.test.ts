// Verified boot on the whole machine: what was signed boots, anything else stops before Xen says a word, and whoever
// started it is told why at once.

import assert from "node:assert/strict";
import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { BOOT_MANIFEST_SIZE, BOOT_SIGNATURE } from "../../abi/boot-package.ts";
import { BOOT_PACKAGE_PA } from "../../abi/memory-map.ts";
import type { UserError } from "../../host/errors.ts";
import { FLASH_FILE } from "../../host/machine/boot-files.ts";
import { DEVICE_TREE_FILE } from "../../host/machine/boot-image.ts";
import { findOrMakeDevice, raiseMinimumVersion } from "../../host/machine/device.ts";
import { findKey } from "../../host/machine/keys.ts";
import { Machine, type MachineOptions } from "../../host/machine/machine.ts";
import { machineFolder } from "../../host/machine/state.ts";
import { aKey } from "../machine/root-key.ts";
import { timeScale } from "./rows.ts";

const name = `test-verified-${process.pid}`;
const SETTINGS = { name, tee: "optee-4.5", lifetime: "attached" } as const;
const HYPERVISOR_FILE = "xen-hardened.bin";

interface Row {
  readonly what: string;
  readonly options?: () => Promise<Partial<MachineOptions>>;
  readonly damage?: (folder: string) => Promise<void>;
  readonly message: RegExp;
  /** On the secure UART. */
  readonly line: RegExp;
}

const ROWS: readonly Row[] = [
  {
    what: "a machine with another root key in its fuses",
    options: async () => {
      await findOrMakeDevice(name, aKey(1).publicKey);
      return {};
    },
    message: /not signed with the machine's root key/,
    line: /boot refused: unsigned \(3\)/,
  },
  {
    what: "a package that is older than the fuses allow",
    options: async () => {
      await findOrMakeDevice(name, (await findKey()).publicKey);
      await raiseMinimumVersion(name, 3n);
      return { packageVersion: 2n };
    },
    message: /older than the machine's minimum version/,
    line: /boot refused: too old \(4\)/,
  },
  {
    what: "a package with another byte in its manifest",
    damage: (folder) => flip(join(folder, FLASH_FILE), BOOT_PACKAGE_PA + BOOT_SIGNATURE - 1),
    message: /not signed with the machine's root key, or was changed/,
    line: /boot refused: unsigned \(3\)/,
  },
  {
    what: "a flash that is cut off in a TEE's image",
    damage: (folder) => truncate(join(folder, FLASH_FILE), BOOT_PACKAGE_PA + 2 * BOOT_MANIFEST_SIZE),
    message: /an image is not the one that was signed: a TEE$/,
    line: /boot refused: optee-4\.5: changed \(13\)/,
  },
  {
    what: "a hypervisor with another byte",
    damage: (folder) => flip(join(folder, HYPERVISOR_FILE), 0x1000),
    message: /an image is not the one that was signed: the hypervisor$/,
    line: /boot refused: hypervisor: changed \(13\)/,
  },
  {
    what: "a device tree that is not there",
    damage: (folder) => writeFile(join(folder, DEVICE_TREE_FILE), new Uint8Array(0x100)),
    message: /an image is not the one that was signed: the device tree$/,
    line: /boot refused: device tree: changed \(13\)/,
  },
];

describe("verified boot", { timeout: 900_000 * timeScale }, () => {
  after(() => Machine.remove(name));

  for (const { what, options, damage, message, line } of ROWS)
    test(`${what} is refused, with the reason, before the hypervisor runs`, async () => {
      await Machine.remove(name);
      const extra = (await options?.()) ?? {};
      const onLaidOut = damage === undefined ? {} : { onLaidOut: damage };

      const start = Machine.start({ ...SETTINGS, ...extra, ...onLaidOut });

      await assert.rejects(start, (error: UserError) => {
        assert.equal(error.code, "monitor-stopped");
        assert.match(error.message, message);
        return true;
      });
      assert.match(await log("uart-secure.log"), line);
      assert.equal(await log("uart-normal.log"), "");
    });

  test("what is signed boots, with fuses that let just it through", async () => {
    await Machine.remove(name);
    await findOrMakeDevice(name, (await findKey()).publicKey);
    await raiseMinimumVersion(name, 7n);

    const machine = await Machine.start({ ...SETTINGS, packageVersion: 7n });

    try {
      assert((await machine.status()) !== undefined);
      assert.doesNotMatch(await log("uart-secure.log"), /refused/);
    } finally {
      await machine.stop();
    }
  });
});

const log = (file: string) => readFile(join(machineFolder(name), file), "latin1");

async function flip(path: string, offset: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[offset]! ^= 0x10;
  await writeFile(path, bytes);
}
