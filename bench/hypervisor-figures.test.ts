import assert from "node:assert/strict";
import { test } from "node:test";
import type { HypervisorResult } from "./hypervisor.ts";
import { compare, hypervisorReport, ROWS } from "./hypervisor-report.ts";
import { mergeSamples, parseSamples, type Sample } from "./samples.ts";

function sample(name: string, median: number): Sample {
  return { name, median, min: median, mean: median, callCount: 100 };
}

function result(stock: readonly Sample[], hardened: readonly Sample[]): HypervisorResult {
  return { stock, hardened };
}

test("a round trip of two switches is reported as one switch; the ratio is that of the medians", () => {
  const [row] = compare(result([sample("YIELD_ROUND_TRIP", 8000)], [sample("YIELD_ROUND_TRIP", 8400)]));
  assert.deepEqual(row, {
    name: "YIELD_ROUND_TRIP",
    what: "context switch of vCPUs (yield)",
    stock: 4000,
    hardened: 4200,
    ratio: 1.05,
    target: 1.1,
    isMet: true,
  });
});

test("a target is met up to its last printed digit, and missed above", () => {
  const isMet = (hardened: number) =>
    compare(result([sample("HYPERCALL", 10_000)], [sample("HYPERCALL", hardened)]))[0]?.isMet;
  assert.equal(isMet(9_900), true);
  assert.equal(isMet(10_104), true);
  assert.equal(isMet(10_106), false);
});

test("a VM with a TEE is set against stock Xen's VM, which has none, without a target", () => {
  const rows = compare(result([sample("BIRTH", 100)], [sample("BIRTH", 101), sample("BIRTH_WITH_TEE", 160)]));
  assert.deepEqual(
    rows.map(({ name, ratio, isMet }) => [name, ratio, isMet]),
    [
      ["BIRTH", 1.01, true],
      ["BIRTH_WITH_TEE", 1.6, undefined],
    ],
  );
});

test("what one side did not measure has no row", () => {
  assert.deepEqual(compare(result([sample("HYPERCALL", 1)], [])), []);
});

test("the report has a line for every row, and says what was missed", () => {
  const all = (factor: number) => ROWS.map(({ sample: name }) => sample(name, 1000 * factor));
  const text = hypervisorReport(result(all(1), all(1.2)));
  for (const { what } of ROWS) assert.ok(text.includes(what), what);
  assert.match(text, /grant map and unmap +1000 +1200 +1\.200 +≤ 1\.50$/m);
  assert.match(text, /null hypercall \(xen_version\) +1000 +1200 +1\.200 +≤ 1\.01 {2}MISSED$/m);
});

test("several lines of one figure become one sample", () => {
  const lines = [300, 100, 200].map((ticks) => `probe: call BIRTH calls 1 ticks ${ticks}\r\n`);
  assert.deepEqual(mergeSamples("BIRTH", parseSamples(lines.join(""))), {
    name: "BIRTH",
    median: 3200,
    min: 1600,
    mean: 3200,
    callCount: 3,
  });
});
