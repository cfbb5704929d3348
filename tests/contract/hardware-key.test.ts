// The hardware unique key: how it gets into the TEE of its guest, and nowhere else. What it is derived from is another test's.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TEE_RAM_IPA, TEE_RAM_SIZE } from "../../abi/memory-map.ts";
import { TEE_HARDWARE_UNIQUE_KEY_FID } from "../../abi/tee.ts";
import { encode } from "../../arm/instructions.ts";
import { assertTrapped, NOT_SUPPORTED } from "../drivers/asserts.ts";
import { changesBy, onlyRegisters } from "../drivers/changes.ts";
import { EC_SMC64, esrOf, smc } from "../drivers/exceptions.ts";
import { brokenInvariants, placesWith } from "../drivers/invariants.ts";
import { aKeySite, aLab, anImage, FAST_CALL, KEY_SITE_OFFSET, type Lab } from "../drivers/lab.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { structure } from "../machine/source-words.ts";

const IMAGE_IPA = 0x0e100000;
const TIMER_SITES = 3;
const PAGE_SIZE = 0x1000;
const bytesOf = (half: bigint) => Buffer.from(BigUint64Array.of(half).buffer);
type Key = readonly [bigint, bigint];

const asks = (lab: Lab, core = 0) => lab.guestCalls(core, TEE_HARDWARE_UNIQUE_KEY_FID);
const keyOf = (lab: Lab, slot = 0): Key => {
  const state = new MonitorState(lab.machine);
  return [state.guest(slot, "keyLow"), state.guest(slot, "keyHigh")];
};
const receivedKey = (lab: Lab, core = 0): Key => [lab.core(core).x[1]!, lab.core(core).x[2]!];

function imageOf(lab: Lab, slot = 0): Uint32Array {
  const pa = lab.machine.poolTeePa + slot * TEE_RAM_SIZE + IMAGE_IPA - TEE_RAM_IPA;
  return new Uint32Array(lab.machine.memory.bytes(pa, anImage().length).buffer);
}

/** Indices of words that are not the image's. */
function changedWords(lab: Lab): number[] {
  const [was, is] = [new Uint32Array(anImage().buffer), imageOf(lab)];
  return [...was.keys()].filter((index) => was[index] !== is[index]);
}

/** A guest whose TEE is in a call. */
async function inCall(): Promise<Lab> {
  const lab = await aLab({ keySite: aKeySite() });
  lab.aGuest();
  lab.guestCalls(0, FAST_CALL);
  return lab;
}

suite("the function at the site", () => {
  test("asks the monitor, stores what it gets and returns; every other word is the image's", async () => {
    const lab = await aLab({ keySite: aKeySite() });
    lab.aGuest();

    const first = KEY_SITE_OFFSET / 4;
    assert.deepEqual(
      [...imageOf(lab).subarray(first, first + 7)],
      [
        encode("BTI_C", {}),
        encode("MOV_X", { RD: 3, RM: 0 }),
        encode("MOVZ_W", { RD: 0, IMM16: TEE_HARDWARE_UNIQUE_KEY_FID & 0xffff, HW: 0 }),
        encode("MOVK_W", { RD: 0, IMM16: TEE_HARDWARE_UNIQUE_KEY_FID >>> 16, HW: 1 }),
        encode("SMC", { IMM16: 0 }),
        encode("STP_X", { RT: 1, RT2: 2, RN: 3, IMM7: 0 }),
        encode("RET", { RN: 30 }),
      ],
    );
    assert.equal(changedWords(lab).length, TIMER_SITES + 7);
  });

  test("is listed as an event, by address and first instruction", async () => {
    const site = aKeySite();
    const lab = await aLab({ keySite: site });
    lab.aGuest();

    const events = lab.status.events.filter(({ kind }) => kind === "key-site-adapted");
    assert.deepEqual(
      events.map((event) => event.arguments.map(Number)),
      [[IMAGE_IPA + site.offset, site.words[0]]],
    );
  });

  test("stays as it is in an image of which no site is known", async () => {
    const lab = await aLab();
    lab.aGuest();

    assert.equal(changedWords(lab).length, TIMER_SITES);
    assert(!lab.eventKinds.includes("key-site-adapted"));
  });
});

suite("a TEE that asks for its key", () => {
  test("gets it in x1 and x2; only its registers and the count of reads change", async () => {
    const lab = await inCall();
    lab.core(0).x[0] = BigInt(TEE_HARDWARE_UNIQUE_KEY_FID);
    lab.core(0).x[3] = 0x4000_0000n; // the buffer's address: nothing to the monitor

    const { physical, registers } = changesBy(lab, () => smc(lab.machine, lab.core(0)));

    assert.equal(lab.core(0).x[0], 0n);
    assert.deepEqual(receivedKey(lab), keyOf(lab));
    assert.deepEqual(new Set(registers), new Set(["0.X0", "0.X1", "0.X2", "0.PC"]));
    assert.equal(physical.length, 1, "the row of the status page");
    assert.equal(lab.status.guests[0]?.keyReads, 1);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("gets it at its boot as well, and again", async () => {
    const lab = await aLab({ keySite: aKeySite() });
    lab.runVcpu(lab.aVm().vcpus[0]!);

    asks(lab);
    assert.deepEqual(receivedKey(lab), keyOf(lab));
    asks(lab);
    assert.deepEqual(receivedKey(lab), keyOf(lab));
    assert.equal(lab.status.guests[0]?.keyReads, 2);
  });

  test("gets its own guest's, whichever core it runs on", async () => {
    const lab = await aLab();
    lab.aGuest({ core: 0 });
    lab.aGuest({ core: 1 });
    lab.guestCalls(0, FAST_CALL);
    lab.guestCalls(1, FAST_CALL);

    asks(lab, 1);
    asks(lab, 0);

    assert.deepEqual(receivedKey(lab, 0), keyOf(lab, 0));
    assert.deepEqual(receivedKey(lab, 1), keyOf(lab, 1));
    assert.notDeepEqual(keyOf(lab, 0), keyOf(lab, 1));
  });
});

test("a TEE whose guest has no key is answered NOT_SUPPORTED, and nothing but x0 changes", async () => {
  const lab = await inCall();
  const hasKey = new MonitorState(lab.machine).guestPtr(0) + structure("Guest").get("hasKey")!.offset;
  lab.machine.linear.setUint32(hasKey, 0, true);
  lab.core(0).x[0] = BigInt(TEE_HARDWARE_UNIQUE_KEY_FID);

  const changes = changesBy(lab, () => smc(lab.machine, lab.core(0)));

  assert.equal(lab.core(0).x[0], NOT_SUPPORTED);
  assert.deepEqual(changes, onlyRegisters("0.X0", "0.PC"));
});

suite("the key", () => {
  test("is in no register of the normal world and in no memory when the TEE has left", async () => {
    const lab = await inCall();
    const key = keyOf(lab);
    asks(lab);

    lab.tee().callDone(0n, 0n, 0n, 0n);

    assert.deepEqual(
      placesWith(lab, (value) => key.includes(value)),
      [],
    );
    const inMemory = [...lab.machine.memory.pagesOutside(0, 0)].filter(([, { buffer, byteOffset }]) =>
      key.some((half) => Buffer.from(buffer, byteOffset, PAGE_SIZE).includes(bytesOf(half))),
    );
    assert.deepEqual(
      inMemory.map(([pa]) => pa.toString(16)),
      [],
      "pool, status page and compartments included",
    );
  });

  test("is gone with its guest, and the next of the slot has another", async () => {
    const lab = await aLab();
    const vm = lab.aGuest();
    const key = keyOf(lab);
    lab.hypervisor.interrupt(lab.core(0));

    lab.hypervisor.destroy(lab.core(0), vm);

    assert.deepEqual(keyOf(lab), [0n, 0n]);
    lab.aGuest();
    assert.notDeepEqual(keyOf(lab), key);
    assert.notDeepEqual(keyOf(lab), [0n, 0n]);
  });

  test("is not what a normal world gets: its call is the hypervisor's", async () => {
    const lab = await aLab();
    lab.aGuest();
    const at = lab.core(0).pc;

    asks(lab);

    assertTrapped(lab, at, esrOf(EC_SMC64));
  });
});
