// Returns from EL3 to below EL2 with a state that somebody else has chosen: a hypervisor that jumps to a trapping vector with any SPSR_EL2 and
// HCR_EL2.RW, and what a TEE was in. The model machine stops at an illegal one; here it is who gets the exception instead.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { stepVectors, toEl2 } from "../drivers/exceptions.ts";
import { XEN_HCR, XEN_VBAR } from "../drivers/hypervisor.ts";
import { brokenInvariants } from "../drivers/invariants.ts";
import { aLab, FAST_CALL, type Lab } from "../drivers/lab.ts";
import { teeRuns } from "../drivers/tee.ts";
import { EL0T, EL1H, EL2H, MASKED, SVC32, USR32 } from "../machine/core.ts";
import { word } from "../machine/source-words.ts";

const RW = word("HCR_EL2_RW");
const STATES = [
  { name: "AArch64", hcr: XEN_HCR | RW, legal: [0x00n, 0x04n, 0x05n, 0x10n] },
  { name: "AArch32", hcr: XEN_HCR & ~RW, legal: [0x10n, 0x11n, 0x12n, 0x13n, 0x17n, 0x1bn, 0x1fn] },
];
const MODES = Array.from({ length: 32 }, (_, mode) => BigInt(mode));
const KERNEL = 0x40000000n;

/** The hypervisor has a VM loaded that waits for its TEE, and jumps to a vector as if the VM had exited from this mode. */
function jumpsToVector(lab: Lab, hcr: bigint, mode: bigint, vector = 0x400n): void {
  const core = lab.core(0);
  lab.hypervisor.writes(core, "HCR", hcr);
  core.set("SPSR_EL2", mode | MASKED);
  core.set("ELR_EL2", KERNEL);
  core.pc = core.get("VBAR_EL2") + vector;
  stepVectors(lab.machine, core);
}

async function aWaitingVm() {
  const lab = await aLab();
  lab.hypervisor.writes(lab.core(0), "VTTBR", lab.aVm().vttbr);
  return lab;
}

/** The TEE in the core is taken to EL2 from this mode. */
function exitsFrom(lab: Lab, mode: bigint): void {
  toEl2(lab.core(0), "irq");
  lab.core(0).set("SPSR_EL2", mode);
  stepVectors(lab.machine, lab.core(0));
}

suite("a jump to a trapping vector while a VM waits for its TEE", () => {
  for (const { name, hcr, legal } of STATES) {
    test(`is an exit of the VM's in every mode that there is with EL1 in ${name}`, async () => {
      for (const mode of legal) {
        const lab = await aWaitingVm();
        jumpsToVector(lab, hcr, mode);
        assert(teeRuns(lab.core(0)), `mode 0x${mode.toString(16)}`);

        lab.tee().entryDone();

        assert.equal(lab.core(0).pstate, mode | MASKED);
        assert.equal(lab.core(0).pc, KERNEL);
        assert.deepEqual(brokenInvariants(lab), []);
      }
    });

    test(`is the hypervisor's own exception in any other mode with EL1 in ${name}`, async () => {
      const lab = await aWaitingVm();
      for (const mode of MODES.filter((each) => !legal.includes(each))) {
        jumpsToVector(lab, hcr, mode);

        assert.equal(lab.core(0).pc, XEN_VBAR + 0x400n, `mode 0x${mode.toString(16)}`);
        assert.equal(lab.core(0).pstate, EL2H | MASKED);
        assert.equal(lab.core(0).get("SPSR_EL2"), mode | MASKED);
      }
      assert.equal(lab.status.guests.length, 0);
      assert.deepEqual(brokenInvariants(lab), []);
    });
  }

  test("is the hypervisor's own also if there is no TEE to boot first", async () => {
    const lab = await aLab({ guests: 1 });
    lab.aGuest();
    lab.hypervisor.interrupt(lab.core(0));
    lab.hypervisor.writes(lab.core(0), "VTTBR", lab.aVm().vttbr);

    jumpsToVector(lab, XEN_HCR & ~RW, EL1H);

    assert.equal(lab.core(0).pc, XEN_VBAR + 0x400n);
    assert(!lab.eventKinds.includes("pool-exhausted"));
  });
});

suite("a TEE whose state at its exit", () => {
  async function aCall() {
    const lab = await aLab();
    lab.aGuest();
    lab.guestCalls(0, FAST_CALL);
    return lab;
  }

  for (const [name, mode] of [
    ["AArch64", EL0T],
    ["AArch32", USR32],
  ] as const)
    test(`is EL0 in ${name} goes on there`, async () => {
      const lab = await aCall();
      lab.core(0).pstate = mode;
      lab.tee().store(0x09040000n, 0n);
      assert(teeRuns(lab.core(0)));
      assert.equal(lab.core(0).pstate, mode);
    });

  for (const mode of [SVC32, 0x14n, 0x1an, 0x0dn, 0x01n])
    test(`cannot be, mode 0x${mode.toString(16)}, is stopped`, async () => {
      const lab = await aCall();

      exitsFrom(lab, mode);

      assert(!teeRuns(lab.core(0)));
      assert.equal(lab.status.guests[0]?.state, "faulted");
      assert.deepEqual(brokenInvariants(lab), []);
    });
});
