// The commands of a day, as a user types them, on a machine that outlives them.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { execa } from "execa";
import type { MachineDescription } from "../../host/machine/machine.ts";
import { projectFolder } from "../../host/paths.ts";
import { identifyProcess, isRunning } from "../../host/qemu/process.ts";
import { hardenXen } from "../../host/rewriter/harden.ts";
import { timeScale } from "./rows.ts";

const MINUTE = 60_000 * timeScale;

describe("commands", { timeout: 6 * MINUTE }, () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "vtz-commands-"));
    await writeFile(
      join(folder, "lab.json"),
      JSON.stringify({ machine: "lab", guests: [{ name: "web", vcpus: 2, memory: 256 }] }),
    );
    await vtz(["up", "lab.json"]);
  });

  after(async () => {
    await vtz(["down", "--all"]);
    await rm(folder, { recursive: true, force: true });
  });

  test("ps lists the guest, its TEE and its state", async () => {
    const [machine, ...others] = JSON.parse((await vtz(["ps", "--json"])).stdout) as MachineDescription[];

    assert.deepEqual(others, []);
    assert.equal(machine?.name, "lab");
    const { name, vcpuCount, tee } = machine!.guests[0]!;
    assert.deepEqual([name, vcpuCount, tee?.state], ["web", 2, "ready"]);
    assert.equal((await vtz(["ps", "--names", "guests"])).stdout, "web");
    assert.match((await vtz(["ps"])).stdout, /^lab +web +2 +256 MiB +optee-4\.5 +ready/m);
  });

  test("the hypervisor that runs is the hardened one", async () => {
    const [machine] = JSON.parse((await vtz(["ps", "--json"])).stdout) as MachineDescription[];

    const loaded = machine!.command.flatMap((word) => /^loader,file=([^,]*xen[^,]*),/.exec(word)?.[1] ?? []);
    assert.deepEqual(loaded, ["xen-hardened.bin"]);
    const { wasHardened, sites } = hardenXen(await readFile(join(machine!.folder, loaded[0]!)));
    assert(wasHardened && sites.length >= 27);
  });

  test("exec gives back output, errors and exit code", async () => {
    const { stdout, stderr, exitCode } = await vtz([
      "exec",
      "-m",
      "lab",
      "web",
      "--",
      "sh",
      "-c",
      "echo 'out put'; echo bad >&2; exit 3",
    ]);

    assert.deepEqual([stdout, stderr, exitCode], ["out put", "bad", 3]);
    assert.equal(
      (await vtz(["exec", "-m", "lab", "web", "--timeout", "1", "--", "sleep", "30"])).exitCode,
      2,
    );
  });

  test("cp brings a file in and out", async () => {
    await vtz(["cp", "-m", "lab", "lab.json", "web:/tmp/"]);
    await vtz(["cp", "-m", "lab", "web:/tmp/lab.json", "back.json"]);

    assert.deepEqual(await readFile(join(folder, "back.json")), await readFile(join(folder, "lab.json")));
    assert.match((await vtz(["cp", "-m", "lab", "web:/nothing", "."])).stderr, /\/nothing/);
  });

  test("cp brings a folder in and out", async () => {
    await mkdir(join(folder, "tas", "empty"), { recursive: true });
    await writeFile(join(folder, "tas", "a b"), "x");
    await vtz(["cp", "-m", "lab", "tas", "web:/tmp/"]);
    await vtz(["cp", "-m", "lab", "web:/tmp/tas", "tas-back"]);

    assert.deepEqual((await readdir(join(folder, "tas-back"))).sort(), ["a b", "empty"]);
  });

  test("exec -i passes input on, exec without it does not wait for any", async () => {
    assert.equal(
      (await vtz(["exec", "-m", "lab", "-i", "web", "--", "cat"], "one\ntwo\n")).stdout,
      "one\ntwo",
    );
    assert.equal((await vtz(["exec", "-m", "lab", "web", "--", "cat"], "unread")).stdout, "");
  });

  test("console talks to the guest's shell, and logs remember it", async () => {
    const { stdout } = await vtz(["console", "-m", "lab", "web"], "echo $((6 * 7))-from-the-console\n");

    assert.match(stdout, /42-from-the-console/);
    assert.match((await vtz(["logs", "-m", "lab", "web"])).stdout, /42-from-the-console/);
  });

  test("logs show each UART and the monitor's events", async () => {
    assert.match((await vtz(["logs", "-m", "lab", "xen"])).stdout, /\(XEN\)/);
    assert.match((await vtz(["logs", "-m", "lab", "tee"])).stdout, /OP-TEE version/);
    assert.match((await vtz(["logs", "-m", "lab", "events"])).stdout, /tee-ready +guest 1/);
  });

  test("a second up adds the guests that are missing; down ends one, then all", async () => {
    await writeFile(
      join(folder, "more.json"),
      JSON.stringify({ machine: "lab", guests: [{ name: "web" }, { name: "db", vcpus: 1, memory: 256 }] }),
    );
    await vtz(["up", "more.json"]);
    assert.equal((await vtz(["ps", "--names", "guests"])).stdout, "web\ndb");

    assert.equal((await vtz(["down", "-m", "lab", "db"])).stdout, "db: destroyed");
    assert.equal((await vtz(["ps", "--names", "guests"])).stdout, "web");

    const [machine] = JSON.parse((await vtz(["ps", "--json"])).stdout) as MachineDescription[];
    const qemu = identifyProcess(machine!.pid)!;
    assert.equal((await vtz(["down", "-m", "lab"])).stdout, "lab: stopped");
    assert.equal(isRunning(qemu), false);
    assert.match((await vtz(["exec", "-m", "lab", "web", "--", "true"])).stderr, /does not run/);
    assert.match((await vtz(["logs", "-m", "lab", "tee"])).stdout, /OP-TEE version/);
  });

  function vtz(words: string[], input = "") {
    return execa(join(projectFolder, "vtz"), words, {
      reject: false,
      input,
      cwd: folder,
      timeout: 3 * MINUTE,
      env: { VTZ_STATE: join(folder, "state") },
    });
  }
});
