// Debian's OP-TEE with its guest's own hardware unique key: it keeps secure storage with it, and what one guest has
// stored is nothing to another guest, but to itself when it comes again.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { TEE_NAMES } from "../../host/debian/package-sets.ts";
import { Machine } from "../../host/machine/machine.ts";
import { timeScale } from "./rows.ts";

const { VTZ_FULL } = process.env;
const MINUTE = 60_000 * timeScale;
/**
 * Files of secure storage: its directory of objects and what that names, encrypted and authenticated by keys of the hardware unique key. The
 * directory without the others is refused whoever has made it, so all are moved.
 */
const STORAGE = "/var/lib/optee-client/data/tee";
const XTEST = "xtest -t regression 6003";

for (const tee of TEE_NAMES) {
  const skip = tee !== "optee-4.5" && VTZ_FULL !== "1" ? "takes long: vtz test --full" : false;
  const name = `test-key-${process.pid}-${tee}`;

  describe(`the secure storage of ${tee}`, { timeout: 15 * MINUTE, skip }, () => {
    let machine: Machine;
    let folder: string;
    let files: string[];
    const create = async (guest: string) => {
      await machine.createGuest({ name: guest, vcpuCount: 1, memoryMib: 320 });
      await machine.waitForGuest(guest);
    };
    const keep = async (guest: string) => {
      files = (await machine.run(guest, `ls ${STORAGE}`)).trim().split("\n");
      for (const file of files) await machine.pull(guest, `${STORAGE}/${file}`, join(folder, file));
    };
    const put = async (guest: string) => {
      await machine.run(guest, `rm -f ${STORAGE}/*`);
      for (const file of files) await machine.push(guest, join(folder, file), `${STORAGE}/${file}`, 0o600);
    };
    const xtest = (guest: string) => machine.run(guest, XTEST, 4 * MINUTE);

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "vtz-key-"));
      machine = await Machine.start({ name, tee, lifetime: "attached" });
      await create("one");
      await create("other");
    });

    after(async () => {
      await machine?.close();
      await Machine.remove(name);
      await rm(folder, { recursive: true, force: true });
    });

    test("works with keys that the monitor gave", async () => {
      assert.match(await xtest("one"), /16 subtests of which 0 failed/);

      const { guests, events } = (await machine.status())!;
      assert(guests.every(({ keyReads }) => keyReads > 0));
      assert.equal(events.filter(({ kind }) => kind === "key-site-adapted").length, guests.length);
      await keep("one");
      assert(files.includes("dirf.db") && files.length > 1, files.join(" "));
    });

    test("of one guest is refused by the TEE of another", async () => {
      await put("other");

      assert.match(await xtest("other"), /init_storage_info\(\) failed/);
      await machine.run("other", `rm ${STORAGE}/*`);
      assert.match(await xtest("other"), /16 subtests of which 0 failed/);
    });

    test("is a guest's own when it is created again", async () => {
      await machine.destroyGuest("one");
      await create("one");
      await put("one");

      assert.match(await xtest("one"), /16 subtests of which 0 failed/);
    });
  });
}
