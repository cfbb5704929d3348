// Evidence of guests that run, as its users get it: `vtz attest` asks, `vtz keys device` tells the key, `vtz verify`
// accepts what is genuine, with a policy of what was really started, and nothing else.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { execa } from "execa";
import { BOOT_PACKAGE_PA, DEVICE_PAGE_PA, MONITOR_TEXT_PA } from "../../abi/memory-map.ts";
import { guestIdentity } from "../../host/images/guest-config.ts";
import { FLASH_FILE } from "../../host/machine/boot-files.ts";
import { decodeBootPackage } from "../../host/machine/boot-package.ts";
import { Machine } from "../../host/machine/machine.ts";
import { projectFolder } from "../../host/paths.ts";
import { timeScale } from "./rows.ts";

const MINUTE = 60_000 * timeScale;
const name = `test-attest-${process.pid}`;
const GUESTS = ["web", "db"];
const NONCE = randomBytes(32).toString("hex");

describe("attestation", { timeout: 15 * MINUTE }, () => {
  let machine: Machine;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "vtz-attest-boot-"));
    machine = await Machine.start({ name, tee: "optee-4.5", lifetime: "attached" });
    for (const guest of GUESTS) {
      await machine.createGuest({ name: guest, vcpuCount: 1, memoryMib: 256 });
      await machine.waitForGuest(guest, 5 * MINUTE);
    }
    await writeFile(join(folder, "device.pem"), (await vtz("keys", "device", "-m", name)).stdout);
    await writeFile(join(folder, "policy.json"), JSON.stringify(await policy()));
    await machine.close(); // an agent has one user at a time
    for (const guest of GUESTS) {
      const { exitCode, stderr } = await vtz("attest", guest, "-m", name, "--nonce", NONCE);
      assert.equal(exitCode, 0, stderr);
    }
  });

  after(async () => {
    await machine?.close();
    await Machine.remove(name);
    await rm(folder, { recursive: true, force: true });
  });

  for (const guest of GUESTS)
    test(`evidence of ${guest} is accepted with the policy of what was started`, async () => {
      const { exitCode, stdout } = await verify(`${guest}.cbor`, guest);

      assert.equal(exitCode, 0, stdout);
      assert.match(stdout, /^accepted$/m);
      assert.match(stdout, /^violations +0$/m);
    });

  test("what is not meant, or was changed, is refused with the cause", async () => {
    const forged = await readFile(join(folder, "web.cbor"));
    forged[forged.length - 1]! ^= 1;
    await writeFile(join(folder, "forged.cbor"), forged);
    await writeFile(join(folder, "other.hex"), "22".repeat(32));
    await writeFile(join(folder, "strict.json"), JSON.stringify({ tee: ["22".repeat(32)] }));

    for (const [cause, file, guest, ...options] of [
      ["nonce", "web.cbor", "web", "--nonce", randomBytes(32).toString("hex")],
      ["guest", "web.cbor", "db"],
      ["signature", "forged.cbor", "web"],
      ["wrong-key", "web.cbor", "web", "--device-key", "other.hex"],
      ["policy:tee", "web.cbor", "web", "--policy", "strict.json"],
    ] as const) {
      const { exitCode, stdout } = await verify(file, guest, ...options);
      assert.equal(exitCode, 1, cause);
      assert.match(stdout, new RegExp(`^refused: ${cause}: `));
    }
  });

  test("a guest can be asked again, with another nonce, and keeps nothing of it", async () => {
    const nonce = randomBytes(32).toString("hex");

    const asked = await vtz("attest", "web", "-m", name, "--nonce", nonce, "-o", "again.cbor");

    assert.equal(asked.exitCode, 0, asked.stderr);
    assert.equal((await verify("again.cbor", "web", "--nonce", nonce)).exitCode, 0);
    const { stdout } = await vtz("exec", "-m", name, "web", "--", "sh", "-c", "lsmod; ls /tmp");
    assert.doesNotMatch(stdout, /vtz/);
  });

  test("of dom0 there is no evidence", async () => {
    const { exitCode, stderr } = await vtz("attest", "dom0", "-m", name, "--nonce", NONCE);

    assert.equal(exitCode, 2);
    assert.match(stderr, /dom0 is not a guest/);
  });

  /** Of the files of this machine, but for the hypervisor's pages, which the monitor lists. */
  async function policy(): Promise<object> {
    const flash = await readFile(join(machine.folder, FLASH_FILE));
    const { tees, version } = decodeBootPackage(flash.subarray(BOOT_PACKAGE_PA));
    const { measurement } = (await machine.status())!.protection;
    return {
      monitor: [sha256(flash.subarray(MONITOR_TEXT_PA, DEVICE_PAGE_PA))],
      hypervisor: [measurement],
      tee: [sha256(tees[0]!.image)],
      maxViolations: 0,
      minPackageVersion: Number(version),
      verifiedBoot: true,
    };
  }

  /** An option that is given again counts. */
  function verify(file: string, guest: string, ...options: string[]) {
    const identity = Buffer.from(guestIdentity(guest)).toString("hex");
    const words = { nonce: NONCE, "device-key": "device.pem", policy: "policy.json", guest: identity };
    const usual = Object.entries(words).flatMap(([option, value]) => {
      return options.includes(`--${option}`) ? [] : [`--${option}`, value];
    });
    return vtz("verify", file, ...usual, ...options);
  }

  function vtz(...words: string[]) {
    return execa(join(projectFolder, "vtz"), words, { reject: false, cwd: folder, timeout: 3 * MINUTE });
  }
});

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
