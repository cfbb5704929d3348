// Stage-2 roots at lockdown: those that cores loaded before were checked by nobody, so none of them stays.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { POOL_EMPTY_ROOT_OFFSET } from "../../abi/memory-map.ts";
import { PSCI_CPU_ON_64_FID } from "../../abi/smccc.ts";
import { anUnlockedMachine } from "../drivers/lab.ts";
import { stage2Block } from "../drivers/tables.ts";
import { directMapVa, tableEntry } from "../drivers/xen-memory.ts";
import { MonitorState } from "../machine/monitor-state.ts";

const VMID = 5n << 48n;

/** A second core has loaded a root that was empty then, and the hypervisor's usual one was loaded after it. */
async function aCoreOnAnotherRoot() {
  const it = await anUnlockedMachine();
  const { machine, hypervisor, core } = it;
  const second = machine.cores[1]!;
  hypervisor.call(core, PSCI_CPU_ON_64_FID, second.index, 0x48000000);
  hypervisor.bootCore(second);
  const [root, first, next] = [0, 0, 0].map(() => hypervisor.allocate()) as [number, number, number];
  hypervisor.zeroPage(root);
  hypervisor.writes(second, "VTTBR", VMID | BigInt(root));
  hypervisor.writes(core, "VTTBR", BigInt(hypervisor.emptyRootPa));
  /** Entries that lead from the root to the first TEE's RAM, at IPA 0. */
  const entries = [
    [next, stage2Block(machine.poolTeePa)],
    [first, tableEntry(next)],
    [root, tableEntry(first)],
  ] as const;
  const reached = () => machine.tlbs[1]!.translate(machine.memory, second.get("VTTBR_EL2"), 0n);
  return { ...it, second, entries, reached };
}

suite("a core that has loaded another empty root before lockdown", () => {
  test("is on the monitor's afterwards: the hypervisor may fill its own, and nobody walks it", async () => {
    const { machine, hypervisor, second, entries, reached, lockDown } = await aCoreOnAnotherRoot();

    lockDown();
    for (const [pa, entry] of entries)
      assert.equal(hypervisor.store(second, directMapVa(pa), entry), "done", "it is the hypervisor's memory");

    const monitorsRoot = machine.bootPackage.poolPa + POOL_EMPTY_ROOT_OFFSET;
    assert.equal(second.get("VTTBR_EL2"), BigInt(monitorsRoot));
    assert.equal(reached(), undefined);
  });

  test("has kept no translation of it, whenever its hardware walked it", async () => {
    const { machine, entries, reached, lockDown } = await aCoreOnAnotherRoot();
    for (const [pa, entry] of entries) machine.memory.write64(pa, entry);
    assert.equal(reached(), machine.poolTeePa);

    machine.speculate = () => void reached();
    lockDown();

    assert.deepEqual([...machine.tlbs[1]!.kept()], []);
  });

  test("does not get it back from the monitor", async () => {
    const { machine, lockDown } = await aCoreOnAnotherRoot();
    lockDown();
    assert.equal(new MonitorState(machine).core(1, "requestedVttbrEl2"), 0n);
  });

  test("does not keep the core that runs the first VM from its root", async () => {
    const { machine, hypervisor, core, lockDown } = await aCoreOnAnotherRoot();
    lockDown();
    const { vttbr } = hypervisor.controlDomain;
    assert.equal(core.get("VTTBR_EL2"), vttbr);
    assert.equal(new MonitorState(machine).core(0, "requestedVttbrEl2"), vttbr);
  });
});
