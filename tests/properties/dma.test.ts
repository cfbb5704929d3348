// Random histories of pages that change hands while devices use them: at every moment a device reaches exactly what is not protected.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { aDmaLab, type DmaLab, STREAMS, withoutBbml } from "../drivers/dma.ts";
import { BLOCK, PAGE } from "../machine/smmu.ts";

const { VTZ_FULL } = process.env;
const RUNS = VTZ_FULL === "1" ? 2000 : 200;
const AT = 0x50000000;
/** Pages of three blocks, at both ends of each. */
const PAGES = [0, BLOCK, 2 * BLOCK].flatMap((block) =>
  [0, PAGE, BLOCK - PAGE].map((offset) => AT + block + offset),
);

const act = fc.record({
  kind: fc.constantFrom("protect", "release", "protectRange", "watch"),
  page: fc.nat(PAGES.length - 1),
  count: fc.integer({ min: 1, max: 600 }),
});
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

function perform(lab: DmaLab, isProtected: Set<number>, { kind, page, count }: Act): void {
  const pa = PAGES[page]!;
  if (kind === "watch") lab.smmu.watched.add(pa);
  else if (kind === "release") {
    lab.release(pa);
    isProtected.delete(pa);
  } else if (kind === "protect") {
    lab.protect(pa);
    isProtected.add(pa);
  } else {
    lab.protectRange(pa, count * PAGE);
    for (const other of PAGES) if (other >= pa && other < pa + count * PAGE) isProtected.add(other);
  }
}

for (const [name, change] of [
  ["a block may become a table at once", () => undefined],
  ["a block must be broken first", withoutBbml],
] as const)
  test(`a device reaches what is not protected and nothing else, where ${name}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 30 }), async (acts) => {
        const lab = await aDmaLab({}, change);
        const isProtected = new Set<number>();
        for (const one of acts) {
          perform(lab, isProtected, one);
          for (const pa of PAGES)
            assert.equal(
              lab.reaches(pa, STREAMS[one.page % 3]),
              !isProtected.has(pa),
              `0x${pa.toString(16)}`,
            );
        }
      }),
      { numRuns: RUNS },
    );
  });
