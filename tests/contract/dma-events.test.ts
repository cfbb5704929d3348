// What the monitor tells of accesses that the SMMU has refused (el3/monitor/dma/blocked.ts).

import assert from "node:assert/strict";
import { test } from "node:test";
import { aDmaLab, blocked } from "../drivers/dma.ts";
import { deliverSmmuInterrupt } from "../drivers/exceptions.ts";
import { aLab, FAST_CALL } from "../drivers/lab.ts";
import { teeRuns } from "../drivers/tee.ts";
import { PAGE } from "../machine/smmu.ts";
import { size } from "../machine/source-words.ts";

const SECOND = 62_500_000n;
const QUEUE = 128;

test("an access that is refused interrupts the monitor, which records stream and address", async () => {
  const lab = await aDmaLab();
  lab.try(lab.poolPa + 0x123458);
  assert.deepEqual(lab.dmaEvents, [blocked(lab.poolPa + 0x123458)]);
  assert.equal(lab.status.dmaBlocked, 1);
});

test("an access that is allowed does not", async () => {
  const lab = await aDmaLab();
  lab.reaches(lab.ramPa);
  assert(!deliverSmmuInterrupt(lab.machine));
});

test("a device that tries a page word by word is told of once a second, and counted each time", async () => {
  const lab = await aDmaLab();
  const words = Array.from({ length: 64 }, (_, index) => lab.poolPa + index * 4);
  lab.try(...words);
  lab.try(...words);
  assert.deepEqual(lab.dmaEvents, [blocked(lab.poolPa)]);
  lab.machine.ticks += SECOND;
  lab.try(...words);
  assert.deepEqual(lab.dmaEvents, [blocked(lab.poolPa), blocked(lab.poolPa)]);
  assert.equal(lab.status.dmaBlocked, 3 * words.length);
});

test("another page or another stream within that second is told of", async () => {
  const lab = await aDmaLab();
  lab.try(lab.poolPa, lab.poolPa + PAGE);
  lab.reaches(lab.poolPa + PAGE, 7);
  deliverSmmuInterrupt(lab.machine);
  assert.deepEqual(lab.dmaEvents, [
    blocked(lab.poolPa),
    blocked(lab.poolPa + PAGE),
    blocked(lab.poolPa + PAGE, 7),
  ]);
});

test("a queue that overflows loses records, says so, and goes on", async () => {
  const lab = await aDmaLab();
  for (let round = 0; round < 2; round++) {
    const before = lab.dmaEvents.length;
    lab.try(...Array.from({ length: QUEUE + 50 }, (_, index) => lab.poolPa + (index + round * 1000) * PAGE));
    assert.equal(lab.dmaEvents.length - before, QUEUE + 1);
    assert.match(lab.dmaEvents.at(-1)!, /^dma-lost /);
  }
  assert.equal(lab.status.dmaBlocked, 2 * QUEUE);
  lab.try(lab.poolPa + 5 * PAGE);
  assert.equal(lab.dmaEvents.at(-1), blocked(lab.poolPa + 5 * PAGE));
});

test("an error of the SMMU is acknowledged and told", async () => {
  const lab = await aDmaLab();
  lab.smmu.set("GERROR", size("SMMU_GERROR_EVENTQ_ABT_ERR"));
  lab.smmu.pending.add(size("INTID_SMMU_GERROR"));
  assert(deliverSmmuInterrupt(lab.machine));
  assert.deepEqual(lab.dmaEvents, ["dma-lost 0x4 0x0"]);
  assert.equal(lab.smmu.get("GERRORN"), lab.smmu.get("GERROR"));
});

test("an access that is refused while the queue is read is not left behind", async () => {
  const lab = await aDmaLab();
  const write = lab.smmu.write.bind(lab.smmu);
  let isFirst = true;
  lab.smmu.write = (offset, length, value) => {
    if (offset === size("SMMU_EVENTQ_CONS") && isFirst) {
      isFirst = false;
      lab.reaches(lab.poolPa + 9 * PAGE);
    }
    write(offset, length, value);
  };
  lab.try(lab.poolPa);
  assert.deepEqual(lab.dmaEvents, [blocked(lab.poolPa), blocked(lab.poolPa + 9 * PAGE)]);
});

test("records that no interrupt has told of come out when a page is protected", async () => {
  const lab = await aDmaLab();
  lab.reaches(lab.poolPa);
  lab.smmu.pending.clear();
  lab.protect(lab.ramPa);
  assert.deepEqual(lab.dmaEvents, [blocked(lab.poolPa)]);
});

test("whoever runs goes on: a TEE is not even asked to leave", async () => {
  const lab = await aLab();
  lab.aGuest();
  lab.guestCalls(0, FAST_CALL);
  const before = lab.core(0).registers();
  lab.machine.smmu.access(0, lab.machine.poolTeePa);
  assert(deliverSmmuInterrupt(lab.machine));
  assert(teeRuns(lab.core(0)));
  before.set("ICC_EOIR0_EL1", lab.core(0).get("ICC_EOIR0_EL1"));
  assert.deepEqual(lab.core(0).registers(), before);
  assert.deepEqual(lab.eventKinds.at(-1), "dma-blocked");
});
