// A TEE takes memory from a running Linux under Xen, returns it, and has it when its VM is destroyed (el1/probe/partition-tee.S).

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildTee } from "../../bench/programs.ts";
import { logPlace } from "../../host/machine/logs.ts";
import { Machine } from "../../host/machine/machine.ts";
import { timeScale } from "./rows.ts";

const LOAD_IPA = 0x0e100000;
const PROFILE = {
  name: "partition-tee",
  load: LOAD_IPA,
  kind: "resume",
  cores: 1,
  timer: "cntv",
  foreignInterrupts: "none",
  wfi: "leaves",
};
/** Of the TEE; Linux keeps out of it by `mem=`. */
const REGION = "0x4e000000";
const LINUX_MEMORY = "mem=192M";
const SPEC = { vcpuCount: 1, memoryMib: 256, extra: LINUX_MEMORY };
/** Linux's driver asks for the TEE's UID, finds another one and lets go: a call. */
const CALL =
  "cd /sys/bus/platform; for device in $(ls devices | grep ':optee$'); do echo $device > drivers/optee/bind || true; done";

test("memory that a TEE has taken is out of its Linux's reach, comes back zeroed, and Xen ends the VM as any other", {
  timeout: 300_000 * timeScale,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "vtz-partition-"));
  const machineName = `test-partition-${process.pid}`;
  const lines = async () => (await readFile((await logPlace(machineName, "tee")).path, "utf8")).split("\n");
  try {
    const teeProfile = join(folder, "profile.json");
    await writeFile(teeProfile, JSON.stringify(PROFILE));
    const machine = await Machine.start({
      name: machineName,
      tee: "optee-4.5",
      lifetime: "attached",
      teeImage: await buildTee("partition-tee", LOAD_IPA),
      teeProfile,
      bootTimeoutMs: 120_000 * timeScale,
    });
    await machine.createGuest({ name: "guest", ...SPEC });
    await machine.waitForGuest("guest", 120_000 * timeScale);
    const peek = () => machine.run("guest", `devmem ${REGION} 32 2>&1 || echo refused`);

    assert.match((await lines()).join("\n"), /\[tee 1\] takes c000 0000/);
    assert.match(await peek(), /refused/);

    await machine.run("guest", CALL);
    assert.match((await lines()).join("\n"), /\[tee 1\] returns 0000 0000/);
    assert.equal((await peek()).trim(), "0x00000000");

    await machine.run("guest", `devmem ${REGION} 32 0x1234abcd`);
    await machine.run("guest", CALL);
    assert.match((await lines()).join("\n"), /\[tee 1\] takes c000 0000 1234 abcd/);
    assert.match(await peek(), /refused/);

    await machine.destroyGuest("guest");
    await machine.createGuest({ name: "next", ...SPEC });
    await machine.waitForGuest("next", 120_000 * timeScale);
    assert.match((await lines()).join("\n"), /\[tee 2\] takes c000 0000/);
    const status = (await machine.status())!;
    assert.equal(status.protection.violations, 0);
    assert.equal(status.guestsDestroyed, 1);
    await machine.close();
  } finally {
    await Machine.remove(machineName);
    await rm(folder, { recursive: true, force: true });
  }
});
