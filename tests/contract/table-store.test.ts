// A store of the hypervisor's to a translation table faults and is performed by the monitor: any store of general registers, and exactly
// what the instruction would have done; or not at all, with the fault for the hypervisor.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { stores } from "../../arm/stores.ts";
import { XEN_VBAR } from "../drivers/hypervisor.ts";
import { aLab, type Lab } from "../drivers/lab.ts";
import {
  assertDone,
  assertRefused,
  assertUnchanged,
  aTable,
  PAGE,
  put,
  stage2Page,
  stateOf,
} from "../drivers/tables.ts";
import { directMapVa, IMAGE_PAGES, imagePa, imageVa } from "../drivers/xen-memory.ts";
import { EL2H, MASKED } from "../machine/core.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { word } from "../machine/source-words.ts";
import { assembleStore, storeEffect } from "../machine/store-execution.ts";

const IPA = 0x80_0000_0000;
const STR_X2_X1 = assembleStore("STR_OFFSET", { RT: 2, RN: 1, SIZE: 3 });
const VECTOR = XEN_VBAR + 0x200n;

/** A live table of the last level, with a page mapped by its first entry and by its last. */
async function aLiveTable() {
  const lab = await aLab();
  const { tables } = lab.hypervisor.controlDomain;
  const tablePa = tables.entryPa(IPA, 3);
  for (const index of [0, 511])
    assertDone(put(lab, tablePa + index * 8, stage2Page(lab.hypervisor.allocate())));
  return { lab, tablePa };
}

// Registers: 1 is the base, 2 and 3 are stored, 4 is an offset.
const FORMS = stores.filter(({ name }) => !["STXR", "B"].includes(name));
const anInstruction = fc
  .constantFrom(...FORMS)
  .chain(({ name, fields }) =>
    fc
      .record(
        Object.fromEntries(
          Object.entries(fields).map(([field, { high, low }]) => [
            field,
            field === "RN"
              ? fc.constant(1)
              : field === "RM"
                ? fc.constant(4)
                : field === "RT" || field === "RT2"
                  ? fc.constantFrom(2, 3, 31)
                  : field === "OPTION"
                    ? fc.constantFrom(2, 3, 6, 7)
                    : fc.nat({ max: 2 ** (high - low + 1) - 1 }),
          ]),
        ),
      )
      .map((values) => ({ name, instruction: assembleStore(name, name === "DC_ZVA" ? { RT: 1 } : values) })),
  );
/** Values that leave every entry invalid, whichever part of it they fill: bit 0 of each byte is 0. */
const harmless = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => value & 0xfefefefefefefefen);

suite("what the monitor performs is what the instruction does", () => {
  test("any form, size, offset and register: the same bytes as on a page of the hypervisor's own", async () => {
    const { lab, tablePa } = await aLiveTable();
    const ownPa = aTable(lab);
    const core = lab.core(0);
    fc.assert(
      fc.property(
        anInstruction,
        fc.nat({ max: 400 }),
        harmless,
        harmless,
        harmless,
        (form, slot, ...values) => {
          const results = [tablePa, ownPa].map((pa) => {
            const [first, second, offset] = values as [bigint, bigint, bigint];
            const registers = [0n, 0n, first, second, BigInt.asIntN(40, offset) & 0xffffff8n];
            const read = (index: number) => registers[index] ?? 0n;
            const probe = storeEffect(form.instruction, read, 0n)!;
            const size = BigInt(probe.size * probe.values.length);
            const target = directMapVa(pa) + 64n + (BigInt(slot * 8) / size) * size;
            registers[1] = BigInt.asUintN(64, target - probe.va);
            registers.forEach((value, index) => {
              core.x[index] = value;
            });
            assertDone(lab.hypervisor.execute(core, form.instruction));
            const bytes = lab.machine.memory.bytes(pa + 64, PAGE - 128);
            return {
              bytes: Buffer.from(bytes).toString("hex"),
              moved: core.x[1]! - registers[1]!,
              rest: [...core.x.slice(2)],
            };
          });
          assert.deepEqual(results[0], results[1], form.name);
        },
      ),
      { numRuns: 400 },
    );
    assert.equal(stateOf(lab, tablePa), "STAGE2_TABLE 1");
  });

  test("an entry in two halves: it is checked as it stands after each of them", async () => {
    const { lab, tablePa } = await aLiveTable();
    const pa = lab.hypervisor.allocate();
    const entry = stage2Page(pa) | (1n << 55n);
    const half = assembleStore("STR_OFFSET", { RT: 2, RN: 1, SIZE: 2 });
    for (const [offset, value] of [
      [4n, entry >> 32n],
      [0n, entry & 0xffffffffn],
    ] as const) {
      lab.core(0).x[1] = directMapVa(tablePa) + 16n + offset;
      lab.core(0).x[2] = value;
      assertDone(lab.hypervisor.execute(lab.core(0), half));
    }

    assert.equal(lab.machine.memory.read64(tablePa + 16), entry);
    assert.equal(stateOf(lab, pa), "GUEST 1");
  });

  test("while a VM waits for its TEE the hypervisor's stores are performed as well", async () => {
    const { lab, tablePa } = await aLiveTable();
    lab.hypervisor.run(lab.core(0), lab.aVm().vcpus[0]!);
    lab.hypervisor.interrupt(lab.core(0));
    assert.equal(lab.core(0).get("VBAR_EL2") >> 39n, word("TOP_SLOT"));

    assertDone(put(lab, tablePa + 8, 0x1000n));

    assert.equal(lab.machine.memory.read64(tablePa + 8), 0x1000n);
  });

  test("stores are counted in the status page", async () => {
    const { lab, tablePa } = await aLiveTable();
    const { tableStores } = lab.status.protection;
    put(lab, tablePa + 8, 2n);
    put(lab, tablePa + 8, 4n);
    assert.equal(lab.status.protection.tableStores, tableStores + 2);
  });
});

suite("what is not performed is the hypervisor's fault, and recorded", () => {
  const UNKNOWN: Record<string, number> = {
    "a store with SP as its base": assembleStore("STR_OFFSET", { RT: 2, RN: 31, SIZE: 3 }),
    "a pair with SP as its base": assembleStore("STP_PRE", { RT: 2, RT2: 3, RN: 31, SF: 1 }),
    "an exclusive store": assembleStore("STXR", { RT: 2, RN: 1, RS: 5, SIZE: 3 }),
    "an unprivileged store": 0xf8000822,
    "a store of SIMD registers": 0x3d800020,
    "a pair of SIMD registers": 0xad000820,
    "an atomic addition": 0xf8220023,
    "a load": 0xf9400022,
    "a store with a reserved extension": 0xf8240822,
    "no store at all": 0xd503201f,
  };

  for (const [name, instruction] of Object.entries(UNKNOWN)) {
    test(name, async () => {
      const { lab, tablePa } = await aLiveTable();
      const core = lab.core(0);
      const va = directMapVa(tablePa) + 16n;
      core.x[1] = va;
      core.x[2] = 0x1000n;
      core.set("SP_EL2", va);
      lab.hypervisor.plant(instruction);

      assertRefused(lab, () =>
        lab.hypervisor.faults(core, instruction, va) === VECTOR ? "aborted" : "done",
      );

      assert.equal(core.get("FAR_EL2"), va);
      assert.equal(lab.status.events.at(-1)?.arguments[1], `0x${va.toString(16)}`);
    });
  }

  const PLACES: Record<string, (lab: Lab, tablePa: number) => bigint> = {
    "a store that is not aligned to its size": (_lab, tablePa) => directMapVa(tablePa) + 12n,
    "a store across the end of a page": (_lab, tablePa) => directMapVa(tablePa) + 0xffcn,
    "a store to the hypervisor's text": () => directMapVa(imagePa(0)),
    "a store to its text, where it executes": () => imageVa(0),
    "a store to its initialisation code": () => directMapVa(imagePa(IMAGE_PAGES.initText[0])),
    "a store to the monitor's vectors": (lab) => lab.core(0).get("VBAR_EL2"),
    "a store to the trapping vectors": () => word("TOP_SLOT") << 39n,
  };

  for (const [name, place] of Object.entries(PLACES)) {
    test(name, async () => {
      const { lab, tablePa } = await aLiveTable();
      const va = place(lab, tablePa);
      assertRefused(lab, () => lab.hypervisor.store(lab.core(0), va, 0x1000n));
    });
  }

  test("an address that EL2 does not map, or that is no address", async () => {
    const { lab } = await aLiveTable();
    for (const va of [0x1000n, directMapVa(lab.machine.poolTeePa), 1n << 60n, 2n ** 64n - 8n]) {
      lab.core(0).x[1] = va;
      assertRefused(lab, () =>
        lab.hypervisor.faults(lab.core(0), STR_X2_X1, va) === VECTOR ? "aborted" : "done",
      );
    }
  });

  test("an instruction outside of the text: anybody could change it", async () => {
    const { lab, tablePa } = await aLiveTable();
    const core = lab.core(0);
    const page = IMAGE_PAGES.data[0];
    lab.machine.memory.write(imagePa(page), 4, BigInt(STR_X2_X1));
    core.x[1] = directMapVa(tablePa) + 16n;
    const text = lab.hypervisor.plant(STR_X2_X1);
    for (const va of [imageVa(page), directMapVa(imagePa(page)), text + 2n, 0x1000n])
      assertRefused(lab, () =>
        lab.hypervisor.faultsAt(core, va, core.x[1]!) === VECTOR ? "aborted" : "done",
      );
  });
});

suite("what is no store to a read-only page is the hypervisor's alone, and no violation", () => {
  const EC_DATA = word("ESR_EL2_EC_DATA_ABORT") << 26n;
  const SYNDROMES: Record<string, bigint> = {
    "a load": EC_DATA | 0xfn,
    "a translation fault": EC_DATA | 0x47n,
    "an access flag fault": EC_DATA | 0x4bn,
    "an external abort": EC_DATA | 0x50n,
    "an instruction abort": (0x21n << 26n) | 0xfn,
    "a breakpoint": 0x3cn << 26n,
    "an undefined instruction": 0n,
  };

  for (const [name, esr] of Object.entries(SYNDROMES)) {
    test(name, async () => {
      const { lab, tablePa } = await aLiveTable();
      const core = lab.core(0);
      core.x[1] = directMapVa(tablePa) + 16n;
      const va = lab.hypervisor.plant(STR_X2_X1);
      const { violations } = lab.status.protection;

      assertUnchanged(lab, () => assert.equal(lab.hypervisor.faultsAt(core, va, core.x[1]!, esr), VECTOR));

      assert.equal(core.get("ESR_EL2"), esr);
      assert.equal(core.get("ELR_EL2"), va);
      assert.equal(core.get("SPSR_EL2"), EL2H | MASKED);
      assert.equal(lab.status.protection.violations, violations);
    });
  }

  test("a syndrome that would return below EL2 is not believed", async () => {
    const { lab, tablePa } = await aLiveTable();
    const core = lab.core(0);
    core.x[1] = directMapVa(tablePa) + 16n;
    core.x[2] = 0x1000n;
    for (const mode of [0x5n, 0x4n, 0x8n, 0xdn, 0x10n, 0x1an]) {
      core.set("ELR_EL2", lab.hypervisor.plant(STR_X2_X1));
      core.set("SPSR_EL2", mode);
      core.set("ESR_EL2", EC_DATA | 0x4fn);
      core.pstate = EL2H | MASKED;
      lab.hypervisor.issues(core, Number(word("HYPERVISOR_FAULT_CALL")));
      assert.equal(core.exceptionLevel, 2, mode.toString(16));
      assert.equal(lab.machine.memory.read64(tablePa + 16), 0n);
    }
  });

  test("its own read-only data", async () => {
    const { lab } = await aLiveTable();
    const { violations } = lab.status.protection;
    const va = imageVa(IMAGE_PAGES.rodata[0]);

    assertUnchanged(lab, () => assert.equal(lab.hypervisor.store(lab.core(0), va, 1n), "aborted"));

    assert.equal(lab.status.protection.violations, violations);
  });

  test("a page that has become the hypervisor's own meanwhile: it stores again", async () => {
    const { lab } = await aLiveTable();
    const core = lab.core(0);
    const pa = aTable(lab);
    core.x[1] = directMapVa(pa);
    const va = lab.hypervisor.plant(STR_X2_X1);

    assertUnchanged(lab, () => assert.equal(lab.hypervisor.faultsAt(core, va, core.x[1]!), va));
  });
});

test("after refusals without number the monitor still answers", async () => {
  const { lab, tablePa } = await aLiveTable();
  const state = new MonitorState(lab.machine);
  for (let round = 0; round < 1000; round++)
    put(lab, tablePa + 16, stage2Page(lab.machine.bootPackage.poolPa + round * PAGE));
  assert.equal(state.machine("violations"), 1000n);
  assertDone(put(lab, tablePa + 16, 0n));
});
