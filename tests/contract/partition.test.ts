// What a TEE takes from its normal world through its virtual TZC-400 is its alone, in every table and every TLB, until it
// returns it, scrubbed.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as abi from "../../abi/devices-compartment.ts";
import { FAULT_MEMORY_LOST } from "../../abi/status.ts";
import { EC_DATA_ABORT, esrOf, exitToEl2 } from "../drivers/exceptions.ts";
import {
  aPartitionLab,
  assertIsShared,
  assertIsTees,
  calledTee,
  MIB2,
  mapPages,
  type PartitionLab,
  RAM_IPA,
  SECURE,
  tzcIpa,
} from "../drivers/partition.ts";
import {
  assertUnchanged,
  aTable,
  GIB,
  PAGE,
  put,
  stage2Block,
  stage2Page,
  stateOf,
} from "../drivers/tables.ts";
import type { VirtualMachine } from "../drivers/virtual-machine.ts";
import { directMapVa, stage1Leaf } from "../drivers/xen-memory.ts";

import { word } from "../machine/source-words.ts";

const tableAt = (pa: number) => BigInt(pa) | word("DESCRIPTOR_TABLE");
const SECRET = 0x5ec5_0000_1234_5678n;
const FAR_IPA = RAM_IPA + 64 * MIB2;

suite("memory that a TEE turns secure", () => {
  test("is gone from the normal world, from the hypervisor and from devices, and out of every TLB", async () => {
    const it = await aPartitionLab();
    it.warmCaches(RAM_IPA, 3 * MIB2);

    assert.equal(it.secure(RAM_IPA + MIB2), true);

    for (const offset of [0, PAGE, MIB2 - PAGE])
      assertIsTees(it, RAM_IPA + MIB2 + offset, it.vm.ramPa + MIB2 + offset);
    assertIsShared(it, RAM_IPA + MIB2 - PAGE, it.vm.ramPa + MIB2 - PAGE);
    assertIsShared(it, RAM_IPA + 2 * MIB2, it.vm.ramPa + 2 * MIB2);
    it.assertValid();
  });

  test("keeps what the normal world had there", async () => {
    const it = await aPartitionLab();
    it.lab.machine.memory.write64(it.vm.ramPa + MIB2, 0x1111n);
    it.secure(RAM_IPA + MIB2);
    assert.equal(it.lab.machine.memory.read64(it.teePa(RAM_IPA + MIB2)!), 0x1111n);
  });

  test("is zero when it comes back, to the place that it had", async () => {
    const it = await aPartitionLab();
    const pa = it.vm.ramPa + MIB2;
    it.secure(RAM_IPA + MIB2);
    it.lab.machine.memory.write64(pa + MIB2 - 8, SECRET);
    it.warmCaches(RAM_IPA, 3 * MIB2);

    it.release();

    assert.equal(it.read("REGION_ATTRIBUTES", 1), 0);
    assert(it.lab.machine.memory.isZero(pa, MIB2));
    for (const offset of [0, MIB2 - PAGE]) assertIsShared(it, RAM_IPA + MIB2 + offset, pa + offset);
    it.assertValid();
  });

  test("in pages that lie anywhere, too", async () => {
    const it = await aPartitionLab();
    const pages = mapPages(it, FAR_IPA);
    it.warmCaches(FAR_IPA);

    assert.equal(it.secure(FAR_IPA), true);
    for (const index of [0, 255, 511]) assertIsTees(it, FAR_IPA + index * PAGE, pages[index]!);
    it.assertValid();
    it.lab.machine.memory.write64(pages[300]!, SECRET);
    it.release();

    assert(pages.every((pa) => it.lab.machine.memory.isZero(pa, PAGE)));
    for (const index of [0, 255, 511]) assertIsShared(it, FAR_IPA + index * PAGE, pages[index]!);
    it.assertValid();
  });

  test("several regions, one after another, in one GiB and in others", async () => {
    const it = await aPartitionLab();
    const high = 8 * GIB;
    it.vm.tables.mapBlocks(high, 0x70000000, 4 * MIB2);
    it.warmCaches(RAM_IPA, 4 * MIB2);
    it.warmCaches(high, 4 * MIB2);

    assert.equal(it.secure(RAM_IPA, MIB2, 1), true);
    assert.equal(it.secure(high + MIB2, 2 * MIB2, 2), true);
    assert.equal(it.secure(RAM_IPA + 3 * MIB2, MIB2, 8), true);
    it.assertValid();
    assertIsTees(it, RAM_IPA, it.vm.ramPa);
    assertIsTees(it, high + MIB2, 0x70000000 + MIB2);
    it.release(2);
    it.release(1);

    assertIsShared(it, RAM_IPA, it.vm.ramPa);
    assertIsShared(it, high + 2 * MIB2, 0x70000000 + 2 * MIB2);
    assertIsTees(it, RAM_IPA + 3 * MIB2, it.vm.ramPa + 3 * MIB2);
    it.assertValid();
  });
});

test("what the normal world wrote past the caches is what the TEE finds", async () => {
  const it = await aPartitionLab();
  it.lab.machine.memory.writeBehindCaches(it.vm.ramPa, 0x1111n);
  it.secure(RAM_IPA);
  assert.equal(it.lab.machine.memory.read64(it.vm.ramPa), 0x1111n);
});

suite("who changes the partition", () => {
  test("the normal world has nothing at the controller's address: the access is the hypervisor's affair", async () => {
    const it = await aPartitionLab();
    it.place(RAM_IPA, MIB2);
    it.lab.tee().callDone(0n);
    const core = it.lab.core(0);
    const ipa = tzcIpa("REGION_ATTRIBUTES", 1);

    core.x[7] = BigInt(SECURE);
    const esr = esrOf(EC_DATA_ABORT, (1n << 24n) | (2n << 22n) | (7n << 16n) | (1n << 6n) | 0x6n);
    exitToEl2(it.lab.machine, core, "synchronous", { esr, far: ipa, hpfar: (ipa >> 12n) << 4n });

    assert.equal(core.exceptionLevel, 2);
    assertIsSharedInTables(it, RAM_IPA, it.vm.ramPa);
    it.assertValid();
  });

  test("another guest's TEE changes its own", async () => {
    const it = await aPartitionLab();
    const other = it.lab.aGuest({ core: 1, ramMib: 8 });
    it.secure(RAM_IPA);
    assert.equal(it.normalPa(RAM_IPA), undefined);
    const { machine } = it.lab;
    assert.equal(machine.tlbs[1]!.translate(machine.memory, other.vttbr, BigInt(RAM_IPA)), other.ramPa);
  });

  test("a compartment that fails has changed nothing", async () => {
    for (const end of ["abort", "overrun"] as const) {
      const it = await aPartitionLab();
      it.place(RAM_IPA, MIB2);
      it.lab.machine.forcedEnd = end;
      assertUnchanged(it.lab, () => it.write("REGION_ATTRIBUTES", SECURE, 1));
      assert.equal(it.read("REGION_ATTRIBUTES", 1), 0);
      assertIsShared(it, RAM_IPA, it.vm.ramPa);
      assert.equal(it.secure(RAM_IPA), true);
    }
  });
});

function assertIsSharedInTables(it: PartitionLab, ipa: number, pa: number): void {
  assert.equal(it.tablePa(ipa), pa);
  assert.equal(stateOf(it.lab, pa), "GUEST 1");
}

/** Its tables are live, and the hypervisor has its core. */
function anotherGuest({ lab }: PartitionLab): VirtualMachine {
  const other = lab.aGuest({ core: 1, ramMib: 8 });
  lab.hypervisor.interrupt(lab.core(1));
  return other;
}

suite("what is refused, with a reason, and changes nothing", () => {
  type Arrange = (it: PartitionLab) => { ipa: number; size?: number; refusedIpa?: number };
  const CASES: Record<string, [code: number, arrange: Arrange]> = {
    "an address of the first GiB": [abi.PARTITION_RANGE, () => ({ ipa: 0x0e000000 })],
    "an address beyond the root's first entry": [abi.PARTITION_RANGE, () => ({ ipa: 512 * GIB })],
    "what is not mapped": [abi.PARTITION_NOT_MEMORY, () => ({ ipa: RAM_IPA + 16 * MIB2 })],
    "a GiB without a table": [abi.PARTITION_NOT_MEMORY, () => ({ ipa: 3 * GIB })],
    "a region of which the end is not mapped": [
      abi.PARTITION_NOT_MEMORY,
      () => ({ ipa: RAM_IPA + 3 * MIB2, size: 2 * MIB2, refusedIpa: RAM_IPA + 4 * MIB2 }),
    ],
    "2 MiB in pages of which one is missing, though its entry names another VM's": [
      abi.PARTITION_NOT_MEMORY,
      (it) => {
        mapPages(it, FAR_IPA, 511);
        const other = anotherGuest(it);
        put(it.lab, it.vm.tables.entryPa(FAR_IPA + 511 * PAGE, 3), stage2Page(other.ramPa) & ~1n, 1);
        return { ipa: FAR_IPA };
      },
    ],
    "a page among them that the normal world may only read": [
      abi.PARTITION_NOT_MEMORY,
      (it) => {
        const pages = mapPages(it, FAR_IPA);
        const entryPa = it.vm.tables.entryPa(FAR_IPA + 77 * PAGE, 3);
        put(it.lab, entryPa, stage2Page(pages[77]!) & ~word("STAGE2_S2AP_WO"), 1);
        return { ipa: FAR_IPA };
      },
    ],
    "a block that the normal world may only read": [
      abi.PARTITION_NOT_MEMORY,
      (it) => {
        const entry = stage2Block(it.vm.ramPa) & ~word("STAGE2_S2AP_WO");
        put(it.lab, it.vm.tables.entryPa(RAM_IPA, 2), entry, 1);
        return { ipa: RAM_IPA };
      },
    ],
    "a block that is not valid, though its entry names another VM's": [
      abi.PARTITION_NOT_MEMORY,
      (it) => {
        const other = anotherGuest(it);
        put(it.lab, it.vm.tables.entryPa(FAR_IPA, 2), stage2Block(other.ramPa) & ~1n, 1);
        return { ipa: FAR_IPA };
      },
    ],
    "a device": [
      abi.PARTITION_NOT_MEMORY,
      (it) => {
        it.vm.tables.mapBlocks(FAR_IPA, 0x10000000, MIB2);
        return { ipa: FAR_IPA };
      },
    ],
    "memory that another VM has too": [
      abi.PARTITION_SHARED,
      (it) => {
        const other = anotherGuest(it);
        other.tables.mapPage(0x39000000, it.vm.ramPa + MIB2 + 7 * PAGE);
        return { ipa: RAM_IPA + MIB2 };
      },
    ],
    "memory that the normal world has twice": [
      abi.PARTITION_SHARED,
      (it) => {
        it.vm.tables.mapPage(FAR_IPA, it.vm.ramPa);
        return { ipa: RAM_IPA };
      },
    ],
  };

  for (const [name, [code, arrange]] of Object.entries(CASES)) {
    test(name, async () => {
      const it = await aPartitionLab();
      const { ipa, size = MIB2, refusedIpa = ipa } = arrange(it);
      it.place(ipa, size);
      const before = it.lab.machine.notes.length;

      assert.equal(it.secure(ipa, size), false);

      assert.deepEqual(it.refusal(), { code, ipa: refusedIpa });
      assert(!it.lab.machine.notes.slice(before).some((note) => note.startsWith("tlbi")));
      assertIsShared(it, RAM_IPA + 2 * MIB2, it.vm.ramPa + 2 * MIB2);
      it.assertValid();
    });
  }

  test("more than a guest may have", async () => {
    const it = await aPartitionLab({ ramMib: 80 });
    for (let region = 1; region <= 4; region++)
      assert.equal(it.secure(RAM_IPA + (region - 1) * 8 * MIB2, 8 * MIB2, region), true);
    assert.equal(it.secure(RAM_IPA + 32 * MIB2, MIB2, 5), false);
    assert.deepEqual(it.refusal(), { code: abi.PARTITION_EXHAUSTED, ipa: RAM_IPA + 32 * MIB2 });
    it.assertValid();
  });

  test("in more pieces of 1 GiB than a guest may have", async () => {
    const it = await aPartitionLab();
    for (let gib = 2; gib <= 5; gib++) it.vm.tables.mapBlocks(gib * GIB, 0x70000000 + gib * MIB2, MIB2);
    for (let gib = 2; gib <= 5; gib++) assert.equal(it.secure(gib * GIB, MIB2, gib), true);
    assert.equal(it.secure(RAM_IPA, MIB2, 1), false);
    assert.deepEqual(it.refusal(), { code: abi.PARTITION_EXHAUSTED, ipa: RAM_IPA });
    it.assertValid();
  });
});

suite("what the hypervisor does meanwhile", () => {
  test("it maps what is taken nowhere: not in this VM, not in another, not at EL2", async () => {
    const it = await aPartitionLab();
    const other = anotherGuest(it);
    const place = other.tables.entryPa(GIB + 64 * MIB2, 3);
    it.secure(RAM_IPA);
    assert.equal(put(it.lab, it.vm.tables.entryPa(RAM_IPA, 2), stage2Block(it.vm.ramPa), 1), "aborted");
    assert.equal(put(it.lab, place, stage2Page(it.vm.ramPa + PAGE), 1), "aborted");
    for (const write of [true, false]) {
      const entryPa = it.lab.hypervisor.tables.vmap + 8 * 100;
      assert.equal(put(it.lab, entryPa, stage1Leaf(it.vm.ramPa + PAGE, 3, { write }), 1), "aborted");
    }
    it.assertValid();
  });

  test("it keeps no page that it has mapped beside its direct map, to read or to write", async () => {
    for (const write of [true, false]) {
      const it = await aPartitionLab();
      const entryPa = it.lab.hypervisor.tables.vmap + 8 * 100;
      assert.equal(put(it.lab, entryPa, stage1Leaf(it.vm.ramPa + PAGE, 3, { write }), 1), "done");
      assert.equal(it.secure(RAM_IPA), false);
      assert.equal(it.refusal()!.code, abi.PARTITION_SHARED);
      assert.equal(put(it.lab, entryPa, 0n, 1), "done");
      assert.equal(it.secure(RAM_IPA), true);
      it.assertValid();
    }
  });

  test("what it changes beside is the TEE's too, at once", async () => {
    const it = await aPartitionLab();
    it.secure(RAM_IPA);
    it.warmCaches(RAM_IPA, 4 * MIB2);
    assert.equal(put(it.lab, it.vm.tables.entryPa(RAM_IPA + MIB2, 2), 0n, 1), "done");
    assert.equal(it.teePa(RAM_IPA + MIB2), undefined);
    assert.equal(put(it.lab, it.vm.tables.entryPa(RAM_IPA + MIB2, 2), stage2Block(0x70000000), 1), "done");
    assert.equal(it.teePa(RAM_IPA + MIB2), 0x70000000);
    assertIsTees(it, RAM_IPA, it.vm.ramPa);
    it.assertValid();
  });

  test("it removes the tables, and puts them back: what is taken stays, the rest goes and comes", async () => {
    const it = await aPartitionLab();
    it.secure(RAM_IPA);
    it.warmCaches(RAM_IPA, 4 * MIB2);
    for (const level of [1, 0] as const) {
      const entryPa = it.vm.tables.entryPa(RAM_IPA, level);
      const entry = it.lab.machine.memory.read64(entryPa);
      assert.equal(put(it.lab, entryPa, 0n, 1), "done");
      assert.equal(it.teePa(RAM_IPA + MIB2), undefined);
      assert.equal(it.teePa(RAM_IPA), it.vm.ramPa);
      it.assertValid();
      assert.equal(put(it.lab, entryPa, entry, 1), "done");
      assert.equal(it.teePa(RAM_IPA + MIB2), it.vm.ramPa + MIB2);
      it.assertValid();
    }
  });

  test("it maps something else at the place of what is taken: the TEE does not see it until it returns that", async () => {
    const it = await aPartitionLab();
    it.secure(RAM_IPA);
    assert.equal(put(it.lab, it.vm.tables.entryPa(RAM_IPA, 2), stage2Block(0x70000000), 1), "done");
    assert.equal(it.teePa(RAM_IPA), it.vm.ramPa);
    assert.equal(it.normalPa(RAM_IPA), 0x70000000);

    it.release();

    assert.equal(it.teePa(RAM_IPA), 0x70000000);
    assert.equal(stateOf(it.lab, it.vm.ramPa), "FREE");
    it.assertValid();
  });

  test("it touches what is taken: it gets it scrubbed, and the TEE is over", async () => {
    const it = await aPartitionLab();
    const pa = it.vm.ramPa + MIB2;
    it.secure(RAM_IPA, 2 * MIB2);
    it.warmCaches(RAM_IPA, 2 * MIB2);
    it.lab.machine.memory.write64(pa + 8, SECRET);

    assert.equal(it.lab.hypervisor.store(it.lab.core(1), directMapVa(pa), 7n), "done");

    assert.equal(it.lab.machine.memory.read64(pa + 8), 0n);
    assert.equal(it.lab.status.guests[0]!.state, "faulted");
    assert.equal(Number(it.lab.status.events.at(-1)!.arguments[0]), FAULT_MEMORY_LOST);
    assert.equal(it.teePa(RAM_IPA + MIB2), undefined);
    assertIsTees(it, RAM_IPA, it.vm.ramPa);
    it.assertValid();
  });

  test("what it maps at a place that it took back does not reach a TEE that still runs", async () => {
    const it = await aPartitionLab();
    it.secure(RAM_IPA);
    it.lab.hypervisor.store(it.lab.core(1), directMapVa(it.vm.ramPa), 7n);
    assert.equal(put(it.lab, it.vm.tables.entryPa(RAM_IPA, 2), stage2Block(0x70000000), 1), "done");
    assert.equal(it.teePa(RAM_IPA), undefined);
    for (const level of [1, 0] as const) {
      const entryPa = it.vm.tables.entryPa(RAM_IPA, level);
      const entry = it.lab.machine.memory.read64(entryPa);
      put(it.lab, entryPa, 0n, 1);
      put(it.lab, entryPa, entry, 1);
      assert.equal(it.teePa(RAM_IPA), undefined);
    }
    it.assertValid();
  });

  test("a TEE that is over changes its partition no more", async () => {
    const it = await aPartitionLab();
    it.secure(RAM_IPA);
    it.lab.hypervisor.store(it.lab.core(1), directMapVa(it.vm.ramPa), 7n);
    assert.equal(it.secure(RAM_IPA + MIB2, MIB2, 2), false);
    it.release();
    assert.equal(it.read("REGION_ATTRIBUTES", 1), SECURE);
    assert.equal(it.refusal()!.code, abi.PARTITION_FAILED);
  });
});

suite("the end of a guest", () => {
  test("gives back all that its TEE had taken, scrubbed", async () => {
    const it = await aPartitionLab();
    const pages = mapPages(it, FAR_IPA);
    it.secure(RAM_IPA, 2 * MIB2);
    it.secure(FAR_IPA, MIB2, 2);
    for (const pa of [it.vm.ramPa, pages[9]!]) it.lab.machine.memory.write64(pa, SECRET);
    it.lab.tee().callDone(0n);
    it.lab.hypervisor.interrupt(it.lab.core(0));

    it.lab.hypervisor.destroy(it.lab.core(0), it.vm);

    assert(it.lab.machine.memory.isZero(it.vm.ramPa, 2 * MIB2));
    for (const pa of [it.vm.ramPa, it.vm.ramPa + MIB2, pages[9]!]) {
      assert.equal(stateOf(it.lab, pa), "FREE");
      assert.equal(it.isReadByHypervisor(pa), true);
      assert.equal(it.isReachedByDevices(pa), true);
      assert.equal(it.lab.machine.memory.read64(pa), 0n);
    }
    it.assertValid();
  });

  test("after the hypervisor has cleared some of it before, as Xen does", async () => {
    const it = await aPartitionLab();
    it.secure(RAM_IPA, 3 * MIB2);
    it.lab.tee().callDone(0n);
    it.lab.hypervisor.interrupt(it.lab.core(0));
    it.lab.hypervisor.zeroPage(it.vm.ramPa + MIB2);
    it.lab.hypervisor.destroy(it.lab.core(0), it.vm);
    assert.equal(it.lab.status.guests.length, 0);
    assert.equal(stateOf(it.lab, it.vm.ramPa), "FREE");
    it.assertValid();
  });

  test("the slot's next guest finds its controller as after reset", async () => {
    const it = await aPartitionLab({ guests: 1 });
    it.secure(RAM_IPA);
    it.lab.tee().callDone(0n);
    it.lab.hypervisor.interrupt(it.lab.core(0));
    it.lab.hypervisor.destroy(it.lab.core(0), it.vm);
    const next = calledTee(it.lab, 8);
    assert.equal(next.read("REGION_ATTRIBUTES", 1), 0);
    assert.equal(next.read("REGION_BASE_LOW", 1), 0);
    assert.equal(next.secure(RAM_IPA), true);
    next.assertValid();
  });
});

test("tables that the hypervisor links far above the normal world's change nothing of what its TEE reaches", async () => {
  const it = await aPartitionLab();
  it.secure(RAM_IPA);
  // Below root[32] a table's record says the same address as below root[0]: it leaves out the upper bits.
  const FAR_ROOT_INDEX = 32;
  const granule = 7; // of the GiB in which the TEE has taken one, and empty
  const level3 = aTable(it.lab);
  const level2 = aTable(it.lab);
  const level1 = aTable(it.lab, { [RAM_IPA / GIB]: tableAt(level2) });
  const before = it.teePa(RAM_IPA + granule * MIB2);

  put(it.lab, it.vm.tables.entryPa(0, 0) + FAR_ROOT_INDEX * 8, tableAt(level1), 1);
  put(it.lab, level2 + granule * 8, tableAt(level3), 1);
  put(it.lab, level3, stage2Page(it.lab.hypervisor.allocate()), 1);

  assert.equal(it.teePa(RAM_IPA + granule * MIB2), before);
  it.assertValid();
});
