// What the hardware unique key of a guest is derived from: the device's secret, the guest's identity, its TEE. How it gets
// into the TEE: hardware-key.test.ts.

import assert from "node:assert/strict";
import { createHash, hkdfSync } from "node:crypto";
import { suite, test } from "node:test";
import { ATTEST_GUEST_KEY_INFO } from "../../abi/attest-compartment.ts";
import { COMPARTMENT_ATTEST, COMPARTMENT_GUEST_BOOT, COMPARTMENT_RANDOM } from "../../abi/compartments.ts";
import { DEVICE_SECRET } from "../../abi/device.ts";
import { DEVICE_PAGE_PA } from "../../abi/memory-map.ts";
import { TEE_HARDWARE_UNIQUE_KEY_FID } from "../../abi/tee.ts";
import { explainFault } from "../../host/machine/faults.ts";
import { aKeySite, aLab, anImage, type Lab } from "../drivers/lab.ts";
import { aNamedGuest, aNamedVm, anIdentity } from "../drivers/named-guests.ts";
import { DEVICE } from "../machine/machine.ts";
import { MonitorState } from "../machine/monitor-state.ts";

const PAGE_SIZE = 0x1000;

/** As a TEE at its boot or in a call gets it. */
function keyOf(lab: Lab, slot = 0): string {
  const state = new MonitorState(lab.machine);
  assert.equal(state.guest(slot, "hasKey"), 1n);
  const words = BigUint64Array.of(state.guest(slot, "keyLow"), state.guest(slot, "keyHigh"));
  return Buffer.from(words.buffer).toString("hex");
}

const identityOf = (lab: Lab, slot: number) => new MonitorState(lab.machine).identity(slot);

function derived(identity: Uint8Array, image = anImage()): string {
  const tee = createHash("sha256").update(image).digest();
  const info = Buffer.concat([Buffer.from(ATTEST_GUEST_KEY_INFO), identity, tee]);
  return Buffer.from(hkdfSync("sha256", DEVICE.secret, DEVICE.identity, info, 16)).toString("hex");
}

function end(lab: Lab, vm: Parameters<Lab["hypervisor"]["destroy"]>[1]): void {
  lab.hypervisor.interrupt(lab.core(0));
  lab.hypervisor.destroy(lab.core(0), vm);
}

suite("a guest's key", () => {
  test("is what HKDF makes of the device's secret, the guest's identity and the image as it was signed", async () => {
    const lab = await aLab({ keySite: aKeySite() });

    aNamedGuest(lab, anIdentity(1));

    assert.equal(keyOf(lab), derived(anIdentity(1)));
  });

  test("is another guest's only if that has the same identity", async () => {
    const lab = await aLab();

    aNamedGuest(lab, anIdentity(1), 0);
    aNamedGuest(lab, anIdentity(2), 1);

    assert.equal(keyOf(lab, 0), derived(anIdentity(1)));
    assert.equal(keyOf(lab, 1), derived(anIdentity(2)));
  });

  test("is the same when the guest comes again, in whichever slot", async () => {
    const lab = await aLab();
    const first = aNamedGuest(lab, anIdentity(1), 0);
    const key = keyOf(lab, 0);
    end(lab, first);
    aNamedGuest(lab, anIdentity(2), 0);

    aNamedGuest(lab, anIdentity(1), 1);

    assert.notEqual(keyOf(lab, 0), key);
    assert.equal(keyOf(lab, 1), key);
  });

  test("is another one with another TEE image", async () => {
    const image = anImage();
    image[0] = image[0]! ^ 1;
    const lab = await aLab({ image });

    aNamedGuest(lab, anIdentity(1));

    assert.equal(keyOf(lab), derived(anIdentity(1), image));
    assert.notEqual(keyOf(lab), derived(anIdentity(1)));
  });

  test("of a guest that nobody has named is nobody else's: it gets a random identity of its own", async () => {
    const lab = await aLab();
    const first = lab.aGuest({ core: 0 });
    lab.aGuest({ core: 1 });
    const identities = [identityOf(lab, 0), identityOf(lab, 1)];
    const keys = [keyOf(lab, 0), keyOf(lab, 1)];
    end(lab, first);

    lab.aGuest({ core: 0 });

    identities.push(identityOf(lab, 0));
    keys.push(keyOf(lab, 0));
    assert.deepEqual(
      keys,
      identities.map((identity) => derived(identity)),
    );
    const random = identities.map((bytes) => new BigUint64Array(bytes.buffer).subarray(0, 2));
    assert.equal(new Set(random.flatMap((words) => [...words])).size, 6);
  });

  test("is there when the TEE boots", async () => {
    const lab = await aLab();
    lab.runVcpu(aNamedVm(lab, anIdentity(1)).vcpus[0]!);

    lab.guestCalls(0, TEE_HARDWARE_UNIQUE_KEY_FID);

    const words = BigUint64Array.of(lab.core(0).x[1]!, lab.core(0).x[2]!);
    assert.equal(Buffer.from(words.buffer).toString("hex"), derived(anIdentity(1)));
  });

  test("has its way into the image in memory, not only in the caches: the TEE begins with its own off", async () => {
    const lab = await aLab({ keySite: aKeySite() });

    lab.runVcpu(aNamedVm(lab, anIdentity(1)).vcpus[0]!);

    const first = lab.machine.poolTeePa / PAGE_SIZE;
    const dirty = [...lab.machine.memory.uncleaned.keys()].filter((page) => page >= first);
    assert.deepEqual(dirty, []);
  });
});

suite("a TEE runs only with its guest's key: it is stopped before its first instruction, and the guest starts", () => {
  const CASES: [string, (lab: Lab) => void, boolean][] = [
    ["if the compartment that derives fails", (lab) => fails(lab, COMPARTMENT_ATTEST), true],
    [
      "if there are no random numbers for a guest without a name",
      (lab) => fails(lab, COMPARTMENT_RANDOM),
      false,
    ],
    [
      "if the device has no secret",
      ({ machine }) => machine.memory.load(DEVICE_PAGE_PA + DEVICE_SECRET, new Uint8Array(32)),
      true,
    ],
  ];
  for (const [name, prepare, isNamed] of CASES)
    test(name, async () => {
      const lab = await aLab({ keySite: aKeySite() });
      const vm = isNamed ? aNamedVm(lab, anIdentity(1)) : lab.aVm();
      prepare(lab);

      lab.runVcpu(vm.vcpus[0]!);

      const [guest] = lab.status.guests;
      assert.equal(guest?.state, "faulted");
      assert.match(explainFault(lab.status, guest?.id) ?? "", /no key could be derived/);
      assert.deepEqual([guest?.switches, guest?.keyReads], [0, 0]);
      assert(lab.fetch(lab.core(0)));
      assert.equal(lab.core(0).pc, 0x40000000n);
    });

  test("a guest whose tree could not be looked at gets a key that is fresh", async () => {
    const lab = await aLab();
    const vm = aNamedVm(lab, anIdentity(1));
    fails(lab, COMPARTMENT_GUEST_BOOT);

    lab.runVcpu(vm.vcpus[0]!);

    assert.equal(keyOf(lab), derived(identityOf(lab, 0)));
    assert.notEqual(keyOf(lab), derived(anIdentity(1)));
  });

  function fails({ machine }: Lab, compartment: number): void {
    machine.forcedEnd = "abort";
    machine.forcedCompartment = compartment;
  }
});
