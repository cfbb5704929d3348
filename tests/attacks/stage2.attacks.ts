// Xen against the translations of its guests: classes A and B of the threat model.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { FW_CFG_PA, SMMU_PA } from "../../abi/memory-map.ts";
import { PAGE_FREE, PAGE_STAGE2_TABLE } from "../../abi/pages.ts";
import { word } from "../machine/source-words.ts";
import { type AttackLab, assertUnchanged, rootPaOf } from "./attack-lab.ts";
import { BLOCK_SIZE, isTable, outputPa, PAGE_SIZE } from "./live-tables.ts";

const TABLE = word("DESCRIPTOR_TABLE");
const PAGE = word("STAGE2_PAGE_NORMAL_RWX");
const BLOCK = word("STAGE2_BLOCK_NORMAL_RWX");
const CONTIGUOUS = word("STAGE2_CONTIGUOUS");
const ENTRY_SIZE = 8;
const RACES = 8;

const pageOf = (pa: number) => BigInt(pa) | PAGE;
const blockOf = (pa: number) => BigInt(pa - (pa % BLOCK_SIZE)) | BLOCK;
const tableOf = (pa: number) => BigInt(pa) | TABLE;

export function stage2Attacks(labOf: () => AttackLab): void {
  suite("Xen and the stage 2 of its guests", () => {
    /** The control domain, the guest whose TEE it is, and another guest. */
    const tenants = () => [labOf().controlDomainVttbr, ...labOf().guests.map(({ vttbr }) => vttbr)];

    test("maps a page of a TEE in dom0, in the TEE's own guest, in another guest", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        for (const vttbr of tenants()) {
          const { pa } = await labOf().freeStage2Entry(vttbr, 3);
          await labOf().refusedStore(core, pa, pageOf(victimPa));
        }
      });
    });

    test("maps 2 MiB or 1 GiB of which a part is a TEE's", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        const [dom0] = tenants();
        const { pa } = await labOf().freeStage2Entry(dom0!, 2);
        const { pa: upperPa } = await labOf().freeStage2Entry(dom0!, 1);

        await labOf().refusedStore(core, pa, blockOf(victimPa));
        await labOf().refusedStore(core, pa, blockOf(victimPa) | CONTIGUOUS);
        await labOf().refusedStore(
          core,
          upperPa,
          BLOCK | (BigInt(victimPa) & word("BLOCK_L1_OUTPUT_ADDRESS_MASK")),
        );
      });
    });

    test("maps in dom0 what decides: the monitor's memory, live tables, its own text, the SMMU, fw_cfg", async () => {
      const { xen, poolPa } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage2Entry(labOf().controlDomainVttbr, 3);
        const targets = [
          poolPa,
          xen.stage1.rootPa,
          rootPaOf(labOf().guests[0]!.vttbr),
          outputPa(xen.text[0]!),
          SMMU_PA,
          FW_CFG_PA,
        ];
        for (const targetPa of targets) await labOf().refusedStore(core, pa, pageOf(targetPa));
      });
    });

    test("stores an entry whose bits the architecture reserves", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage2Entry(labOf().controlDomainVttbr, 3);
        const { pa: upperPa } = await labOf().freeStage2Entry(labOf().controlDomainVttbr, 2);
        const notAligned = blockOf((await labOf().scratchPages(1))[0]!) | BigInt(PAGE_SIZE);

        await labOf().refusedStore(core, pa, blockOf(victimPa)); // a block at level 3
        await labOf().refusedStore(core, upperPa, notAligned);
      });
    });

    test("links a hand-made subtree of which one leaf of many is a TEE's page", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage2Entry(labOf().guests[1]!.vttbr, 2);
        const [tablePa, ownPa, otherPa] = await labOf().scratchPages(3);
        const leaves: [number, number][] = [
          [0, ownPa!],
          [1, otherPa!],
          [511, victimPa],
        ];
        for (const [index, leafPa] of leaves)
          await labOf().storeOwn(core, tablePa! + index * ENTRY_SIZE, pageOf(leafPa));

        await labOf().refusedStore(core, pa, tableOf(tablePa!));

        const records = await labOf().witness.records();
        assert.deepEqual(
          [tablePa!, ownPa!, otherPa!].map((at) => records.stateOf(at)),
          [PAGE_FREE, PAGE_FREE, PAGE_FREE],
        );
        for (const [index] of leaves) await labOf().storeOwn(core, tablePa! + index * ENTRY_SIZE, 0n);
      });
    });

    test("links a table of another level, of another VM, of itself, of the monitor", async () => {
      const { xen, poolPa } = labOf();
      await xen.attack(async (core) => {
        const [, first, second] = tenants();
        const { pa } = await labOf().freeStage2Entry(first!, 2);
        const own = (await labOf().stage2(first!).walk(0n)).filter(isTable).map(outputPa);
        const others = (await labOf().stage2(second!).walk(0n)).filter(isTable).map(outputPa);

        for (const tablePa of [rootPaOf(first!), ...own, ...others, xen.stage1.rootPa, poolPa])
          await labOf().refusedStore(core, pa, tableOf(tablePa));
      });
    });

    test("keeps writing a table that it has linked: every entry is checked, and the table is its own again at last", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        const { pa } = await labOf().freeStage2Entry(labOf().guests[0]!.vttbr, 2);
        const [tablePa] = await labOf().scratchPages(1);

        await labOf().storeOwn(core, pa, tableOf(tablePa!));
        assert.equal((await labOf().witness.records()).stateOf(tablePa!), PAGE_STAGE2_TABLE);
        await labOf().refusedStore(core, tablePa!, pageOf(victimPa));
        await labOf().storeOwn(core, pa, 0n);
        assert.equal((await labOf().witness.records()).stateOf(tablePa!), PAGE_FREE);
        await labOf().storeOwn(core, tablePa!, 1n);
        await labOf().storeOwn(core, tablePa!, 0n);
      });
    });

    test("two cores store different entries at the same place: one translation, nothing counted twice", async () => {
      const { xen } = labOf();
      await xen.attack(async (...cores) => {
        const { pa } = await labOf().freeStage2Entry(labOf().guests[0]!.vttbr, 3);
        const targets = await labOf().scratchPages(2);
        const before = await labOf().witness.take(cores[0]!);
        const gadget = xen.gadgets.str(8);
        const [source] = gadget.sources;

        for (let race = 0; race < RACES; race++) {
          const outcomes = await xen.race(
            cores.map((thread, index) => ({
              thread,
              gadget,
              registers: { [gadget.base]: xen.directMapVa(pa), [source!]: pageOf(targets[index]!) },
            })),
          );
          assert.deepEqual(
            outcomes.map(({ end }) => end),
            ["done", "done"],
          );
          assert(targets.map(pageOf).includes(await labOf().read64(pa)));
          await labOf().storeOwn(cores[0]!, pa, 0n);
        }

        assertUnchanged(before, await labOf().witness.take(cores[0]!));
      }, 2);
    });

    test("one core links a table while another stores a TEE's page into it: never both", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (...cores) => {
        const { pa } = await labOf().freeStage2Entry(labOf().guests[0]!.vttbr, 2);
        const [tablePa] = await labOf().scratchPages(1);
        const gadget = xen.gadgets.str(8);
        const registersFor = (at: number, value: bigint) => ({
          [gadget.base]: xen.directMapVa(at),
          [gadget.sources[0]!]: value,
        });

        for (let race = 0; race < RACES; race++) {
          const [link, poison] = await xen.race([
            { thread: cores[0]!, gadget, registers: registersFor(pa, tableOf(tablePa!)) },
            { thread: cores[1]!, gadget, registers: registersFor(tablePa!, pageOf(victimPa)) },
          ]);
          assert(link!.end !== "done" || poison!.end !== "done", "a TEE's page is mapped");
          const isLinked = (await labOf().read64(pa)) !== 0n;
          assert.equal(isLinked ? await labOf().read64(tablePa!) : 0n, 0n);
          await labOf().storeOwn(cores[0]!, pa, 0n);
          await labOf().storeOwn(cores[0]!, tablePa!, 0n);
        }
      }, 2);
    });
  });
}
