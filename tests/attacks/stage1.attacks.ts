// Xen against its own translation: classes A and C of the threat model (mapping, code integrity).

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { FW_CFG_PA, SMMU_PA } from "../../abi/memory-map.ts";
import { PAGE_FREE, PAGE_HYPERVISOR_TEXT } from "../../abi/pages.ts";
import { word } from "../machine/source-words.ts";
import { type AttackLab, assertPermissionFault, assertTranslationFault } from "./attack-lab.ts";
import { aimedAt, BLOCK_SIZE, outputPa, PAGE_SIZE } from "./live-tables.ts";

const READ_ONLY = word("STAGE1_AP_READ_ONLY");
const XN = word("STAGE1_XN");
const TABLE_BIT = word("DESCRIPTOR_TABLE") & ~word("DESCRIPTOR_VALID");
/** Software's own: hardware does not look at it. */
const IGNORED = 1n << 55n;

export function stage1Attacks(labOf: () => AttackLab): void {
  suite("Xen and its own stage 1", () => {
    test("reads a page of a TEE through its direct map: there is no such mapping", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        const { va, base, target } = xen.gadgets.ldr();
        const secretVa = xen.directMapVa(victimPa);

        const outcome = await labOf().harmless(core, () =>
          xen.jump(core, va, { [base]: secretVa, [target]: 0x5ec5n }),
        );

        assertTranslationFault(outcome, "DATA_ABORT", secretVa);
        assert.equal(outcome.registers.x[target], 0x5ec5n);
      });
    });

    test("writes a page of a TEE through its direct map: there is no such mapping", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        const outcome = await labOf().harmless(core, () => labOf().store(core, victimPa, 1n));
        assertTranslationFault(outcome, "DATA_ABORT", xen.directMapVa(victimPa));
      });
    });

    test("maps a page of a TEE, of the monitor, or a device that reaches all memory", async () => {
      const { xen, victimPa, poolPa } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage1Entry(3);
        const data = await labOf().dataMapping();

        for (const targetPa of [victimPa, poolPa, FW_CFG_PA, SMMU_PA])
          for (const permission of [0n, READ_ONLY])
            await labOf().refusedStore(core, pa, aimedAt(data, targetPa) | permission);
      });
    });

    test("maps 2 MiB of a TEE, or 2 MiB of which a part is text", async () => {
      const { xen, victimPa, poolPa } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage1Entry(2);
        const data = await labOf().dataMapping();
        const block = { ...data, value: data.value & ~TABLE_BIT };

        for (const targetPa of [victimPa, poolPa, outputPa(xen.text[0]!)])
          await labOf().refusedStore(core, pa, aimedAt(block, targetPa - (targetPa % BLOCK_SIZE)));
      });
    });

    test("makes a text page writable, with and without execution, or a data page executable", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const text = xen.text.at(-1)!;
        const data = await labOf().dataMapping();

        await labOf().refusedStore(core, text.pa, text.value & ~READ_ONLY);
        await labOf().refusedStore(core, data.pa, data.value & ~XN);
        await labOf().refusedStore(core, data.pa, (data.value & ~XN) | READ_ONLY);
      });
    });

    test("maps executable what is not: constants, a page in a free entry, text elsewhere", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage1Entry(3);
        const constants = await labOf().constantMapping();
        const text = xen.text.at(-1)!;
        const [scratchPa] = await labOf().scratchPages(1);

        await labOf().refusedStore(core, constants.pa, constants.value & ~XN);
        await labOf().refusedStore(core, pa, aimedAt(text, scratchPa!));
        await labOf().refusedStore(core, pa, text.value);
      });
    });

    test("writes text through the direct map, also after it has stored the text's own entry anew", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const text = xen.text.at(-1)!;
        const textPa = outputPa(text);
        const instruction = await labOf().read64(textPa);

        await labOf().refusedStore(core, textPa, instruction);
        await labOf().store(core, text.pa, text.value ^ IGNORED);
        assert.equal((await labOf().witness.records()).stateOf(textPa), PAGE_HYPERVISOR_TEXT);
        await labOf().refusedStore(core, textPa, instruction);
        await labOf().store(core, text.pa, text.value);
        assert.equal(await labOf().read64(text.pa), text.value);
      });
    });

    test("maps a live table, or text, writable at a second address", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage1Entry(3);
        const data = await labOf().dataMapping();
        const stage2Pa = Number(labOf().guests[0]!.vttbr & word("TABLE_OUTPUT_ADDRESS_MASK"));

        for (const targetPa of [xen.stage1.rootPa, pa - (pa % PAGE_SIZE), stage2Pa, outputPa(xen.text[0]!)])
          await labOf().refusedStore(core, pa, aimedAt(data, targetPa));
      });
    });

    test("keeps a page mapped at a second address and makes it a table", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage1Entry(3);
        const { pa: abovePa } = await labOf().freeStage1Entry(2);
        const data = await labOf().dataMapping();
        const [scratchPa] = await labOf().scratchPages(1);

        await labOf().storeOwn(core, pa, aimedAt(data, scratchPa!));
        await labOf().refusedStore(core, abovePa, BigInt(scratchPa!) | word("DESCRIPTOR_TABLE"));
        await labOf().storeOwn(core, pa, 0n);
      });
    });

    test("links tables that are not empty, that are live, or that lie in the pool or in no memory", async () => {
      const { xen, poolPa } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage1Entry(2);
        const data = await labOf().dataMapping();
        const [scratchPa] = await labOf().scratchPages(1);
        await labOf().storeOwn(core, scratchPa!, aimedAt(data, labOf().victimPa));

        for (const tablePa of [scratchPa!, xen.stage1.rootPa, poolPa, FW_CFG_PA])
          await labOf().refusedStore(core, pa, BigInt(tablePa) | word("DESCRIPTOR_TABLE"));

        assert.equal((await labOf().witness.records()).stateOf(scratchPa!), PAGE_FREE);
        await labOf().storeOwn(core, scratchPa!, 0n);
      });
    });

    test("takes the monitor's own entries away: vectors, direct map", async () => {
      const { xen, poolPa } = labOf();
      await xen.attack(async (core) => {
        let taken = 0;
        for await (const entry of labOf().stage1().valid(poolPa)) {
          if (entry.level === 3 || outputPa(entry) < poolPa || taken > 3) continue;
          await labOf().refusedStore(core, entry.pa, 0n);
          taken++;
        }
        assert(taken > 2, "the monitor's entries were found");
      });
    });

    test("stores to a table by instructions that the monitor does not perform", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage1Entry(3, 8);
        const va = xen.directMapVa(pa);
        const { load, store } = xen.gadgets.exclusivePair();

        await labOf().refusedStoreAt(core, va, xen.gadgets.stpQ());
        await xen.jump(core, load.va, { [load.base]: va });
        await labOf().refusedStoreAt(core, va, store, 0n);
      });
    });

    test("stores two entries at once, one of which is allowed: neither is performed", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage1Entry(3, 2);
        const data = await labOf().dataMapping();
        const [scratchPa] = await labOf().scratchPages(1);
        const values = [aimedAt(data, scratchPa!), aimedAt(data, victimPa)];

        await labOf().refusedStoreAt(core, xen.directMapVa(pa), xen.gadgets.stp(), ...values);
      });
    });

    test("takes a text page away and maps a TEE's page by one store: neither is performed", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        const data = await labOf().dataMapping();
        const text = xen.text.at(-1)!;

        await labOf().refusedStoreAt(
          core,
          xen.directMapVa(text.pa),
          xen.gadgets.stp(),
          0n,
          aimedAt(data, victimPa),
        );
      });
    });

    test("unlinks a table by a cache block: several entries could fail behind it, so nothing is begun", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const entryPa = xen.stage1.rootPa + Number((xen.text[0]!.address >> 39n) & 511n) * 8;
        await labOf().refusedStoreAt(core, xen.directMapVa(entryPa - (entryPa % 64)), xen.gadgets.dcZva());
      });
    });

    test("stores to its own constants: the fault that the architecture gives, and no more", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const constants = await labOf().constantMapping();
        const { address } = constants;
        const before = await labOf().read64(outputPa(constants));

        const outcome = await labOf().harmless(core, () =>
          xen.store(core, xen.gadgets.str(8), address, before + 1n),
        );

        assert.equal(outcome.end, "fault");
        assertPermissionFault(outcome, address);
        assert.equal(await labOf().read64(outputPa(constants)), before);
      });
    });

    test("what is allowed is performed: an entry of its own, in all widths, and away again", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage1Entry(3);
        const value = aimedAt(await labOf().dataMapping(), (await labOf().scratchPages(1))[0]!);
        const va = xen.directMapVa(pa);

        await labOf().storeOwn(core, pa, value);
        assert.equal(await labOf().read64(pa), value);
        await xen.store(core, xen.gadgets.str(1), va, 0n);
        assert.equal(await labOf().read64(pa), value & ~0xffn);
        await xen.store(core, xen.gadgets.str(4), va, 0n);
        await xen.store(core, xen.gadgets.str(4), va + 4n, 0n);
        assert.equal(await labOf().read64(pa), 0n);
      });
    });
  });
}
