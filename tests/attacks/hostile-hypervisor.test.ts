// A hostile hypervisor on the real stack: see README.md. One machine with two guests for all of it; after the last attack both use their TEEs.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DOM0, Machine } from "../../host/machine/machine.ts";
import { timeScale } from "../boots/rows.ts";
import { AttackLab } from "./attack-lab.ts";
import { entryAttacks } from "./entry.attacks.ts";
import { registerAttacks } from "./registers.attacks.ts";
import { stage1Attacks } from "./stage1.attacks.ts";
import { stage2Attacks } from "./stage2.attacks.ts";

const MINUTE = 60_000 * timeScale;
const GUESTS = ["guest1", "guest2"];
/** For work on the attacks: a machine that runs already, `vtz up -m NAME --guests 2`. */
const { VTZ_ATTACK_MACHINE } = process.env;

describe("a hostile hypervisor", { timeout: 10 * MINUTE }, () => {
  let lab: AttackLab;

  before(async () => {
    lab = await AttackLab.open(await aMachine());
  });

  after(async () => {
    await lab?.xen.detach();
    await lab?.machine.close();
    if (VTZ_ATTACK_MACHINE === undefined) await Machine.remove(name);
  });

  const suites = [stage1Attacks, stage2Attacks, registerAttacks, entryAttacks];
  for (const addTests of suites) addTests(() => lab);

  test("after all of it both guests use their TEEs, and no TEE has stopped", async () => {
    for (const guest of lab.guests) {
      assert.match(
        await lab.machine.run(guest.name, "xtest regression_1002", MINUTE),
        /0 subtests.*failed|regression_1002 OK/,
      );
      assert.equal(await lab.machine.explainTee(guest.name), undefined);
    }
    assert.match(await lab.machine.run(DOM0, "xl list"), new RegExp(lab.guests[0]!.name));
  });
});

const name = `test-attacks-${process.pid}`;

async function aMachine(): Promise<Machine> {
  if (VTZ_ATTACK_MACHINE !== undefined) return Machine.open(VTZ_ATTACK_MACHINE);
  const machine = await Machine.start({ name, tee: "optee-4.5", lifetime: "attached" });
  for (const guest of GUESTS) await machine.createGuest({ name: guest, vcpuCount: 1, memoryMib: 256 });
  for (const guest of GUESTS) await machine.waitForGuest(guest);
  return machine;
}
