// seL4 as a guest's TEE, from an image that was built elsewhere (docs/guest-tee-abi.md: "seL4"). Linux's optee driver makes the calls, each
// time that it is bound to its device: for the UID, for the OS revision, which takes the root task about a second, and
// for the API revision, of which the driver knows no such, so that it can be bound again.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Machine } from "../../host/machine/machine.ts";
import { projectFolder } from "../../host/paths.ts";
import { timeScale } from "./rows.ts";

const { VTZ_SEL4_IMAGE, VTZ_SEL4_PROFILE = join(projectFolder, "el1/tees/sel4.json") } = process.env;
const skip = VTZ_SEL4_IMAGE === undefined && "VTZ_SEL4_IMAGE names no image of seL4 (docs/guest-tee-abi.md)";
const MINUTE = 60_000 * timeScale;
const name = `test-sel4-${process.pid}`;
const GUEST = { vcpuCount: 2, memoryMib: 256 };

const STEPS = 60_000_000;
const FACTOR = 6364136223846793005n;
const SUMMAND = 1442695040888963407n;
const u64 = (value: bigint) => BigInt.asUintN(64, value);

/** What the root task computes step by step: here by doubling, from the same first value. */
function afterSteps(first: bigint): bigint {
  let [factor, summand] = [FACTOR, SUMMAND];
  let result = first;
  for (let left = STEPS; left > 0; left >>>= 1) {
    if ((left & 1) === 1) result = u64(result * factor + summand);
    [factor, summand] = [u64(factor * factor), u64(summand * (factor + 1n))];
  }
  return result;
}

/** The driver's line about the TEE's nth long call. */
const answer = (call: number) =>
  new RegExp(
    `optee: revision \\d+\\.${call} \\(${afterSteps(BigInt(call)).toString(16).padStart(8, "0")}\\)`,
  );

const DEVICE = "$(basename /sys/bus/platform/devices/*optee)";
/** Fails, since the driver gives up in the end. */
const CALL = `echo ${DEVICE} > /sys/bus/platform/drivers/optee/bind`;

describe("seL4 as a TEE", { skip, timeout: 15 * MINUTE }, () => {
  let machine: Machine;

  before(async () => {
    machine = await Machine.start({
      name,
      tee: "optee-4.5",
      lifetime: "attached",
      teeImage: VTZ_SEL4_IMAGE!,
      teeProfile: VTZ_SEL4_PROFILE,
      bootTimeoutMs: 3 * MINUTE,
    });
    await machine.createGuest({ name: "first", ...GUEST });
    await machine.waitForGuest("first", 3 * MINUTE);
  });

  after(async () => {
    await machine?.close();
    await Machine.remove(name);
  });

  const log = (guest: string) => machine.run(guest, "dmesg | grep optee");
  const tee = async () => (await machine.status())!.guests[0]!;

  test("it has booted, and its answers reach Linux", async () => {
    assert.equal((await tee()).state, "ready");
    assert.match(await log("first"), answer(1));
  });

  test("a long call is interrupted again and again, its guest lives meanwhile, and its answer is right", async () => {
    const earlier = await tee();
    const alive = await machine.run(
      "first",
      `(${CALL}; touch /tmp/done) 2> /dev/null & n=0
       until [ -e /tmp/done ]; do n=$((n + 1)); sleep 0.01; done; echo $n`,
      3 * MINUTE,
    );
    const later = await tee();

    assert.match(await log("first"), answer(2));
    assert(Number(alive) > 10, `the guest did other things ${alive} times`);
    assert(later.foreignInterrupts - earlier.foreignInterrupts > 10);
    assert(later.timerInterrupts - earlier.timerInterrupts > 10, "its own ticks go on");
    assert.equal(later.state, "ready");
  });

  test("its guest is destroyed in the midst of a call, and the next one's TEE begins anew", async () => {
    const { switches } = await tee();
    const { poolFree } = (await machine.status())!;
    const calls = machine.exec("first", `while :; do ${CALL}; done`).catch(() => undefined);
    while ((await tee()).switches < switches + 20) await new Promise((resolve) => setTimeout(resolve, 50));

    await machine.destroyGuest("first");
    await calls;
    assert.deepEqual((await machine.status())!.guests, []);
    await machine.createGuest({ name: "next", ...GUEST });
    await machine.waitForGuest("next", 3 * MINUTE);

    assert.match(await log("next"), answer(1));
    assert.equal((await machine.status())!.poolFree, poolFree);
  });
});
