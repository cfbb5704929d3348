// A guest with several vCPUs: each has a core of the TEE of its own, brought up by its first call.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { NOT_SUPPORTED } from "../drivers/asserts.ts";
import { brokenInvariants } from "../drivers/invariants.ts";
import { aLab, FAST_CALL } from "../drivers/lab.ts";
import { teeRuns } from "../drivers/tee.ts";

suite("several vCPUs", () => {
  test("a further vCPU's first call brings its TEE core up, then goes in", async () => {
    const lab = await aLab();
    const vm = lab.aGuest({ vcpus: 2 });
    assert(lab.runVcpu(vm.vcpus[1]!, 1));

    lab.guestCalls(1, FAST_CALL, 1, 2, 3);
    assert.equal(lab.core(1).pc, 0x0e100808n, "its CPU_ON entry");
    lab.tee(1).coreOnDone();

    assert.equal(lab.core(1).pc, 0x0e100804n, "the fast call entry");
    assert.deepEqual([...lab.core(1).x.slice(0, 4)], [BigInt(FAST_CALL), 1n, 2n, 3n]);
    lab.tee(1).callDone(9n);
    assert.equal(lab.core(1).x[0], 9n);
    assert.equal(lab.status.guests[0]?.teeCores, 2);
  });

  test("both are in the TEE at the same time, each in its own core of it", async () => {
    const lab = await aLab();
    const vm = lab.aGuest({ vcpus: 2 });
    lab.runVcpu(vm.vcpus[1]!, 1);

    lab.guestCalls(0, FAST_CALL, 100);
    lab.guestCalls(1, FAST_CALL, 101);
    lab.tee(1).coreOnDone();

    assert.deepEqual(brokenInvariants(lab), []);
    lab.tee(0).callDone(0n);
    lab.tee(1).callDone(1n);
    assert.deepEqual([lab.core(0).x[0], lab.core(1).x[0]], [0n, 1n]);
  });

  test("a vCPU beyond the TEE's cores is answered NOT_SUPPORTED", async () => {
    const lab = await aLab({ profile: { coreCount: 2 } });
    const vm = lab.aGuest({ vcpus: 3 });
    lab.runVcpu(vm.vcpus[2]!, 1);

    lab.guestCalls(1, FAST_CALL);

    assert.equal(lab.core(1).x[0], NOT_SUPPORTED);
    assert(!teeRuns(lab.core(1)));
  });

  test("vCPU 16 is not vCPU 0", async () => {
    const lab = await aLab();
    const vm = lab.aGuest({ vcpus: 17 });
    lab.runVcpu(vm.vcpus[16]!, 1);

    lab.guestCalls(1, FAST_CALL);

    assert.equal(lab.core(1).x[0], NOT_SUPPORTED);
  });
});

/** VMPIDR_EL2 as the hypervisor never has it: what else of it than Aff0 an MPIDR's reader may look at. */
const FORGED: readonly [name: string, vmpidr: bigint][] = [
  ["MT", 0x8100_0000n],
  ["U", 0xc000_0000n],
  ["another Aff1", 0x8000_0100n],
  ["another Aff2", 0x8001_0000n],
  ["another Aff3", 0x1_8000_0000n],
  ["without the bit that is always 1", 0n],
  ["an Aff0 that is no vCPU's", 0x8000_0010n],
];

suite("a core number that the hypervisor has made up", () => {
  for (const [name, vmpidr] of FORGED) {
    test(`is not shown to a TEE: ${name}`, async () => {
      const lab = await aLab();
      lab.hypervisor.run(lab.core(0), lab.aVm().vcpus[0]!);
      lab.core(0).set("VMPIDR_EL2", vmpidr);
      lab.fetch(lab.core(0));
      assert.equal(lab.core(0).get("VMPIDR_EL2"), 0x80000000n);

      lab.tee().entryDone();

      assert.equal(lab.core(0).get("VMPIDR_EL2"), vmpidr, "the hypervisor finds it again");
      assert.deepEqual(brokenInvariants(lab), []);
    });

    test(`names no core of a TEE: ${name}`, async () => {
      const lab = await aLab();
      lab.aGuest();
      lab.core(0).set("VMPIDR_EL2", vmpidr);

      lab.guestCalls(0, FAST_CALL);

      assert.equal(lab.core(0).x[0], NOT_SUPPORTED);
      assert.equal(lab.core(0).get("VMPIDR_EL2"), vmpidr);
    });
  }

  test("is any vCPU's to a TEE of one core", async () => {
    const lab = await aLab({ profile: { coreCount: 1 } });
    lab.aGuest();
    lab.core(0).set("VMPIDR_EL2", 0x1_c1ff_ffffn);

    lab.guestCalls(0, FAST_CALL);

    assert.equal(lab.core(0).get("VMPIDR_EL2"), 0x80000000n);
    lab.tee().callDone(5n);
    assert.deepEqual([lab.core(0).x[0], lab.core(0).get("VMPIDR_EL2")], [5n, 0x1_c1ff_ffffn]);
  });
});

test("a vCPU that is run before the TEE has booted boots core 0 of it", async () => {
  const lab = await aLab();
  const vm = lab.aVm({ vcpus: 2 });

  lab.runVcpu(vm.vcpus[1]!);

  assert.equal(lab.core(0).get("VMPIDR_EL2"), 0x80000000n);
  lab.tee().entryDone();
  assert.equal(lab.core(0).get("VMPIDR_EL2"), 0x80000001n);
  lab.guestCalls(0, FAST_CALL);
  assert.equal(lab.core(0).pc, 0x0e100808n, "core 1 is still to come on");
  assert.equal(lab.core(0).get("VMPIDR_EL2"), 0x80000001n);
});
