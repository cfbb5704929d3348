import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { UserError } from "../../host/errors.ts";
import { DOM0, Machine } from "../../host/machine/machine.ts";
import { probeTee } from "../../host/machine/trial.ts";
import { timeScale } from "./rows.ts";

const { VTZ_FULL } = process.env;
const CYCLE_COUNT = VTZ_FULL === "1" ? 50 : 4;
const MINUTE = 60_000 * timeScale;
const name = `test-lifecycle-${process.pid}`;

describe("a machine and its guests", { timeout: (VTZ_FULL === "1" ? 60 : 10) * MINUTE }, () => {
  let machine: Machine;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "vtz-boot-"));
    machine = await Machine.start({ name, tee: "optee-4.5", lifetime: "attached" });
  });

  after(async () => {
    await machine?.close();
    await Machine.remove(name);
    await rm(folder, { recursive: true, force: true });
  });

  test("guests come and go, each with a TEE of its own, and the pool is what it was", async () => {
    const atStart = (await machine.status())!;
    for (let cycle = 0; cycle < CYCLE_COUNT; cycle++) {
      const guest = await machine.createGuest({
        name: `cycle${cycle}`,
        vcpuCount: (cycle % 2) + 1,
        memoryMib: 256,
      });
      await machine.waitForGuest(guest.name);
      await probeTee(machine, guest.name);
      await machine.run(guest.name, "xtest regression_1002");
      const during = (await machine.status())!;
      assert.equal(during.poolFree, atStart.poolFree - 16 * 2 ** 20);
      assert.equal(guest.teeId, atStart.guestsCreated + cycle + 1);
      await machine.destroyGuest(guest.name);
    }
    const atEnd = (await machine.status())!;

    assert.equal(atEnd.poolFree, atStart.poolFree);
    assert.equal(atEnd.guestsDestroyed - atStart.guestsDestroyed, CYCLE_COUNT);
    assert.deepEqual(atEnd.guests, []);
  });

  test("commands, their output and exit code, and files go both ways", async () => {
    await machine.createGuest({ name: "box", vcpuCount: 1, memoryMib: 256 });
    await machine.waitForGuest("box");
    const local = join(folder, "random.bin");
    await writeFile(local, randomBytes(300_000));

    await machine.push("box", local, "/tmp/deep/random.bin");
    await machine.pull("box", "/tmp/deep/random.bin", join(folder, "back.bin"));

    assert.deepEqual(await readFile(join(folder, "back.bin")), await readFile(local));
    assert.equal((await machine.exec("box", "exit 42")).code, 42);
    assert.equal(await machine.run("box", "printf 'a\\0b'"), "a\0b");
    assert.match(await machine.run(DOM0, "xl list"), /^box /m);
    await machine.destroyGuest("box");
  });

  test("a second machine of the same name, and a guest of a name in use, are refused", async () => {
    const again = Machine.start({ name, tee: "optee-4.5", lifetime: "attached" });

    await assert.rejects(again, (error: UserError) => error.code === "machine-runs");
    await assert.rejects(machine.createGuest({ name: DOM0, vcpuCount: 1, memoryMib: 256 }), UserError);
  });

  test("a guest that memory does not suffice for is refused, and nothing of it stays", async () => {
    const creation = machine.createGuest({ name: "giant", vcpuCount: 1, memoryMib: 8192 });

    await assert.rejects(creation, (error: UserError) => error.code === "no-memory");
    assert.deepEqual(machine.guests, []);
    assert.doesNotMatch(await machine.run(DOM0, "xl list"), /giant/);
  });
});
