// Another TEE kernel by data alone: a profile from a file, entered behind its own SMC, with the virtual timer for its own.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildResumeTee } from "../../bench/programs.ts";
import { logPlace } from "../../host/machine/logs.ts";
import { Machine } from "../../host/machine/machine.ts";
import { timeScale } from "./rows.ts";

const LOAD_IPA = 0x0e100000;
/** Of el1/probe/resume-tee.S: timer interrupts in one call. */
const ROUNDS = 40;
const PROFILE = {
  name: "resume-tee",
  load: LOAD_IPA,
  kind: "resume",
  cores: 1,
  timer: "cntv",
  foreignInterrupts: 40,
  wfi: "leaves",
};

test("a resume TEE with a timer of its own serves a call while its normal world's timer goes on", {
  timeout: 180_000 * timeScale,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "vtz-resume-"));
  const machineName = `test-resume-${process.pid}`;
  try {
    const teeProfile = join(folder, "profile.json");
    await writeFile(teeProfile, JSON.stringify(PROFILE));
    const machine = await Machine.start({
      name: machineName,
      tee: "optee-4.5",
      lifetime: "attached",
      teeImage: await buildResumeTee(LOAD_IPA),
      teeProfile,
      bootTimeoutMs: 120_000 * timeScale,
    });
    await machine.createGuest({ name: "guest", vcpuCount: 2, memoryMib: 256 });
    await machine.waitForGuest("guest", 120_000 * timeScale);

    // Linux's optee driver has asked for the TEE's UID, which took the TEE 40 periods of 5 ms.
    assert.match(await machine.run("guest", "dmesg | grep optee"), /api uid mismatch/);
    const said = await readFile((await logPlace(machineName, "tee")).path, "utf8");
    assert.match(said, new RegExp(`^\\[tee 1\\] timer 00${ROUNDS.toString(16)} foreign `, "m"));
    const [tee] = (await machine.status())!.guests;
    assert.equal(tee?.state, "ready");
    assert.equal(tee?.timerInterrupts, ROUNDS);
    assert((tee?.foreignInterrupts ?? 0) > 0);
    const timers = await machine.run("guest", "grep -c arch_timer /proc/interrupts && sleep 1 && echo slept");
    assert.match(timers, /slept/);
    await machine.close();
  } finally {
    await Machine.remove(machineName);
    await rm(folder, { recursive: true, force: true });
  }
});
