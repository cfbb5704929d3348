import assert from "node:assert/strict";
import { mkdtemp, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DISK_FILE, DISK_SIZE_MAX_MIB, emptyWindow, fillWindow, makeDisk, WINDOW_SIZE } from "./disk.ts";

const MIB = 2 ** 20;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "vtz-disk-"));
  await makeDisk(folder);
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("a new disk takes no place on the host", async () => {
  assert.equal(await placeOnHost(), 0);
});

test("each slot's window lies behind the one before; dom0's is the first", async () => {
  assert.deepEqual(await fillWindow(folder, 0, { sizeMib: 1 }), { start: WINDOW_SIZE, size: MIB });
  assert.deepEqual(await fillWindow(folder, 7, { sizeMib: 1 }), { start: 8 * WINDOW_SIZE, size: MIB });
  assert.ok((await stat(join(folder, DISK_FILE))).size >= 9 * WINDOW_SIZE);
});

test("a disk begins as a copy of the file, its holes kept, its end filled up to a page", async () => {
  const source = join(folder, "source.raw");
  const file = await open(source, "w");
  await file.write(Buffer.from("first"), 0, 5, 0);
  await file.write(Buffer.from("last"), 0, 4, 40 * MIB + 4093);
  await file.close();

  const { start, size } = await fillWindow(folder, 1, { file: source });

  assert.equal(size, 40 * MIB + 2 * 4096);
  assert.equal(await textAt(start, 5), "first");
  assert.equal(await textAt(start + 40 * MIB + 4093, 4), "last");
  assert.ok((await placeOnHost()) < 4 * MIB);
});

test("what the slot's last guest wrote is gone, its neighbours' is not", async () => {
  const source = join(folder, "secret.raw");
  await writeFile(source, "secret");
  const [mine, theirs] = [
    await fillWindow(folder, 2, { file: source }),
    await fillWindow(folder, 3, { file: source }),
  ];

  await fillWindow(folder, 2, { sizeMib: 1 });
  assert.equal(await textAt(mine.start, 6), "\0\0\0\0\0\0");
  assert.equal(await textAt(theirs.start, 6), "secret");
  await emptyWindow(folder, 3);
  assert.equal(await textAt(theirs.start, 6), "\0\0\0\0\0\0");
});

test("a size that no window has, an empty file, and what is no file are refused", async () => {
  const empty = join(folder, "empty.raw");
  await writeFile(empty, "");

  await assert.rejects(fillWindow(folder, 0, { sizeMib: DISK_SIZE_MAX_MIB + 1 }), { code: "bad-disk" });
  await assert.rejects(fillWindow(folder, 0, { file: empty }), { code: "bad-disk" });
  await assert.rejects(fillWindow(folder, 0, { file: folder }), { code: "no-file" });
  await assert.rejects(fillWindow(folder, 0, { file: join(folder, "nothing") }), { code: "no-file" });
});

async function placeOnHost(): Promise<number> {
  return (await stat(join(folder, DISK_FILE))).blocks * 512;
}

async function textAt(position: number, length: number): Promise<string> {
  const file = await open(join(folder, DISK_FILE));
  try {
    return (await file.read(Buffer.alloc(length), 0, length, position)).buffer.toString("latin1");
  } finally {
    await file.close();
  }
}
