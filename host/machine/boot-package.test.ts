import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  BOOT_SIGNATURE,
  IMAGE_MAX,
  IMAGE_TEE_FIRST,
  IMAGES_PER_TEE,
  TEE_KEY_WORD_COUNT,
  TEE_MAX,
} from "../../abi/boot-package.ts";
import { TEE_PROFILES } from "../../el1/tees/profiles.ts";
import { someRamImages } from "../../tests/drivers/packages.ts";
import { decodeBootPackage, encodeBootPackage } from "./boot-package.ts";
import { decodeImageRows } from "./image-rows.ts";

const address = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const word = fc.integer({ min: 0, max: 0xffffffff });
const version = fc.stringMatching(/^[ -~]{0,39}$/);
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const ramImage = fc.record({
  name: fc.stringMatching(/^[ -~]{0,23}$/),
  version,
  pa: address,
  size: address,
  hash,
});
const keySite = fc.record({
  offset: fc.integer({ min: 1, max: 0xffffffff }),
  words: fc.array(word, { minLength: TEE_KEY_WORD_COUNT, maxLength: TEE_KEY_WORD_COUNT }),
});
const teeParts = {
  profile: fc.record({
    name: fc.stringMatching(/^[a-z0-9.-]{1,15}$/),
    loadIpa: address,
    entryIpa: address,
    entryKind: word,
    coreCount: word,
    timer: word,
    foreignInterrupt: word,
    foreignIntid: word,
    adaptedSites: word,
    wfi: word,
    clock: word,
    hiddenCapabilities: word,
    hasDeviceTree: fc.constant(true),
  }),
  version,
  image: fc.uint8Array({ maxLength: 9000 }),
  deviceTree: fc.record({ bytes: fc.uint8Array({ minLength: 1, maxLength: 5000 }), memoryOffset: word }),
};
const tee = fc.oneof(fc.record(teeParts), fc.record({ ...teeParts, keySite }));
const anyPackage = fc.record({
  version: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  ramPa: address,
  ramSize: address,
  poolPa: address,
  poolSize: address,
  poolTeeOffset: address,
  coreCount: word,
  hypervisor: ramImage,
  dom0Kernel: ramImage,
  dom0Initrd: ramImage,
  deviceTree: ramImage,
  tees: fc.array(tee, { maxLength: TEE_MAX }),
});
const aTee = { profile: TEE_PROFILES["optee-4.5"], version: "1", image: new Uint8Array(5000).fill(0xab) };

test("a boot package comes back from its bytes as it was", () => {
  fc.assert(
    fc.property(anyPackage, (value) =>
      assert.deepEqual(plain(decodeBootPackage(encodeBootPackage(value))), plain(value)),
    ),
  );
});

test("a boot package that is cut off or of another kind is refused", () => {
  const bytes = encodeBootPackage({ ...someRamImages(), tees: [aTee] });

  assert.throws(() => decodeBootPackage(bytes.subarray(0, bytes.length - 1)), /cut off/);
  assert.throws(
    () => decodeBootPackage(bytes.map((byte, index) => (index === 0 ? byte ^ 1 : byte))),
    /magic/,
  );
});

test("images lie page aligned, one behind the other, where their rows say", () => {
  const bytes = encodeBootPackage({ ...someRamImages(), tees: [aTee, aTee] });

  const rows = decodeImageRows(bytes, 2).slice(4);
  assert.deepEqual(
    rows.map(({ place, size }) => [place, size]),
    [
      [0x1000, 5000],
      [0x3000, 0],
      [0x3000, 5000],
      [0x5000, 0],
    ],
  );
  assert.deepEqual(bytes.slice(0x3000, 0x3000 + 5000), aTee.image);
  assert.equal(bytes.length, 0x5000);
});

test("the tables fit before the signature, however many TEEs there are", () => {
  const bytes = encodeBootPackage({ ...someRamImages(), tees: Array.from({ length: TEE_MAX }, () => aTee) });

  assert.equal(IMAGE_MAX, IMAGE_TEE_FIRST + TEE_MAX * IMAGES_PER_TEE);
  assert(bytes.subarray(BOOT_SIGNATURE, 0x1000).every((byte) => byte === 0));
  assert.throws(
    () => encodeBootPackage({ ...someRamImages(), tees: Array.from({ length: TEE_MAX + 1 }, () => aTee) }),
    /fit/,
  );
});

test("a site of the key without its words, or at the image's entry, is none", () => {
  for (const keySite of [
    { offset: 0, words: [1, 2, 3, 4, 5, 6, 7] },
    { offset: 8, words: [1, 2, 3, 4, 5, 6] },
  ])
    assert.throws(() => encodeBootPackage({ ...someRamImages(), tees: [{ ...aTee, keySite }] }), /key site/);
});

test("a name that does not fit, or is no text, is not written", () => {
  const { hypervisor, ...rest } = someRamImages();
  for (const name of ["x".repeat(24), "Ω", "a\nb"])
    assert.throws(
      () => encodeBootPackage({ ...rest, hypervisor: { ...hypervisor, name }, tees: [aTee] }),
      /no text/,
    );
});

// Records of fast-check have no prototype; compared are values only.
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, item) => {
      if (typeof item === "bigint") return String(item);
      return item instanceof Uint8Array ? Buffer.from(item).toString("hex") : item;
    }),
  );
}
