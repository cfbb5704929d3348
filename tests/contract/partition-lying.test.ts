// A compartment of devices is not believed: whatever it says, its guest gets nothing that is not its own.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as abi from "../../abi/devices-compartment.ts";
import { TEE_TZC400_IPA } from "../../abi/memory-map.ts";
import {
  aPartitionLabWith,
  assertIsShared,
  assertIsTees,
  MIB2,
  type PartitionLab,
  RAM_IPA,
} from "../drivers/partition.ts";
import { assertUnchanged, PAGE, put, stage2Block } from "../drivers/tables.ts";

const LYING = "sel0/fixture/lying-devices/main.ts";
/** What it traps with. */
const TRAPS = 99;

suite("a compartment of devices that lies", () => {
  const SECURE_ACTION = abi.DEVICES_ACTION_SECURE;
  const RELEASE = abi.DEVICES_ACTION_RELEASE;
  const LIES: Record<string, [action: number, ipa: number, size: number]> = {
    "an odd address": [SECURE_ACTION, RAM_IPA + PAGE, MIB2],
    "an odd size": [SECURE_ACTION, RAM_IPA, MIB2 + PAGE],
    "no size": [SECURE_ACTION, RAM_IPA, 0],
    "too much": [SECURE_ACTION, RAM_IPA + 3 * MIB2, abi.PARTITION_SIZE_MAX + MIB2],
    "RAM of the TEE": [SECURE_ACTION, 0x0e000000, MIB2],
    "the end of the address space": [SECURE_ACTION, 2 ** 64 - MIB2, 2 * MIB2],
    "what was never taken, to be returned": [RELEASE, RAM_IPA, MIB2],
    "more than was taken, to be returned": [RELEASE, RAM_IPA + 2 * MIB2, 2 * MIB2],
    "what is taken already": [SECURE_ACTION, RAM_IPA + 2 * MIB2, MIB2],
    "an action that there is not": [77, RAM_IPA, MIB2],
  };

  for (const [name, [action, ipa, size]] of Object.entries(LIES)) {
    test(`${name}: it gets nothing`, async () => {
      const it = await aPartitionLabWith(LYING);
      names(it, RAM_IPA + 2 * MIB2, MIB2);
      asks(it, SECURE_ACTION);
      assertIsTees(it, RAM_IPA + 2 * MIB2, it.vm.ramPa + 2 * MIB2);

      names(it, ipa, size);
      assertUnchanged(it.lab, () => asks(it, action));

      assertIsTees(it, RAM_IPA + 2 * MIB2, it.vm.ramPa + 2 * MIB2);
      assertIsShared(it, RAM_IPA, it.vm.ramPa);
      it.assertValid();
    });
  }
});

test("a compartment of devices that traps in the middle leaves no state behind", async () => {
  const it = await aPartitionLabWith(LYING);
  names(it, RAM_IPA, MIB2);
  assertUnchanged(it.lab, () => asks(it, TRAPS));
  assert(it.lab.eventKinds.includes("compartment-faulted"));
});

test("a compartment of devices that lies gets nothing also where the normal world has something else by now", async () => {
  const it = await aPartitionLabWith(LYING);
  names(it, RAM_IPA, MIB2);
  asks(it, abi.DEVICES_ACTION_SECURE);
  assert.equal(put(it.lab, it.vm.tables.entryPa(RAM_IPA, 2), stage2Block(0x70000000), 1), "done");

  assertUnchanged(it.lab, () => asks(it, abi.DEVICES_ACTION_SECURE));

  assert.equal(it.teePa(RAM_IPA), it.vm.ramPa);
  it.assertValid();
});

// The lying compartment's registers.

function names({ lab }: PartitionLab, ipa: number, size: number): void {
  const words = new Uint32Array(new BigUint64Array([BigInt(ipa), BigInt(size)]).buffer);
  for (const [index, value] of words.entries())
    lab.tee().store(BigInt(TEE_TZC400_IPA + index * 4), BigInt(value));
}

function asks({ lab }: PartitionLab, action: number): void {
  lab.tee().store(BigInt(TEE_TZC400_IPA + 16), BigInt(action));
}
