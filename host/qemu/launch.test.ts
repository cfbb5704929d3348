import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { UserError } from "../errors.ts";
import { launchQemu, watchDeath } from "./launch.ts";
import { endProcess, identifyProcess, isRunning, type ProcessIdentity, sendSignal } from "./process.ts";
import { QmpClient } from "./qmp.ts";

const { PATH = "" } = process.env;
let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "vtz-launch-"));
});

after(() => {
  rmSync(folder, { recursive: true, force: true });
  Object.assign(process.env, { PATH });
});

test("a QEMU that ends at its start is reported with its last words and its command", async () => {
  useFakeQemu("echo 'could not load PC BIOS' >&2; exit 1");

  const launch = launchQemu(["-M", "virt"], folder, "attached", async () => false);

  await assert.rejects(launch, (error: UserError) => {
    assert.equal(error.code, "qemu-died");
    assert.match(error.message, /could not load PC BIOS/);
    assert.match(error.message, /command: qemu-system-aarch64 -M virt/);
    return true;
  });
});

test("a QEMU that is not installed is named, with what to do", async () => {
  Object.assign(process.env, { PATH: folder });

  const launch = launchQemu([], folder, "detached", async () => false);

  await assert.rejects(
    launch,
    (error: UserError) => error.code === "qemu-missing" && /doctor/.test(error.hint!),
  );
});

test("an attached QEMU dies with the process that started it, even when that is killed", async () => {
  useFakeQemu("touch runs; exec sleep 100");
  const module = JSON.stringify(join(import.meta.dirname, "launch.ts"));
  const runs = JSON.stringify(join(folder, "runs"));
  const script = `const { launchQemu } = await import(${module});
    const { existsSync } = await import("node:fs");
    const isReady = async () => existsSync(${runs});
    const { pid } = await launchQemu([], ${JSON.stringify(folder)}, "attached", isReady);
    process.stdout.write(String(pid)); setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [bytes] = (await once(parent.stdout, "data")) as [Buffer];
  const identity = identifyProcess(Number(bytes.toString()))!;

  parent.kill("SIGKILL");

  assert.equal(await isGoneWithin(identity, 3000), true);
});

test("a detached QEMU outlives the process that started it", async () => {
  useFakeQemu("exec sleep 100");
  const module = JSON.stringify(join(import.meta.dirname, "launch.ts"));
  const script = `const { launchQemu } = await import(${module});
    const { pid } = await launchQemu([], ${JSON.stringify(folder)}, "detached", async () => true);
    process.stdout.write(String(pid));`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [bytes] = (await once(parent.stdout, "data")) as [Buffer];
  const identity = identifyProcess(Number(bytes.toString()))!;
  await once(parent, "exit");

  assert.equal(isRunning(identity), true);
  await endProcess(identity);
});

test("a real QEMU answers QMP, shows its memory, and its death is noticed at once", async () => {
  Object.assign(process.env, { PATH });
  const run = join(folder, "real");
  mkdirSync(run);
  writeFileSync(join(run, "load.bin"), "hello, memory");
  const words = ["-M", "virt", "-cpu", "cortex-a57", "-m", "64", "-nodefaults", "-display", "none", "-S"];
  const load = ["-device", "loader,file=load.bin,addr=0x41000000,force-raw=on"];
  const qmp = [
    "-chardev",
    "socket,id=qmp,path=qmp.sock,server=on,wait=off",
    "-mon",
    "chardev=qmp,mode=control",
  ];
  const path = join(run, "qmp.sock");
  const identity = await launchQemu([...words, ...load, ...qmp], run, "attached", () => answers(path));

  const client = await QmpClient.connect(path);
  await client.execute("pmemsave", { val: 0x41000000, size: 13, filename: "memory.bin" });
  assert.equal(readFileSync(join(run, "memory.bin"), "latin1"), "hello, memory");
  await assert.rejects(client.execute("no-such-command"), /no-such-command/);

  const death = watchDeath(identity, run, new AbortController().signal);
  sendSignal(identity, "SIGKILL");
  const start = performance.now();
  await assert.rejects(death, /QEMU has died/);
  assert.ok(performance.now() - start < 2000);
  await assert.rejects(client.execute("query-status"), /closed/);
});

function useFakeQemu(script: string): void {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "qemu-system-aarch64"), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, "qemu-system-aarch64"), 0o755);
  Object.assign(process.env, { PATH: `${bin}:${PATH}` });
}

async function answers(path: string): Promise<boolean> {
  try {
    (await QmpClient.connect(path)).close();
    return true;
  } catch {
    return false;
  }
}

async function isGoneWithin(identity: ProcessIdentity, limitMs: number): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  while (isRunning(identity) && Date.now() < deadline) await sleep(20);
  return !isRunning(identity);
}
