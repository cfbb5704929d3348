// The hardware unique key: what a TEE gets of it on a machine that has no secret to derive one from.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TEE_RAM_IPA } from "../../abi/memory-map.ts";
import { TEE_HARDWARE_UNIQUE_KEY_FID } from "../../abi/tee.ts";
import { assertTrapped, NOT_SUPPORTED } from "../drivers/asserts.ts";
import { changesBy, onlyRegisters } from "../drivers/changes.ts";
import { EC_SMC64, esrOf, smc } from "../drivers/exceptions.ts";
import { aKeySite, aLab, anImage, FAST_CALL, type Lab } from "../drivers/lab.ts";

const IMAGE_IPA = 0x0e100000;
const SITES = 3;
const asks = (lab: Lab, core = 0) => lab.guestCalls(core, TEE_HARDWARE_UNIQUE_KEY_FID);

function imageOf(lab: Lab): Uint8Array {
  const pa = lab.machine.poolTeePa + IMAGE_IPA - TEE_RAM_IPA;
  return lab.machine.memory.bytes(pa, anImage().length);
}

function changedWords(lab: Lab): number[] {
  const [was, is] = [new Uint32Array(anImage().buffer), new Uint32Array(imageOf(lab).buffer)];
  return [...was.keys()].filter((index) => was[index] !== is[index]);
}

suite("without a secret of the device", () => {
  test("an image with a site stays as it is, but for its timer", async () => {
    const lab = await aLab({ keySite: aKeySite() });
    lab.aGuest();

    assert.equal(changedWords(lab).length, SITES);
    assert(!lab.eventKinds.includes("key-site-adapted"));
    assert.equal(lab.status.guests[0]?.keyReads, 0);
  });

  test("the call of a TEE is answered NOT_SUPPORTED, and nothing but x0 changes", async () => {
    const lab = await aLab({ keySite: aKeySite() });
    lab.aGuest();
    lab.guestCalls(0, FAST_CALL);
    lab.core(0).x[0] = BigInt(TEE_HARDWARE_UNIQUE_KEY_FID);

    const changes = changesBy(lab, () => smc(lab.machine, lab.core(0)));

    assert.equal(lab.core(0).x[0], NOT_SUPPORTED);
    assert.deepEqual(changes, onlyRegisters("0.X0", "0.PC"));
  });
});

test("the same call from a normal world is the hypervisor's", async () => {
  const lab = await aLab();
  lab.aGuest();
  const at = lab.core(0).pc;

  asks(lab);

  assertTrapped(lab, at, esrOf(EC_SMC64));
});
