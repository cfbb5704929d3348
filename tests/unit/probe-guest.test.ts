// The probe guest's own code, so that what it says on QEMU can be believed: a guest that says ok of everything would be noticed.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { NORMAL_RAM_IPA } from "../../abi/memory-map.ts";
import * as probe from "../../abi/probe.ts";
import * as abi from "../../abi/probe-cases.ts";
import { aKernel, type Instruction } from "../drivers/kernel.ts";
import { casesOf } from "../probe/cases.ts";
import { encodeCases, encodeOrder } from "../probe/encode.ts";
import { between, is, join, run, type Step, start, succeeds, wait } from "../probe/table.ts";
import { NOP } from "../probe/words.ts";

const GUEST_UART = 0x22000000;
const TABLE = 0x40100000;
const ORDER = NORMAL_RAM_IPA + probe.PROBE_ORDER_OFFSET;

interface Guest {
  main(): void;
  second(): void;
  interrupt(isFiq: number): void;
}

/** What a guest prints that has these cases. */
async function printed(
  rows: readonly { name: string; steps: readonly Step[]; group?: number }[],
  execute: Instruction = () => undefined,
): Promise<string[]> {
  let ticks = 0n;
  let isSecond = false;
  const lab = await aKernel<Guest>("el1/probe-guest/main.ts", execute, {
    casesAddress: () => BigInt(TABLE),
    readCNTVCT_EL0: () => ticks++,
    // Who waits lets the second vCPU work until that waits, too.
    waitForEvent: () => {
      if (isSecond) throw new Error("waits");
      isSecond = true;
      assert.throws(() => lab.exports.second(), /waits/);
      isSecond = false;
      return undefined;
    },
  });
  lab.physical.place(TABLE, encodeCases(rows.map((row) => ({ group: 0, ...row }))));
  lab.physical.place(ORDER, encodeOrder(0));
  lab.exports.main();
  return lab.physical.textAt(GUEST_UART).trimEnd().split("\r\n");
}

suite("the probe guest", () => {
  test("says ok of a case whose checks hold, and its name", async () => {
    const lines = await printed([
      { name: "one", steps: [run(NOP, [7], [succeeds, is(0, 7), is(abi.CHECK_OF_CHANGED, 0)])] },
      { name: "a longer name", steps: [] },
    ]);

    assert.deepEqual(lines, ["probe: 0x0", "ok one", "ok a longer name", "probe: done"]);
  });

  test("says of the first check that does not hold what it got and expected", async () => {
    const lines = await printed([
      { name: "equal", steps: [run(NOP, [7]), run(NOP, [7], [is(0, 8), is(0, 9)])] },
      { name: "range", steps: [run(NOP, [7], [between(0, 8, 9)])] },
      { name: "above", steps: [run(NOP, [7], [between(0, 5, 6)])] },
    ]);

    assert.deepEqual(lines.slice(1, -1), [
      "not ok equal: step 0x1 of 0x0 got 0x7 expected 0x8",
      "not ok range: step 0x0 of 0x0 got 0x7 expected 0x8-0x9",
      "not ok above: step 0x0 of 0x0 got 0x7 expected 0x5-0x6",
    ]);
  });

  test("looks at masked bits only", async () => {
    const lines = await printed([
      { name: "bits", steps: [run(NOP, [0xf7], [is(0, 0x07, 0x0fn)])] },
      { name: "others", steps: [run(NOP, [0xf7], [is(0, 0x0f, 0x0fn)])] },
    ]);

    assert.deepEqual(lines.slice(1, 2), ["ok bits"]);
    assert.match(lines[2]!, /^not ok others: .* got 0x7 expected 0xf$/);
  });

  test("does all steps of a case, and runs only its group", async () => {
    const words: number[] = [];
    const lines = await printed(
      [
        { name: "fails", steps: [run(1, [], [is(0, 1)]), run(2)] },
        { name: "another's", steps: [run(3)], group: 1 },
        { name: "works", steps: [run(4)] },
      ],
      (word) => void words.push(word),
    );

    assert.deepEqual(words, [1, 2, 4]);
    assert.equal(lines.length, 4);
    assert.equal(lines[2], "ok works");
  });

  test("notices an exception, its syndrome, and each register that has changed", async () => {
    const execute: Instruction = (word, x) => {
      if (word === 1) return 0x96000010n;
      x[30]! += 1n;
      x[4] = 0n;
      return undefined;
    };
    const changed = (1 << 30) | (1 << 4);
    const lines = await printed(
      [
        {
          name: "exception",
          steps: [run(1, [], [is(abi.CHECK_OF_OUTCOME, 1), is(abi.CHECK_OF_ESR, 0x96000010)])],
        },
        { name: "unexpected", steps: [run(1)] },
        { name: "changed", steps: [run(2, [0, 0, 0, 0, 5], [is(abi.CHECK_OF_CHANGED, changed)])] },
      ],
      execute,
    );

    assert.match(lines[2]!, /^not ok unexpected/);
    assert.deepEqual([lines[1], lines[3]], ["ok exception", "ok changed"]);
  });

  test("registers that a step says nothing of are all different", async () => {
    let seen: bigint[] = [];
    await printed([{ name: "any", steps: [run(NOP, [1, 2, 3, 4, 5, 6, 7, 8])] }], (_word, x) => {
      seen = [...x];
      return undefined;
    });

    assert.deepEqual(seen.slice(0, 8), [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n]);
    assert.equal(new Set(seen).size, seen.length);
  });

  test("has the second vCPU execute a step, and judges what came of it", async () => {
    const execute: Instruction = (word, x) => {
      if (word === 5) x[0] = x[1]!;
      return undefined;
    };
    const lines = await printed(
      [
        { name: "second", steps: [start(5, [0, 77]), wait(3), join([succeeds, is(0, 77)])] },
        { name: "again", steps: [start(5, [0, 78]), join([is(0, 77)])] },
      ],
      execute,
    );

    assert.equal(lines[1], "ok second");
    assert.match(lines[2]!, /^not ok again: step 0x1 of 0x0 got 0x4e expected 0x4d$/);
  });

  test("without cases it says so", async () => {
    const lab = await aKernel<Guest>("el1/probe-guest/main.ts", () => undefined);
    lab.exports.main();
    assert.equal(lab.physical.textAt(GUEST_UART), "probe: no cases\r\n");
  });
});

suite("the cases", () => {
  test("are the same ones for both kinds of TEE, each with a name of its own", () => {
    const names = (kind: "vector" | "resume") =>
      casesOf(kind).all.map(({ name, group }) => `${group} ${name}`);

    assert.deepEqual(names("vector"), names("resume"));
    assert.equal(new Set(casesOf("vector").all.map(({ name }) => name)).size, casesOf("vector").all.length);
    assert.ok(casesOf("vector").all.every(({ name }) => /^[ -~]+$/.test(name) && !name.includes(": step ")));
  });

  test("more of them than fit are refused", () => {
    const many = { name: "many", group: 0, steps: Array(10_000).fill(run(NOP)) as Step[] };
    assert.throws(() => encodeCases([many]), /fit/);
  });
});
