// Lines of a guest's kernel log, as el1/attest/attest.c writes them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ATTEST_EVIDENCE_SIZE_MAX } from "../../abi/attest-compartment.ts";
import { readEvidenceLog } from "./evidence-log.ts";

const TAG = "vtz-evidence-0123";
const EVIDENCE = Uint8Array.from({ length: 120 }, (_, index) => index + 1);

/** The kernel's log with the answer to one question. */
function logOf(evidence: Uint8Array, tag = TAG): string[] {
  const size = BigInt(evidence.length).toString(16).padStart(16, "0");
  const padded = Buffer.alloc(Math.ceil(evidence.length / 56) * 56);
  padded.set(evidence);
  const lines = [`[   10.000001] ${tag} size ${size}`];
  for (let offset = 0; offset < padded.length; offset += 56) {
    const words = [0, 8, 16, 24, 32, 40, 48].map((at) =>
      padded
        .readBigUInt64LE(offset + at)
        .toString(16)
        .padStart(16, "0"),
    );
    lines.push(`[   10.000002] ${tag} ${offset.toString(16).padStart(4, "0")} ${words.join(" ")}`);
  }
  return lines;
}

const read = (lines: readonly string[]) => readEvidenceLog(`${lines.join("\n")}\n`, TAG);

test("evidence is put together from its pieces, without what stands behind its end", () => {
  assert.deepEqual(read(logOf(EVIDENCE)), { evidence: EVIDENCE });
});

test("the answer to another question, and what else the kernel says, is passed over", () => {
  const others = [...logOf(EVIDENCE.toReversed(), "vtz-evidence-4567"), "[    9.000000] random: crng"];

  assert.deepEqual(read([...others, ...logOf(EVIDENCE), ...others]), { evidence: EVIDENCE });
  assert.equal(read(others), undefined);
});

test("of two answers the last counts: pieces of one are never taken for the other's", () => {
  const earlier = logOf(EVIDENCE.toReversed());

  assert.deepEqual(read([...earlier, ...logOf(EVIDENCE)]), { evidence: EVIDENCE });
  assert.deepEqual(read([...earlier, `[ 2.0] ${TAG} size fffffffffffffffd`]), { code: -3n });
  assert.equal(read([...earlier, ...logOf(EVIDENCE).slice(0, -1)]), undefined);
});

test("a negative size is a code", () => {
  for (const [word, code] of [
    ["ffffffffffffffff", -1n],
    ["fffffffffffffffd", -3n],
    ["0000000000000000", 0n],
  ] as const)
    assert.deepEqual(read([`[ 1.0] ${TAG} size ${word}`]), { code });
});

test("an answer that is not whole is none", () => {
  const [size, first, second, third] = logOf(EVIDENCE) as [string, string, string, string];
  for (const lines of [
    [],
    [first, second, third],
    [size],
    [size, first, second],
    [size, first, third, second],
    [size, second, first, third],
    [size, first, second, second],
    [size, first, second, third, third],
    [size, first, second, third.slice(0, -1)],
    [size.replace(/78$/, "77"), first, second, third],
    logOf(new Uint8Array(ATTEST_EVIDENCE_SIZE_MAX + 1)),
  ])
    assert.equal(read(lines), undefined, lines.join("\n"));
});
