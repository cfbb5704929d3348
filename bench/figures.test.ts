import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { callsInLog } from "./execution-log.ts";
import { INVOKE_RANGE, levelOf, levelTotals, PROBE_RANGE, runsOf } from "./levels.ts";
import { comparable, readNative } from "./report.ts";
import { parseSamples } from "./samples.ts";
import { commonWay } from "./split.ts";

test("a line of batches becomes instructions per call", () => {
  const text =
    "noise\r\nprobe: call CALLS_UID function 0xbf00ff01 answer 0x384fb3e0 calls 100 ticks 5294 68110 5293\r\n";
  const [sample, ...others] = parseSamples(text);
  assert.equal(others.length, 0);
  assert.equal(sample?.median, 847.04);
  assert.equal(sample?.min, 846.88);
  assert.equal(sample?.callCount, 300);
  assert.equal(sample?.answer, "0x384fb3e0");
  assert.equal(comparable(sample, 4, 26), 869);
});

test("lines of the program in Linux have no function and no answer", () => {
  const [sample] = parseSamples("probe: call TA_INVOKE calls 1 ticks 4134 4133 4133\n");
  assert.deepEqual(sample, {
    name: "TA_INVOKE",
    median: 66128,
    min: 66128,
    mean: (4134 + 4133 + 4133) * (16 / 3),
    callCount: 3,
  });
});

test("a cut line is no sample", () => {
  assert.deepEqual(parseSamples("probe: call TA_INVOKE calls 1 tic"), []);
});

test("QEMU's log is cut into calls; what comes before the first and after the last is left out", async () => {
  const folder = await mkdtemp(join(tmpdir(), "vtz-log-"));
  try {
    const line = (va: number) =>
      `Trace 0: 0x7fd8337ef740 [0000000000004000/${va.toString(16).padStart(16, "0")}/00000121/ff020201] \n`;
    const log = join(folder, "log");
    const vas = [
      0x100, 0x4000008c, 0xc00, 0xe101900, 0xc00, 0x40000090, 0x4000008c, 0xc00, 0x4000008c, 0xc04,
    ];
    await writeFile(log, `${vas.map(line).join("")}Stopped execution of TB chain before 0x7f\n`);
    assert.deepEqual(await callsInLog(log, 0x4000008c), [[0xc00, 0xe101900, 0xc00, 0x40000090], [0xc00]]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("addresses of each level", () => {
  assert.equal(levelOf(0xc00, PROBE_RANGE), "EL3");
  assert.equal(levelOf(0x4000008c, PROBE_RANGE), "program");
  assert.equal(levelOf(0x40007000, INVOKE_RANGE), "S world");
  assert.equal(levelOf(0x21026c, INVOKE_RANGE), "program");
  assert.equal(levelOf(0xe1018e8, INVOKE_RANGE), "S world");
  assert.equal(levelOf(Number(0xffff8000806e1e00n), INVOKE_RANGE), "EL1");
  assert.equal(levelOf(0xa0000257cb0, INVOKE_RANGE), "EL2");
  assert.equal(levelOf(0xff8000000400, INVOKE_RANGE), "EL2");
});

test("runs lose no instruction, and neighbours differ in level", () => {
  const anyVa = fc.constantFrom(0xc00, 0xc04, 0x40000090, 0xe1018e8, 0xa0000257cb0);
  fc.assert(
    fc.property(fc.array(anyVa), (way) => {
      const runs = runsOf(way, PROBE_RANGE);
      assert.deepEqual(
        runs.flatMap(({ addresses }) => [...addresses]),
        way,
      );
      for (const [index, { level }] of runs.entries()) assert.notEqual(level, runs[index - 1]?.level);
    }),
  );
});

test("the common way is the one that most calls took", () => {
  assert.deepEqual(
    commonWay([
      [1, 2],
      [1, 2, 3],
      [1, 2],
    ]),
    { way: [1, 2], sameCount: 2 },
  );
  assert.throws(() => commonWay([]), /no call/);
});

test("totals are those of a call of middle length", () => {
  const calls = [[0xc00], [0xc00, 0xe101900, 0xc00, 0x40000090], new Array<number>(90).fill(0xc00)];
  const totals = levelTotals(calls, PROBE_RANGE);
  assert.equal(totals.total, 4);
  assert.deepEqual(totals.instructions, { EL3: 2, EL2: 0, EL1: 0, "S world": 1, program: 1 });
  assert.equal(totals.el3Entries, 2);
});

test("the native split of CALLS_UID adds up to its figure", async () => {
  const CALLS_UID = "CALLS_UID";
  const native = await readNative();
  for (const [tee, { el3In, sEl1, el3Out }] of Object.entries(native.callsUidSplit)) {
    assert.equal(el3In + sEl1 + el3Out + native.wrapperInstructions, native.figures[CALLS_UID]?.[tee]);
  }
});
