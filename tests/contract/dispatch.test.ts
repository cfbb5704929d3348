// Rows of the monitor's dispatch table (el3/monitor/exceptions/from-normal-world.ts) for SMCs of guests: who gets which.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as smccc from "../../abi/smccc.ts";
import { assertTrapped } from "../drivers/asserts.ts";
import { changesBy, onlyRegisters } from "../drivers/changes.ts";
import { EC_SMC32, EC_SMC64, esrOf, smc } from "../drivers/exceptions.ts";
import { aLab, FAST_CALL } from "../drivers/lab.ts";
import { teeRuns } from "../drivers/tee.ts";
import { MASKED } from "../machine/core.ts";
import { word } from "../machine/source-words.ts";

const TRAPPED = ["0.PC", "0.PSTATE", "0.ESR_EL2", "0.ELR_EL2", "0.SPSR_EL2"];

suite("SMCs of a guest", () => {
  for (const kind of ["fast", "yielding"] as const) {
    test(`${kind} calls: owners 48 to 63 go to the TEE, all others to the hypervisor`, async () => {
      const fast = kind === "fast" ? smccc.SMCCC_FAST_CALL : 0;
      for (let owner = 0; owner < 64; owner++) {
        const lab = await aLab({ cores: 1, guests: 1 });
        lab.aGuest();
        const at = lab.core(0).pc;

        lab.guestCalls(0, fast + owner * 2 ** smccc.SMCCC_OWNER_SHIFT + 3);

        assert.equal(teeRuns(lab.core(0)), owner >= 48, `owner ${owner}`);
        if (owner < 48) assertTrapped(lab, at, esrOf(EC_SMC64));
      }
    });
  }

  test("a call for the hypervisor changes nothing but what a trap changes", async () => {
    const lab = await aLab();
    lab.aGuest();
    lab.core(0).x[0] = BigInt(smccc.PSCI_VERSION_FID);
    lab.core(0).pc += 0x100n;
    lab.core(0).pstate = word("SPSR_EL3_M_EL1T");

    const changes = changesBy(lab, () => smc(lab.machine, lab.core(0)));

    assert.deepEqual(changes, onlyRegisters(...changes.registers));
    assert.deepEqual(new Set(changes.registers), new Set(TRAPPED));
    assert.equal(lab.core(0).pstate & MASKED, MASKED);
  });

  test("an immediate other than 0 is the hypervisor's, whatever x0 says, and arrives there", async () => {
    const lab = await aLab();
    lab.aGuest();
    const at = lab.core(0).pc;
    lab.core(0).x[0] = BigInt(FAST_CALL);

    smc(lab.machine, lab.core(0), 0x8043); // what would be a replaced write of a translation register, at EL2

    assertTrapped(lab, at, esrOf(EC_SMC64, 0x8043n));
    assert.notEqual(lab.core(0).get("VTTBR_EL2"), lab.core(0).x[3]);
  });

  test("an AArch32 guest's SMC arrives at the AArch32 vector with its own class", async () => {
    const lab = await aLab();
    lab.aGuest();
    lab.core(0).pstate = word("SPSR_EL3_M_SVC32");
    lab.core(0).x[0] = BigInt(smccc.PSCI_VERSION_FID);
    const at = lab.core(0).pc;

    smc(lab.machine, lab.core(0));

    assertTrapped(lab, at, esrOf(EC_SMC32), 0x600n);
  });

  test("an SMC of the control domain goes to the hypervisor, also one for a trusted OS", async () => {
    const lab = await aLab();
    lab.hypervisor.run(lab.core(0), lab.hypervisor.controlDomain.vcpus[0]!);
    const at = lab.core(0).pc;

    lab.guestCalls(0, FAST_CALL);

    assertTrapped(lab, at, esrOf(EC_SMC64));
  });
});
