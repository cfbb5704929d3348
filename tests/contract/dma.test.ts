// What devices reach through the SMMU, and when they no longer do (el3/monitor/dma), on a model SMMU that uses everything it may still have
// cached.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { FW_CFG_PA, GICD_PA, SECURE_SRAM_PA, SECURE_UART_PA, SMMU_PA } from "../../abi/memory-map.ts";
import { layOutRam } from "../../host/machine/ram-layout.ts";
import { assertFatal, isFatal } from "../drivers/asserts.ts";
import { aDmaLab, type DmaLab, STREAMS, withoutBbml } from "../drivers/dma.ts";
import { BLOCK, PAGE, type Smmu } from "../machine/smmu.ts";
import { size } from "../machine/source-words.ts";

const GIB = 2 ** 30;
const AT = 0x50000000;

function* steps(from: number, end: number, step: number): Generator<number> {
  for (let pa = from; pa < end; pa += step) yield pa;
}

suite("after boot", () => {
  test("every stream reaches all of RAM below the pool, at its physical address", async () => {
    const lab = await aDmaLab();
    for (const stream of STREAMS)
      for (const pa of [...steps(lab.ramPa, lab.poolPa, BLOCK), lab.poolPa - 8])
        assert(lab.reaches(pa, stream), `0x${pa.toString(16)}`);
  });

  test("no stream reaches the pool, a device, secure memory or an address without memory", async () => {
    const lab = await aDmaLab();
    const { poolPa, poolSize } = lab.machine.bootPackage;
    const others = [0, GICD_PA, FW_CFG_PA, SECURE_UART_PA, SMMU_PA, SECURE_SRAM_PA, 2 ** 39, 2 ** 40 - 8];
    for (const stream of STREAMS)
      for (const pa of [...steps(poolPa, poolPa + poolSize, 16 * PAGE), poolPa + poolSize, ...others])
        assert(!lab.reaches(pa, stream), `0x${pa.toString(16)}`);
  });

  test("a stream ID beyond 16 bits is nobody's", async () => {
    const lab = await aDmaLab();
    assert(!lab.reaches(AT, 0x10000));
  });

  test("an SMMU that goes off aborts, and what cores invalidate is not for devices", async () => {
    const { smmu } = await aDmaLab();
    assert.notEqual(smmu.get("GBPA") & size("SMMU_GBPA_ABORT"), 0);
    assert.notEqual(smmu.get("CR2") & size("SMMU_CR2_PTM"), 0);
  });

  test("traffic that says it is translated is checked where there is such", async () => {
    const lab = await aDmaLab({}, (smmu) => smmu.set("IDR0", smmu.get("IDR0") | size("SMMU_IDR0_ATS")));
    assert.notEqual(lab.smmu.get("CR0") & size("SMMU_CR0_ATSCHK"), 0);
  });

  for (const gib of [2, 8, 64])
    test(`so it is with ${gib} GiB of RAM, to the last page`, async () => {
      const lab = await aDmaLab({ package: layOutRam(gib * GIB, 2) });
      const last = lab.poolPa - PAGE;
      assert(lab.reaches(last) && !lab.reaches(lab.poolPa));
      lab.protect(last);
      assert(!lab.reaches(last) && lab.reaches(last - PAGE) && lab.reaches(last - BLOCK));
    });
});

const KINDS: readonly (readonly [string, (smmu: Smmu) => void])[] = [
  ["a block replaced in use", () => undefined],
  ["a block broken first", withoutBbml],
];
for (const [kind, change] of KINDS)
  suite(`a page that is protected, ${kind}`, () => {
    test("is out of every stream's reach when the call returns, whatever was cached", async () => {
      const lab = await aDmaLab({}, change);
      for (const pa of [AT, AT + PAGE]) lab.smmu.watched.add(pa);
      for (const stream of STREAMS) assert(lab.reaches(AT, stream));
      lab.protect(AT);
      for (const stream of STREAMS) assert(!lab.reaches(AT, stream));
    });

    test("leaves all others of its block where they were", async () => {
      const lab = await aDmaLab({}, change);
      lab.protect(AT + 5 * PAGE);
      for (const pa of steps(AT - BLOCK, AT + 2 * BLOCK, PAGE))
        assert.equal(lab.reaches(pa), pa !== AT + 5 * PAGE, `0x${pa.toString(16)}`);
    });

    test("is reached again when it is released, and protected again the same way", async () => {
      const lab = await aDmaLab({}, change);
      lab.smmu.watched.add(AT);
      for (let round = 0; round < 3; round++) {
        lab.protect(AT);
        assert(!lab.reaches(AT));
        lab.release(AT);
        assert(lab.reaches(AT));
      }
    });
  });

suite("protecting and releasing", () => {
  const commandsOf = (lab: DmaLab) => lab.smmu.get("CMDQ_PROD");

  test("twice is once: no command, no store", async () => {
    const lab = await aDmaLab();
    lab.protect(AT);
    const [before, commands] = [lab.machine.memory.snapshot(), commandsOf(lab)];
    lab.protect(AT);
    lab.release(AT + BLOCK);
    assert.deepEqual(lab.machine.memory.changesSince(before), []);
    assert.equal(commandsOf(lab), commands);
  });

  test("what is not RAM of the hypervisor stays out, and nothing is written for it", async () => {
    const lab = await aDmaLab();
    const before = lab.machine.memory.snapshot();
    const { poolPa, poolSize } = lab.machine.bootPackage;
    for (const pa of [
      0,
      SMMU_PA,
      lab.ramPa - PAGE,
      poolPa,
      poolPa + poolSize - PAGE,
      poolPa + poolSize,
      2 ** 40,
    ]) {
      lab.release(pa);
      lab.protect(pa);
      assert(!lab.reaches(pa), `0x${pa.toString(16)}`);
    }
    const changed = lab.machine.memory.changesSince(before);
    const eventQueue = poolPa + 0x201000;
    assert.deepEqual(
      changed.filter((pa) => pa < eventQueue || pa >= eventQueue + PAGE),
      [],
    );
  });

  test("a range takes one invalidation, also across blocks", async () => {
    const lab = await aDmaLab();
    const [first, end] = [AT + BLOCK - 2 * PAGE, AT + 2 * BLOCK + PAGE];
    for (const pa of steps(first, end, PAGE)) lab.reaches(pa);
    const commands = commandsOf(lab);
    lab.protectRange(first, end - first);
    assert.equal(commandsOf(lab) - commands, 2); // TLBI and SYNC
    for (const pa of steps(first - PAGE, end + PAGE, PAGE))
      assert.equal(lab.reaches(pa), pa < first || pa >= end, `0x${pa.toString(16)}`);
  });

  test("more commands than the queue has entries come through", async () => {
    const lab = await aDmaLab();
    for (const pa of steps(AT, AT + 600 * PAGE, PAGE)) {
      lab.reaches(pa);
      lab.protect(pa);
      assert(!lab.reaches(pa), `0x${pa.toString(16)}`);
    }
  });
});

suite("a machine does not start", () => {
  const rows: readonly [string, (smmu: Smmu) => void][] = [
    ["without stage 1", (smmu) => smmu.set("IDR0", smmu.get("IDR0") & ~size("SMMU_IDR0_S1P"))],
    ["without coherent walks", (smmu) => smmu.set("IDR0", smmu.get("IDR0") & ~size("SMMU_IDR0_COHACC"))],
    [
      "with 32-bit tables only",
      (smmu) => smmu.set("IDR0", smmu.get("IDR0") & ~size("SMMU_IDR0_TTF_AARCH64")),
    ],
    ["whose faults must stall", (smmu) => smmu.set("IDR0", (smmu.get("IDR0") & ~(3 << 24)) | (2 << 24))],
    ["with linear stream tables only", (smmu) => smmu.set("IDR0", smmu.get("IDR0") & ~(3 << 27))],
    ["with a short command queue", (smmu) => smmu.set("IDR1", 16 | (19 << 16) | (7 << 21))],
    ["with a short event queue", (smmu) => smmu.set("IDR1", 16 | (6 << 16) | (19 << 21))],
    [
      "with queues that are fixed",
      (smmu) => smmu.set("IDR1", smmu.get("IDR1") | size("SMMU_IDR1_QUEUES_PRESET")),
    ],
    ["without pages of 4 KiB", (smmu) => smmu.set("IDR5", size("SMMU_IDR5_OAS_B44"))],
    ["with too few address bits", (smmu) => smmu.set("IDR5", size("SMMU_IDR5_GRAN4K") | 1)],
  ];
  for (const [name, change] of rows)
    test(`${name}`, async () => {
      await assert.rejects(aDmaLab({}, change), (error) => isFatal(error, "FATAL_SMMU"));
    });

  test("whose SMMU does not do what it is told", async () => {
    const silent = aDmaLab({}, (smmu) => {
      smmu.isSilent = true;
      smmu.set("CR0ACK", size("SMMU_CR0_SMMUEN"));
    });
    await assert.rejects(silent, (error) => isFatal(error, "FATAL_SMMU_SILENT"));
  });

  test("whose SMMU refuses a command, later as well", async () => {
    const lab = await aDmaLab();
    lab.smmu.refusesCommands = true;
    assertFatal(() => lab.protect(AT), "FATAL_SMMU_SILENT");
  });

  test("whose pool has no room for the table, or whose RAM is more or elsewhere than it is made for", async () => {
    const { poolPa, poolSize } = layOutRam(GIB, 2);
    for (const change of [
      { poolSize: 0x1000000 },
      { poolPa: poolPa + PAGE, poolSize: poolSize - PAGE },
      { ramPa: 0x40200000 },
      { ramSize: 66 * GIB, poolPa: 0x40000000 + 64 * GIB + BLOCK },
    ])
      await assert.rejects(aDmaLab({ package: change }), (error) => isFatal(error, "FATAL_BOOT_PACKAGE"));
  });
});
