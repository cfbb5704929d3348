// How a call enters a TEE: by its vector table, or by returning from its own last SMC, as its profile says.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { ENTRY_KIND_RESUME } from "../../abi/boot-package.ts";
import { OPTEE_EXCHANGE_CAPABILITIES_FID } from "../../abi/tee.ts";
import { aLab, FAST_CALL, YIELDING_CALL } from "../drivers/lab.ts";
import { teeRuns, VECTOR_TABLE } from "../drivers/tee.ts";
import { MASKED } from "../machine/core.ts";

suite("a vector TEE", () => {
  for (const [name, fid, entry] of [
    ["yielding", YIELDING_CALL, 0n],
    ["fast", FAST_CALL, 4n],
  ] as const) {
    test(`a ${name} call enters at its table + ${entry}, masked, with the caller's x0 to x7`, async () => {
      const lab = await aLab();
      lab.aGuest();
      lab.core(0).x[8] = 0x888n;

      lab.guestCalls(0, fid, 1, 2, 3, 4, 5, 6, 7);

      const core = lab.core(0);
      assert.equal(core.pc, VECTOR_TABLE + entry);
      assert.equal(core.pstate & MASKED, MASKED);
      assert.deepEqual([...core.x.slice(0, 8)], [BigInt(fid), 1n, 2n, 3n, 4n, 5n, 6n, 7n]);
      assert.notEqual(core.x[8], 0x888n, "x8 is not an argument");
    });
  }

  test("the answer's x1 to x4 are the caller's x0 to x3; its x4 to x30 are untouched", async () => {
    const lab = await aLab();
    lab.aGuest();
    const rest = [...lab.core(0).x.slice(4)];
    lab.guestCalls(0, FAST_CALL);

    lab.tee().callDone(10n, 20n, 30n, 40n, 50n, 60n);

    assert.deepEqual([...lab.core(0).x.slice(0, 4)], [10n, 20n, 30n, 40n]);
    assert.deepEqual([...lab.core(0).x.slice(4)], rest);
  });

  test("capabilities that the profile hides are not in the answer, others are", async () => {
    const lab = await aLab();
    lab.aGuest();
    lab.guestCalls(0, OPTEE_EXCHANGE_CAPABILITIES_FID);
    lab.tee().callDone(0n, 0x3fn, 0x3fn, 0n);
    assert.equal(lab.core(0).x[1], 0x1fn);
    assert.equal(lab.core(0).x[2], 0x3fn);

    lab.guestCalls(0, FAST_CALL);
    lab.tee().callDone(0n, 0x3fn);
    assert.equal(lab.core(0).x[1], 0x3fn, "of that call alone");
  });

  test("the mode in which it left is the mode in which it is entered", async () => {
    const lab = await aLab();
    lab.aGuest();
    lab.guestCalls(0, FAST_CALL);
    lab.core(0).pstate = 0x4n; // EL1t, unmasked
    lab.tee().callDone(0n);
    lab.guestCalls(0, FAST_CALL);
    assert.equal(lab.core(0).pstate, 0x4n | MASKED);
  });
});

suite("a resume TEE", () => {
  async function aResumeTee() {
    const lab = await aLab({ profile: { entryKind: ENTRY_KIND_RESUME, coreCount: 1 } });
    lab.runVcpu(lab.aVm({ vcpus: 2 }).vcpus[0]!);
    lab.core(0).pc = 0x0e123450n;
    lab.core(0).x[20] = 0x2020n;
    lab.tee().entryDone(0n);
    assert.equal(lab.status.guests[0]?.state, "ready");
    return lab;
  }

  test("a call enters behind its own SMC with x0 to x7, everything else as it left it", async () => {
    const lab = await aResumeTee();
    lab.guestCalls(0, YIELDING_CALL, 1, 2, 3, 4, 5, 6, 7);
    assert.equal(lab.core(0).pc, 0x0e123454n);
    assert.deepEqual([...lab.core(0).x.slice(0, 8)], [BigInt(YIELDING_CALL), 1n, 2n, 3n, 4n, 5n, 6n, 7n]);
    assert.equal(lab.core(0).x[20], 0x2020n);
  });

  test("its one core serves every vCPU, and always sees itself as core 0", async () => {
    const lab = await aResumeTee();
    const { vm } = lab.hypervisor.loaded[0]!;
    assert(lab.runVcpu(vm.vcpus[1]!, 1));
    lab.guestCalls(1, YIELDING_CALL);
    assert(teeRuns(lab.core(1)));
    assert.equal(lab.core(1).get("VMPIDR_EL2"), 0x80000000n);
    lab.tee(1).callDone(3n);
    assert.equal(lab.core(1).get("VMPIDR_EL2"), 0x80000001n);
    assert.equal(lab.core(1).x[0], 3n);
  });

  test("a vector table from it is no answer that it may give", async () => {
    const lab = await aLab({ profile: { entryKind: ENTRY_KIND_RESUME, coreCount: 1 } });
    lab.runVcpu(lab.aVm().vcpus[0]!);
    lab.tee().entryDone(VECTOR_TABLE);
    assert.equal(lab.status.guests[0]?.state, "faulted");
  });
});
