// Debian's Xen, 4.17 and 4.20, through the rewriter. Both packages are fetched as the images' own are (once: a warm cache
// asks nothing of the network).

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { forbiddenPattern } from "../../arm/forbidden.ts";
import { hardeningRules } from "../../el2/rules/translation-registers.ts";
import { fetchPackages } from "../debian/fetch.ts";
import { HYPERVISOR, type XenVersion } from "../debian/package-sets.ts";
import { unpackPackage } from "../debian/unpack.ts";
import { hardenXen } from "./harden.ts";

/** Sites in the order of the rules, and data that only looks like one. */
const EXPECTED: { version: XenVersion; counts: number[]; lookAlikes: number }[] = [
  { version: "4.17", counts: [3, 1, 1, 5, 2, 5, 3, 9], lookAlikes: 1 },
  { version: "4.20", counts: [2, 1, 1, 6, 2, 5, 1, 9], lookAlikes: 0 },
];

async function debianXen(version: XenVersion): Promise<Uint8Array> {
  const [fetched] = await fetchPackages(HYPERVISOR[version]);
  const folder = join(await unpackPackage(fetched!, () => undefined), "boot");
  const name = readdirSync(folder).find((candidate) => /^xen-[\d.]+-arm64$/.test(candidate));
  return new Uint8Array(readFileSync(join(folder, name!)));
}

for (const { version, counts, lookAlikes } of EXPECTED) {
  describe(`Debian's Xen ${version}`, () => {
    const total = counts.reduce((sum, count) => sum + count);

    test(`has ${total} sites, and all of them are replaced`, async () => {
      const image = await debianXen(version);

      const result = hardenXen(image);

      const found = hardeningRules.map(
        ({ register }) => result.sites.filter((site) => site.register === register).length,
      );
      assert.deepEqual(found, counts);
      assert.equal(result.lookAlikes.length, lookAlikes);
      assert.deepEqual(
        changedOffsets(image, result.image),
        result.sites.map(({ offset }) => offset),
      );
    });

    test("has no forbidden instruction left, in any page with code, in any form", async () => {
      const { image, lookAlikes: data } = hardenXen(await debianXen(version));

      const left = offsetsOf(image, (word) => forbiddenPattern(word) !== undefined);
      assert.deepEqual(
        left,
        data.map(({ offset }) => offset),
      );
    });

    test("is refused when it is cut off, by a byte or by half", async () => {
      const image = await debianXen(version);
      for (const size of [image.length - 1, image.length >> 1])
        assert.throws(() => hardenXen(image.subarray(0, size)), { code: "damaged-image" });
    });

    test("is left alone by a second run", async () => {
      const once = hardenXen(await debianXen(version));

      const twice = hardenXen(once.image);

      assert.deepEqual([twice.image, twice.sites, twice.wasHardened], [once.image, once.sites, true]);
    });
  });
}

function offsetsOf(image: Uint8Array, isWanted: (word: number) => boolean): number[] {
  const words = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const offsets: number[] = [];
  for (let offset = 64; offset + 4 <= image.length; offset += 4)
    if (isWanted(words.getUint32(offset, true))) offsets.push(offset);
  return offsets;
}

function changedOffsets(before: Uint8Array, after: Uint8Array): number[] {
  assert.equal(after.length, before.length);
  const offsets = new Set<number>();
  before.forEach((byte, index) => {
    if (byte !== after[index]) offsets.add(index - (index % 4));
  });
  return [...offsets];
}
