// TEEs that fail: only that guest's TEE stops, and the user learns why.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { prepareImages } from "../../host/images/prepare-images.ts";
import { Machine } from "../../host/machine/machine.ts";

const WFI = 0xd503207f;
// As OP-TEE's own panic does: a WFI with an interrupt pending goes on at once.
const BRANCH_BACK = 0x17ffffff;
const NOP = 0xd503201f;

interface FaultRow {
  readonly name: string;
  readonly damage: (image: DataView) => void;
  readonly reason: RegExp;
  /** Whether the guest's tree has its node: it has, once the TEE is started. */
  readonly isShown: boolean;
}

const ROWS: readonly FaultRow[] = [
  {
    name: "a TEE that panics at its first instruction",
    damage: (image) => {
      image.setUint32(0, WFI, true);
      image.setUint32(4, BRANCH_BACK, true);
    },
    reason: /its TEE has stopped: it has panicked/,
    isShown: true,
  },
  {
    name: "a TEE whose image lacks a secure-timer instruction",
    damage: (image) => image.setUint32(findTimerSite(image), NOP, true),
    reason: /its TEE has stopped: its image holds 2 secure-timer instructions/,
    isShown: false, // it never ran
  },
];

for (const { name, damage, reason, isShown } of ROWS) {
  test(`${name} is named, and its guest runs on without it`, { timeout: 180_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "vtz-tee-"));
    const machineName = `test-tee-${process.pid}`;
    try {
      const { teeImage } = await prepareImages({ tee: "optee-4.5" });
      const bytes = await readFile(teeImage);
      damage(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      const damaged = join(folder, "tee.bin");
      await writeFile(damaged, bytes);

      const machine = await Machine.start({
        name: machineName,
        tee: "optee-4.5",
        lifetime: "attached",
        teeImage: damaged,
      });
      await machine.createGuest({ name: "victim", vcpuCount: 1, memoryMib: 256 });
      await machine.waitForGuest("victim");

      assert.match((await machine.explainTee("victim")) ?? "(well)", reason);
      const log = await machine.run("victim", "dmesg");
      assert.equal(/optee.*api uid mismatch/.test(log), isShown);
      assert.equal(/optee: probing/.test(log), isShown);
      const used = (await machine.status())!;
      await machine.destroyGuest("victim");
      const freed = (await machine.status())!;
      assert.ok(freed.poolFree > used.poolFree || used.poolFree === used.poolTotal);
      assert.equal(freed.poolFree, freed.poolTotal);
      await machine.close();
    } finally {
      await Machine.remove(machineName);
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** msr CNTPS_CTL_EL1, xN: one of the three of Debian's OP-TEE. */
function findTimerSite(image: DataView): number {
  for (let offset = 0; offset < image.byteLength; offset += 4) {
    if ((image.getUint32(offset, true) & ~0x1f) >>> 0 === 0xd51fe220) return offset;
  }
  throw new Error("the image has no secure-timer instruction");
}
