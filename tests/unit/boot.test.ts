// The monitor's boot on the model machine, and the first guest.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TEE_RAM_SIZE } from "../../abi/memory-map.ts";
import { aBootPackage, aLab, FAST_CALL } from "../drivers/lab.ts";
import { teeRuns } from "../drivers/tee.ts";
import { Machine } from "../machine/machine.ts";
import { monitorModule } from "../machine/monitor.ts";

test("what a TEE had in its RAM before the machine was reset is gone, in the caches and behind them", async () => {
  const machine = new Machine(await monitorModule(), aBootPackage({ guests: 3 }));
  const { memory, poolTeePa } = machine;
  const size = 3 * TEE_RAM_SIZE;
  memory.write64(poolTeePa + size - 8, 0x5ec5n);

  machine.reset();

  assert(memory.isZero(poolTeePa, size));
  assert(![...memory.uncleaned.keys()].some((page) => page >= poolTeePa / 0x1000));
});

test("a guest's TEE boots before the guest, answers a call, and both go on", async () => {
  const lab = await aLab();
  lab.aGuest();
  lab.guestCalls(0, FAST_CALL, 1, 2, 3);
  assert(teeRuns(lab.core(0)));
  lab.tee().callDone(10n, 11n, 12n, 13n);
  assert(!teeRuns(lab.core(0)));
  assert.deepEqual([...lab.core(0).x.slice(0, 4)], [10n, 11n, 12n, 13n]);
});
