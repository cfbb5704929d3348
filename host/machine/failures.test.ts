// Failures of a machine's start: what is said, and that nothing half-written stays.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TEE_PROFILES } from "../../el1/tees/profiles.ts";
import { explainFileError, UserError } from "../errors.ts";
import { identifyProcess } from "../qemu/process.ts";
import { readTee, writeFlash } from "./flash.ts";
import { Machine } from "./machine.ts";
import { layOutRam } from "./ram-layout.ts";
import { SocketFolder } from "./sockets.ts";
import { type MachineState, machineFolder, readState, writeState } from "./state.ts";

const isRoot = process.getuid?.() === 0;
const MIB = 2 ** 20;
const profile = TEE_PROFILES["optee-4.5"];
let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "vtz-failures-"));
  Object.assign(process.env, { VTZ_STATE: join(folder, "state") });
});

after(() => {
  Object.assign(process.env, { VTZ_STATE: "" });
  rmSync(folder, { recursive: true, force: true });
});

test("a full disk is said so, and no half-written flash stays", {
  skip: isRoot ? false : "mounts a tmpfs: needs root",
}, async () => {
  const small = join(folder, "small");
  mkdirSync(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", small]);
  try {
    const writing = writeFlash(join(small, "flash.bin"), {
      monitor: Uint8Array.of(1),
      devicePage: new Uint8Array(0),
      bootPackage: new Uint8Array(MIB),
    });

    await assert.rejects(writing, (error: Error) => {
      const explained = explainFileError(error, "writing the machine's files") as UserError;
      return explained instanceof UserError && explained.code === "disk-full";
    });
    assert.deepEqual(readdirSync(small), []);
  } finally {
    execFileSync("umount", [small]);
  }
});

test("a TEE image that does not fit its header, and a damaged header, are refused", async () => {
  const header = new DataView(new ArrayBuffer(28));
  for (const [index, word] of [0x4554504f, 0x00000102, 1, 0, 0x0e100000, 0, 5000].entries()) {
    header.setUint32(index * 4, word, true);
  }
  const image = join(folder, "tee-pager_v2.bin");
  const write = (size: number) => {
    writeFileSync(image, new Uint8Array(size));
    writeFileSync(join(folder, "tee-header_v2.bin"), new Uint8Array(header.buffer));
  };

  write(5000);
  assert.equal((await readTee(image, profile)).image.length, 5000);
  write(4999);
  await assert.rejects(readTee(image, profile), /has 4999 bytes, its header says 5000/);
  write(5000);
  await assert.rejects(readTee(image, { ...profile, loadIpa: 0x0e200000 }), /wants to be at 0xe100000/);
  header.setUint32(0, 0, true);
  write(5000);
  await assert.rejects(readTee(image, profile), /not an OP-TEE header/);
});

test("a machine that runs is not started again, and one that died may be", async () => {
  const alive = { ...aState("busy"), process: identifyProcess(process.pid)! };
  await writeState(alive);

  await assert.rejects(
    Machine.start({ name: "busy", tee: "optee-4.5", lifetime: "attached" }),
    (error: UserError) => error.code === "machine-runs",
  );
  assert.equal((await readState("busy"))?.process.pid, process.pid);

  await writeState(aState("busy"));
  assert.equal(await Machine.openIfRunning("busy"), undefined);
  assert.equal(await Machine.stop("busy"), false);
  assert.equal(await readState("busy"), undefined);
});

test("of two commands that change a machine at once both changes stay", async () => {
  const names = Array.from({ length: 8 }, (_, index) => `many${index}`);

  await Promise.all(names.map((name) => writeState(aState(name))));
  const stops = await Promise.all([...names, ...names].map((name) => Machine.stop(name)));

  assert.deepEqual(
    stops,
    stops.map(() => false),
  );
  assert.deepEqual(
    readdirSync(join(folder, "state", "machines")).filter((name) => name.endsWith(".lock")),
    [],
  );
});

test("what a killed demo has left is swept away, and nothing else", async () => {
  const machines = join(folder, "state", "machines");
  const kept = [`demo-${process.pid}`, "demo", "lab-4194305", "default"];
  for (const name of [...kept, "demo-4194305", "test-tee-4194305"])
    mkdirSync(join(machines, name), { recursive: true });

  await Machine.sweep();

  const left = readdirSync(machines);
  assert.ok(kept.every((name) => left.includes(name)));
  assert.ok(!left.includes("demo-4194305") && !left.includes("test-tee-4194305"));
});

test("a socket's path is short enough for the kernel, however deep the folder lies", () => {
  const deep = join(folder, "d".repeat(100));
  mkdirSync(deep);
  const sockets = new SocketFolder(deep);
  writeFileSync(join(deep, "probe"), "");

  const path = sockets.path("probe");

  assert.ok(path.length <= 107);
  assert.ok(readdirSync(join(path, "..")).includes("probe"));
  sockets.close();
  assert.equal(new SocketFolder(folder).path("x"), join(folder, "x"));
});

function aState(name: string): MachineState {
  assert.ok(machineFolder(name).startsWith(folder));
  return {
    version: 1,
    name,
    tee: "optee-4.5",
    hasMonitor: true,
    coreCount: 2,
    ram: layOutRam(2048 * MIB, 4),
    startedAt: "",
    process: { pid: process.pid, startTicks: -1, bootId: "another" },
    command: [],
    inputs: [],
    guests: [],
  };
}
