// Roots that the hypervisor empties at the wrong moment, or not whole: no VM runs before its TEE or loses it in its life, and what is refused has
// changed nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { brokenInvariants } from "../drivers/invariants.ts";
import { aLab, FAST_CALL, type Lab } from "../drivers/lab.ts";
import { assertUnchanged, aTable, put, stage2Page, stateOf } from "../drivers/tables.ts";
import { teeRuns } from "../drivers/tee.ts";
import { tableEntry } from "../drivers/xen-memory.ts";
import { EL1H, MASKED } from "../machine/core.ts";
import { MonitorState } from "../machine/monitor-state.ts";

const vttbrOf = (vmid: bigint, rootPa: number): bigint => (vmid << 48n) | BigInt(rootPa);

/** The VM of the loaded root is entered at an address that it would have. */
function enters(lab: Lab, core: number): boolean {
  Object.assign(lab.core(core), { pc: 0x40000000n, pstate: EL1H | MASKED });
  return lab.fetch(lab.core(core));
}

test("a guest whose root has lost its first entry only is still that guest", async () => {
  const lab = await aLab();
  const vm = lab.aGuest();
  lab.hypervisor.interrupt(lab.core(0));
  lab.hypervisor.idle(lab.core(0));
  const root = vm.tables.rootPa;
  const first = lab.machine.memory.read64(root);
  assert.equal(put(lab, root + 8, tableEntry(aTable(lab))), "done");
  assert.equal(put(lab, root, 0n), "done");

  assert(lab.hypervisor.writes(lab.core(0), "VTTBR", vm.vttbr));
  assert.equal(put(lab, root, first, 1), "done");

  assert(enters(lab, 0));
  lab.guestCalls(0, FAST_CALL);
  assert(teeRuns(lab.core(0)));
});

test("a VM whose root is emptied and filled while its TEE boots elsewhere still waits for it", async () => {
  const lab = await aLab();
  const vm = lab.aVm();
  const root = vm.tables.rootPa;
  const first = lab.machine.memory.read64(root);
  lab.hypervisor.run(lab.core(0), vm.vcpus[0]!);
  lab.fetch(lab.core(0));
  assert(teeRuns(lab.core(0)));

  assert.equal(put(lab, root, 0n, 1), "done");
  assert(lab.hypervisor.writes(lab.core(1), "VTTBR", vm.vttbr));
  assert.equal(put(lab, root, first, 1), "done");

  assert(!enters(lab, 1));
  assert.equal(lab.status.guests[0]?.state, "booting");
  assert.deepEqual(brokenInvariants(lab), []);
});

test("a VM that was refused a TEE is the same VM while any entry of its root is left", async () => {
  const lab = await aLab({ guests: 1 });
  const first = lab.aGuest();
  lab.hypervisor.interrupt(lab.core(0));
  const vm = lab.aVm();
  assert(!lab.runVcpu(vm.vcpus[0]!) && !teeRuns(lab.core(0)));
  lab.hypervisor.interrupt(lab.core(0));
  lab.hypervisor.destroy(lab.core(0), first);
  const root = vm.tables.rootPa;
  assert.equal(put(lab, root + 8, tableEntry(aTable(lab))), "done");
  assert.equal(put(lab, root, 0n), "done");

  lab.hypervisor.flush(lab.core(0), vttbrOf(BigInt(vm.vmid), lab.hypervisor.emptyRootPa));
  assert(lab.hypervisor.writes(lab.core(0), "VTTBR", vm.vttbr));

  assert.equal(lab.core(0).get("VTTBR_EL2"), vm.vttbr);
});

test("a root that is refused has not taken the place of the one that its VMID had", async () => {
  const lab = await aLab();
  const old = aTable(lab);
  assert(lab.hypervisor.writes(lab.core(0), "VTTBR", vttbrOf(9n, old)));
  lab.hypervisor.writes(lab.core(0), "VTTBR", lab.hypervisor.controlDomain.vttbr);
  const bad = aTable(lab, { 3: 1n });

  assertUnchanged(lab, () => assert(!lab.hypervisor.writes(lab.core(0), "VTTBR", vttbrOf(9n, bad))));

  assert.equal(stateOf(lab, old), "STAGE2_TABLE 1");
});

test("while the hypervisor's root of the VMID cannot be given back, a new one is refused and stays its own", async () => {
  const lab = await aLab();
  const old = aTable(lab);
  assert(lab.hypervisor.writes(lab.core(1), "VTTBR", vttbrOf(9n, old))); // and stays loaded there
  const page = lab.hypervisor.allocate();
  const next = aTable(lab, { 0: tableEntry(aTable(lab)) });

  assertUnchanged(lab, () => assert(!lab.hypervisor.writes(lab.core(0), "VTTBR", vttbrOf(9n, next))));

  assert.equal(stateOf(lab, next), "FREE");
  assert.equal(stateOf(lab, page), "FREE");
});

test("a root that gets an entry while it is taken for the empty one is not the empty one", async () => {
  const lab = await aLab();
  for (const core of lab.machine.cores)
    lab.hypervisor.writes(core, "VTTBR", lab.hypervisor.controlDomain.vttbr);
  put(lab, lab.hypervisor.emptyRootPa, 0n, 1); // given up
  const third = aTable(lab, { 0: stage2Page(lab.hypervisor.allocate()) });
  const first = aTable(lab, { 0: tableEntry(aTable(lab, { 0: tableEntry(third) })) });
  const root = aTable(lab);
  const write = lab.machine.writePhysical.bind(lab.machine);
  lab.machine.writePhysical = (pa, length, value) => {
    lab.machine.writePhysical = write;
    lab.machine.memory.write64(root, tableEntry(first)); // another core, before the root is read-only
    write(pa, length, value);
  };

  lab.hypervisor.writes(lab.core(0), "VTTBR", vttbrOf(9n, root));

  assert.equal(new MonitorState(lab.machine).machine("emptyRootPa"), 0n);
  assert(!lab.hypervisor.writes(lab.core(0), "VTTBR", vttbrOf(77n, root)));
});
