// A machine's fuses, as the host keeps them and writes them into flash.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DEVICE_FILE, devicePage, findOrMakeDevice, raiseMinimumVersion, readDevice } from "./device.ts";
import { decodeDevicePage, encodeDevicePage } from "./device-page.ts";
import { machineFolder } from "./state.ts";

const KEY = new Uint8Array(32).fill(1);
let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "vtz-device-"));
  Object.assign(process.env, { VTZ_STATE: folder });
});

after(() => {
  Object.assign(process.env, { VTZ_STATE: "" });
  rmSync(folder, { recursive: true, force: true });
});

test("a machine's fuses are made once, for their owner's eyes, and no two machines have the same", async () => {
  const first = await findOrMakeDevice("one", KEY);
  const again = await findOrMakeDevice("one", new Uint8Array(32).fill(2));
  const other = await findOrMakeDevice("other", KEY);

  assert.deepEqual(again, first);
  assert.equal(statSync(join(machineFolder("one"), DEVICE_FILE)).mode & 0o777, 0o600);
  assert.notDeepEqual(other.secret, first.secret);
  assert.notDeepEqual(other.identity, first.identity);
  assert.equal(first.minimumVersion, 0n);
});

test("the minimum version is raised and never lowered", async () => {
  await findOrMakeDevice("raised", KEY);

  await raiseMinimumVersion("raised", 7n);
  await assert.rejects(raiseMinimumVersion("raised", 6n), /takes version 7 and later/);
  await assert.rejects(raiseMinimumVersion("nobody", 1n), /has no fuses yet/);

  assert.equal((await readDevice("raised"))!.minimumVersion, 7n);
});

test("damaged fuses are said so, and are not replaced", async () => {
  await findOrMakeDevice("damaged", KEY);
  const path = join(machineFolder("damaged"), DEVICE_FILE);
  const whole = readFileSync(path, "utf8");
  for (const text of [
    "",
    "{",
    whole.replace(/"secret": "../, '"secret": "'),
    whole.replace(/: "0"/, ': "-1"'),
  ]) {
    writeFileSync(path, text);
    await assert.rejects(findOrMakeDevice("damaged", KEY), /cannot be read/);
    assert.equal(readFileSync(path, "utf8"), text);
  }
});

test("the page in flash has the fuses and a seed of its own at each start", async () => {
  const device = await findOrMakeDevice("started", KEY);

  const [first, second] = [devicePage(device), devicePage(device)].map(decodeDevicePage);

  const { bootSeed, ...fuses } = first!;
  assert.deepEqual(fuses, device);
  assert.notDeepEqual(second!.bootSeed, bootSeed);
});

test("a device page comes back from its bytes, and what is none is refused", () => {
  const part = (size: number, value: number) => new Uint8Array(size).fill(value);
  const device = {
    minimumVersion: 2n ** 64n - 1n,
    ...{ rootKey: part(32, 1), secret: part(32, 2), identity: part(32, 3), bootSeed: part(64, 4) },
  };

  const bytes = encodeDevicePage(device);

  assert.deepEqual(decodeDevicePage(bytes), device);
  assert.throws(() => decodeDevicePage(bytes.subarray(1)), /not a device page/);
  assert.throws(() => decodeDevicePage(new Uint8Array(bytes.length)), /not a device page/);
  assert.throws(() => encodeDevicePage({ ...device, secret: part(31, 2) }), /secret: 31 bytes, not 32/);
});
