// The monitor's boot on the model machine, and the first guest.

import assert from "node:assert/strict";
import { test } from "node:test";
import { aLab, FAST_CALL } from "../drivers/lab.ts";
import { teeRuns } from "../drivers/tee.ts";

test("a guest's TEE boots before the guest, answers a call, and both go on", async () => {
  const lab = await aLab();
  lab.aGuest();
  lab.guestCalls(0, FAST_CALL, 1, 2, 3);
  assert(teeRuns(lab.core(0)));
  lab.tee().callDone(10n, 11n, 12n, 13n);
  assert(!teeRuns(lab.core(0)));
  assert.deepEqual([...lab.core(0).x.slice(0, 4)], [10n, 11n, 12n, 13n]);
});
