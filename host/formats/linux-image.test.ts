import assert from "node:assert/strict";
import { test } from "node:test";
import { readLinuxImageHeader } from "./linux-image.ts";

function anImage(): Buffer {
  const image = Buffer.alloc(64);
  image.writeBigUInt64LE(0x0n, 0x08);
  image.writeBigUInt64LE(0x2510000n, 0x10);
  image.writeBigUInt64LE(0xan, 0x18);
  image.write("ARM\x64", 0x38, "latin1");
  return image;
}

test("the header of an arm64 Image is read", () => {
  assert.deepEqual(readLinuxImageHeader(anImage()), {
    textOffset: 0,
    memorySize: 0x2510000,
    isLittleEndian: true,
    pageSize: 4096,
    mayLieAnywhere: true,
  });
});

test("what is not an arm64 Image is refused by name", () => {
  const gzip = Buffer.alloc(64);
  gzip.writeUInt16BE(0x1f8b, 0);
  assert.throws(() => readLinuxImageHeader(gzip, "vmlinuz.gz"), {
    code: "not-an-image",
    message: /vmlinuz\.gz/,
  });
  assert.throws(() => readLinuxImageHeader(new Uint8Array(10)), { code: "not-an-image" });
});
