// A peripheral that a TEE takes through its virtual TZPC is its alone until it returns it or its guest ends.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TEE_TZPC_IPA } from "../../abi/memory-map.ts";
import { tzpcRegisters } from "../../arm/tzpc.ts";
import { aLab, FAST_CALL, type Lab } from "../drivers/lab.ts";
import { PartitionLab } from "../drivers/partition.ts";
import { put, stage2Block, stage2Page } from "../drivers/tables.ts";
import { directMapVa, stage1Leaf } from "../drivers/xen-memory.ts";

const GPIO = 0x09030000;
const RTC = 0x09010000;
const FAR = 0x10000000;
const PAGE = 0x1000;

const register = (name: string, index = 0) =>
  BigInt(TEE_TZPC_IPA + tzpcRegisters.find((each) => each.name === `TZPC_${name}`)!.offset! + index * 12);

class PeripheralLab extends PartitionLab {
  take(bits: number, index = 0): void {
    this.lab.tee().store(register("DECPROT0_CLR", index), BigInt(bits));
  }

  give(bits: number, index = 0): void {
    this.lab.tee().store(register("DECPROT0_SET", index), BigInt(bits));
  }

  status(index = 0): number {
    return Number(this.lab.tee().load(register("DECPROT0_STAT", index)));
  }

  /** The entry by which the normal world has the page. */
  entryPa(ipa: number): number {
    return this.vm.tables.entryPa(ipa, 3);
  }
}

/** A guest with these pages of devices, by IPA, at the same PA; its TEE runs in a call. */
async function aGuestWith(devices: readonly number[], lab?: Lab): Promise<PeripheralLab> {
  const where = lab ?? (await aLab({ cores: 3 }));
  const vm = where.aVm({ ramMib: 4 });
  for (const pa of devices) vm.tables.mapPage(pa, pa);
  where.runVcpu(vm.vcpus[0]!, 0);
  where.tee(0).entryDone();
  where.fetch(where.core(0));
  where.guestCalls(0, FAST_CALL);
  return new PeripheralLab(where, vm);
}

suite("a peripheral of the guest", () => {
  test("is the normal world's, and none of the TEE's, until that takes it", async () => {
    const it = await aGuestWith([GPIO, RTC]);
    assert.equal(it.status(), 0xff);
    assert.equal(it.normalPa(GPIO), GPIO);
    assert.equal(it.teePa(GPIO), undefined);
  });

  test("is the TEE's alone then, at its address, and comes back", async () => {
    const it = await aGuestWith([GPIO, RTC]);
    it.normalPa(GPIO);
    it.normalPa(RTC);

    it.take(0b10); // the second one by its address

    assert.equal(it.status(), 0xfd);
    assert.equal(it.normalPa(GPIO), undefined);
    assert.equal(it.teePa(GPIO), GPIO);
    assert.equal(it.normalPa(RTC), RTC);
    assert.equal(it.teePa(RTC), undefined);
    it.assertValid();
    it.give(0b10);

    assert.equal(it.status(), 0xff);
    assert.equal(it.normalPa(GPIO), GPIO);
    assert.equal(it.teePa(GPIO), undefined);
    it.assertValid();
  });

  test("is one of 24, all of which can be taken; where the TEE has devices of its own there is none", async () => {
    const own = [0x08000000, 0x080a0000, 0x09040000, 0x090d0000, 0x090e0000, 0x0e000000];
    const devices = Array.from({ length: 30 }, (_, index) => FAR + index * 4 * PAGE);
    const it = await aGuestWith([...own, ...devices]);
    for (const index of [0, 1, 2]) it.take(0xff, index);
    assert.deepEqual(
      [0, 1, 2].map((index) => it.status(index)),
      [0, 0, 0],
    );
    assert.equal(it.teePa(devices[23]!), devices[23]);
    assert.equal(it.normalPa(devices[23]!), undefined);
    assert.equal(it.normalPa(devices[24]!), devices[24]);
    for (const ipa of own) assert.equal(it.tablePa(ipa), ipa);
    it.assertValid();
  });

  test("is in none of more pieces of 2 MiB than the TEE has tables for: then nothing of the write is done", async () => {
    const it = await aGuestWith(Array.from({ length: 5 }, (_, index) => FAR + index * 0x200000));
    it.take(0b11111);
    assert.equal(it.status(), 0xff);
    for (let index = 0; index < 5; index++)
      assert.equal(it.normalPa(FAR + index * 0x200000), FAR + index * 0x200000);
    it.take(0b1111);
    assert.equal(it.status(), 0xf0);
    it.assertValid();
  });
});

suite("is refused", () => {
  test("what another VM has too", async () => {
    const lab = await aLab({ cores: 3 });
    const other = lab.aGuest({ core: 1 });
    lab.hypervisor.interrupt(lab.core(1));
    other.tables.mapPage(GPIO, GPIO);
    const it = await aGuestWith([GPIO], lab);
    it.take(1);
    assert.equal(it.status(), 0xff);
    assert.equal(it.normalPa(GPIO), GPIO);
  });

  test("what this one has twice", async () => {
    const it = await aGuestWith([GPIO]);
    it.vm.tables.mapPage(FAR, GPIO);
    it.take(1);
    assert.equal(it.status(), 0xff);
  });

  test("what the hypervisor has mapped for itself", async () => {
    const it = await aGuestWith([GPIO]);
    const entryPa = it.lab.hypervisor.tables.vmap + 8 * 100;
    assert.equal(put(it.lab, entryPa, stage1Leaf(GPIO, 3, { device: true }), 1), "done");
    it.take(1);
    assert.equal(it.status(), 0xff);
    assert.equal(put(it.lab, entryPa, 0n, 1), "done");
    it.take(1);
    assert.equal(it.status(), 0xfe);
  });

  test("what is RAM by now", async () => {
    const it = await aGuestWith([GPIO]);
    assert.equal(put(it.lab, it.entryPa(GPIO), 0n, 1), "done");
    assert.equal(put(it.lab, it.entryPa(GPIO), stage2Page(it.lab.hypervisor.allocate()), 1), "done");
    it.take(1);
    assert.equal(it.status(), 0xff);
    it.assertValid();
  });

  test("to map it anywhere while it is taken: in this VM, in another, in a block, at EL2", async () => {
    const lab = await aLab({ cores: 3 });
    const other = lab.aGuest({ core: 1 });
    lab.hypervisor.interrupt(lab.core(1));
    const place = other.tables.entryPa(GPIO, 3);
    const block = other.tables.entryPa(FAR, 2);
    const it = await aGuestWith([GPIO], lab);
    it.take(1);
    assert.equal(put(lab, it.entryPa(GPIO), stage2Page(GPIO), 1), "aborted");
    assert.equal(put(lab, place, stage2Page(GPIO), 1), "aborted");
    assert.equal(put(lab, block, stage2Block(0x09000000), 1), "aborted");
    const el2 = stage1Leaf(GPIO, 3, { device: true });
    assert.equal(put(lab, lab.hypervisor.tables.vmap + 8 * 100, el2, 1), "aborted");
    it.assertValid();
    it.give(1);
    assert.equal(put(lab, place, stage2Page(GPIO), 1), "done");
  });
});

test("what the hypervisor puts at the place of one that is taken stays when that comes back", async () => {
  const it = await aGuestWith([GPIO]);
  it.take(1);
  assert.equal(put(it.lab, it.entryPa(GPIO), stage2Page(RTC), 1), "done");
  it.give(1);
  assert.equal(it.normalPa(GPIO), RTC);
  it.assertValid();
});

test("the end of a guest gives its peripherals back", async () => {
  const it = await aGuestWith([GPIO]);
  const { lab } = it;
  it.take(1);
  lab.tee().callDone(0n);
  lab.hypervisor.interrupt(lab.core(0));
  lab.hypervisor.destroy(lab.core(0), it.vm);
  const next = await aGuestWith([GPIO], lab);
  assert.equal(next.status(), 0xff);
  assert.equal(next.normalPa(GPIO), GPIO);
  next.take(1);
  assert.equal(next.teePa(GPIO), GPIO);
  next.assertValid();
});

test("a TEE that is over takes and returns nothing", async () => {
  const it = await aGuestWith([GPIO, RTC]);
  it.take(1);
  it.secure(0x40000000);
  it.lab.hypervisor.store(it.lab.core(1), directMapVa(it.vm.ramPa), 7n);
  it.take(2);
  it.give(1);
  assert.equal(it.status(), 0xfe);
});
