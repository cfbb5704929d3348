// Disks and networks as guests use them: PV devices through dom0's backends (grants), dom0's own PCIe devices, and
// what an administrator does with `xl` meanwhile. The TEEs go on working all the time.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { guestConfig, guestFilePaths } from "../../host/images/guest-config.ts";
import { TFTP_FOLDER } from "../../host/machine/boot-files.ts";
import { DISK_FILE, WINDOW_SIZE } from "../../host/machine/disk.ts";
import { DOM0, Machine } from "../../host/machine/machine.ts";
import { SocketFolder } from "../../host/machine/sockets.ts";
import { probeTee } from "../../host/machine/trial.ts";
import { QMP_SOCKET } from "../../host/qemu/command-line.ts";
import { QmpClient } from "../../host/qemu/qmp.ts";
import { timeScale } from "./rows.ts";

const MIB = 2 ** 20;
const MINUTE = 60_000 * timeScale;
const DISK_LOAD_MIB = 15;
const NETWORK_LOAD_MIB = 3;
const HTTP_PORT = 8000;
const DOM0_ADDRESS = "10.0.2.15";
const QEMU_ADDRESS = "10.0.2.2";
const name = `test-io-${process.pid}`;

describe("disks, networks and xl", { timeout: 20 * MINUTE }, () => {
  let machine: Machine;
  let folder: string;
  const image = randomBytes(3 * MIB + 512);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "vtz-io-"));
    const file = join(folder, "disk.raw");
    await writeFile(file, image);
    machine = await Machine.start({
      name,
      tee: "optee-4.5",
      lifetime: "attached",
      bootTimeoutMs: 2 * MINUTE,
    });
    const common = { memoryMib: 256, hasNetwork: true };
    await machine.createGuest({ ...common, name: "one", vcpuCount: 2, disk: { sizeMib: 64 } });
    await machine.waitForGuest("one", 4 * MINUTE);
    await machine.createGuest({ ...common, name: "two", vcpuCount: 1, disk: { file } });
    await machine.waitForGuest("two", 4 * MINUTE);
  });

  after(async () => {
    await machine?.close();
    await Machine.remove(name);
    await rm(folder, { recursive: true, force: true });
  });

  test("a disk that was given as a file holds its bytes, and one that was given as a size has it", async () => {
    const pages = Math.ceil(image.length / 4096);

    assert.equal(await sectors("two"), pages * 8);
    assert.equal(await sectors("one"), (64 * MIB) / 512);
    assert.equal(await run("two", `head -c ${image.length} /dev/xvda | md5sum`), md5Line(image));
    assert.equal(await run("one", "head -c 1000000 /dev/xvda | tr -d '\\0' | wc -c"), "0");
  });

  test("both guests load their disks while their TEEs are called, and read what they wrote", async () => {
    // The small disk of the second guest is written over and over.
    const sizes = { one: DISK_LOAD_MIB, two: 3 };
    const sums = await Promise.all([
      loadDisk("one", sizes.one, 1),
      loadDisk("two", sizes.two, DISK_LOAD_MIB / sizes.two),
      ...["one", "two"].map((guest) => run(guest, "xtest regression_1001 regression_1004 >/dev/null")),
    ]);

    assert.equal(`${await md5OfDisk(1, sizes.one)}  -`, sums[0]);
  });

  test("a file system on a guest's disk keeps a file", async () => {
    const mount = "mount -t ext4 /dev/xvda /mnt";
    await run("one", `mke2fs /dev/xvda >/dev/null && ${mount} && cp /usr/bin/busybox /mnt && umount /mnt`);

    assert.equal(
      await run("one", `${mount} && cmp /mnt/busybox /usr/bin/busybox && umount /mnt && echo same`),
      "same",
    );
  });

  test("data goes through the network between dom0 and the guests, each way, while their TEEs are called", async () => {
    const [one, two] = ["one", "two"].map(
      (guest) => machine.guests.find((each) => each.name === guest)!.address!,
    );
    const served = await Promise.all([DOM0, "one", "two"].map(serveRandom));
    const calls = ["one", "two"].map((guest) =>
      run(guest, "xtest regression_1001 regression_1004 >/dev/null"),
    );

    assert.equal(await fetchFrom("one", DOM0_ADDRESS), served[0]);
    assert.equal(await fetchFrom(DOM0, one!), served[1]);
    assert.equal(await fetchFrom("one", two!), served[2]);
    assert.equal(await fetchFrom("two", one!), served[1]);
    await Promise.all(calls);
  });

  test("dom0's PCIe disk takes data, and the host sees it", async () => {
    const load = `head -c ${8 * MIB} /dev/urandom >/tmp/load && dd if=/tmp/load of=/dev/vda bs=1M oflag=direct`;
    await run(DOM0, load);

    assert.equal(
      await run(DOM0, "dd if=/dev/vda bs=1M count=8 iflag=direct 2>/dev/null | cmp - /tmp/load && echo same"),
      "same",
    );
    assert.equal(`${await md5OfDisk(0, 8)}  -`, await run(DOM0, "md5sum </tmp/load; rm /tmp/load"));
  });

  test("dom0's PCIe network card receives and sends", async () => {
    const blob = randomBytes(MIB);
    await writeFile(join(machine.folder, TFTP_FOLDER, "blob"), blob);
    await run(DOM0, `tftp -g -b 1428 -r blob -l /tmp/blob ${QEMU_ADDRESS} 2>/dev/null`);

    assert.equal(await run(DOM0, "md5sum </tmp/blob"), md5Line(blob));
    const port = await forwardToDom0();
    const sent = await (await fetch(`http://127.0.0.1:${port}/served`)).arrayBuffer();
    assert.equal(md5Line(new Uint8Array(sent)), await run(DOM0, "md5sum </tmp/served"));
  });

  test("a paused guest stands still, in the midst of a write, and goes on", async () => {
    const writing = loadDisk("two", 3, 8);
    await run(DOM0, "xl pause two");
    const before = await listed("two");
    await sleep(2000);
    const after = await listed("two");
    await run(DOM0, "xl unpause two");

    assert.match(after, /^two +\d+ +256 +1 +--p--- /);
    assert.equal(after, before);
    await writing;
    await run("two", "xtest regression_1001 >/dev/null");
  });

  test("a guest gives memory back and gets it again, and its TEE works with less and with more", async () => {
    for (const memory of [192, 256]) {
      await run(DOM0, `xl mem-set one ${memory}`);
      await waitUntil(async () => new RegExp(`^one +\\d+ +${memory} `).test(await listed("one")));
      await run("one", "xtest regression_1001 >/dev/null");
    }
    await loadDisk("one", DISK_LOAD_MIB, 1);
    await run("one", "xtest regression_1004 >/dev/null");
  });

  test("xl alone creates a guest, shows its console, destroys it, and creates it again", async () => {
    const files = guestFilePaths("plain");
    const withIdentity = guestConfig({
      name: "plain",
      slot: 7,
      vcpuCount: 1,
      memoryMib: 192,
      hasNetwork: true,
    });
    await push(withIdentity.replace(/^device_tree.*\n/m, ""), files.config);
    for (const round of [1, 2]) {
      await run(DOM0, `xl create -q ${files.config}`);
      const words = `xtest regression_1001 | tail -n 1; echo round-$((${round} * 11))`;
      const shown = await typeAtConsole("plain", words, `round-${round * 11}`);
      await run(DOM0, "xl destroy plain");

      assert.match(shown, /TEE test application done!/);
    }
    assert.doesNotMatch(await run(DOM0, "xl list"), /plain/);
  });

  test("a guest that takes the slot of an earlier one finds an empty disk", async () => {
    await machine.destroyGuest("one");
    await machine.createGuest({ name: "next", vcpuCount: 1, memoryMib: 256, disk: { sizeMib: 64 } });
    await machine.waitForGuest("next", 4 * MINUTE);

    assert.equal(await run("next", "tr -d '\\0' </dev/xvda | wc -c"), "0");
    await probeTee(machine, "next");
  });

  async function run(where: string, command: string): Promise<string> {
    return (await machine.run(where, command, 4 * MINUTE)).trim();
  }

  async function push(contents: string | Uint8Array, path: string): Promise<void> {
    const local = join(folder, "pushed");
    await writeFile(local, contents);
    await machine.push(DOM0, local, path);
  }

  async function sectors(guest: string): Promise<number> {
    return Number(await run(guest, "cat /sys/block/xvda/size"));
  }

  /** Writes random data to the guest's disk, reads it back past the cache; the answer is its checksum. */
  async function loadDisk(guest: string, sizeMib: number, times: number): Promise<string> {
    return run(
      guest,
      `set -e
      for time in $(seq ${times}); do
        dd if=/dev/urandom of=/tmp/load bs=1M count=${sizeMib} 2>/dev/null
        dd if=/tmp/load of=/dev/xvda bs=1M conv=fsync 2>/dev/null
        echo 3 >/proc/sys/vm/drop_caches
        dd if=/dev/xvda bs=1M count=${sizeMib} 2>/dev/null | cmp - /tmp/load
      done
      md5sum </tmp/load
      rm /tmp/load`,
    );
  }

  /** What the host's file holds in a window of the disk: dom0's is the first, then the slots'. */
  async function md5OfDisk(index: number, sizeMib: number): Promise<string> {
    const file = await open(join(machine.folder, DISK_FILE));
    try {
      const bytes = Buffer.alloc(sizeMib * MIB);
      await file.read(bytes, 0, bytes.length, index * WINDOW_SIZE);
      return createHash("md5").update(bytes).digest("hex");
    } finally {
      await file.close();
    }
  }

  async function serveRandom(where: string): Promise<string> {
    const make = `dd if=/dev/urandom of=/tmp/served bs=1M count=${NETWORK_LOAD_MIB} 2>/dev/null`;
    return run(where, `${make} && httpd -p ${HTTP_PORT} -h /tmp && md5sum </tmp/served`);
  }

  async function fetchFrom(where: string, address: string): Promise<string> {
    return run(where, `wget -q -O - http://${address}:${HTTP_PORT}/served | md5sum`);
  }

  /** A port of the host's that leads to dom0's web server, past `restrict=on`. */
  async function forwardToDom0(): Promise<number> {
    const port = await freePort();
    const sockets = new SocketFolder(machine.folder);
    const qmp = await QmpClient.connect(sockets.path(QMP_SOCKET));
    try {
      const line = `hostfwd_add network tcp:127.0.0.1:${port}-${DOM0_ADDRESS}:${HTTP_PORT}`;
      await qmp.execute("human-monitor-command", { "command-line": line });
    } finally {
      qmp.close();
      sockets.close();
    }
    return port;
  }

  async function listed(guest: string): Promise<string> {
    return run(DOM0, `xl list ${guest} | tail -n 1`);
  }

  /** Types a line at the guest's console until the mark comes back. */
  async function typeAtConsole(guest: string, line: string, mark: string): Promise<string> {
    const typed = `(for n in $(seq 120); do sleep 1; grep -qE "vtz-init. ready|xenconsole:" /tmp/shown && break; done
      sleep 1; echo '${line}'
      for n in $(seq 120); do sleep 1; grep -qE '${mark}|xenconsole:' /tmp/shown && break; done)`;
    // What `xl console -t vuart` runs; without a terminal it takes input only if told to.
    const console = `/usr/lib/xen-4.20/bin/xenconsole $(xl domid ${guest}) --num 0 --type vuart --interactive`;
    return run(DOM0, `>/tmp/shown; ${typed} | timeout 230 ${console} >/tmp/shown; cat /tmp/shown`);
  }

  async function waitUntil(isSo: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + MINUTE;
    while (!(await isSo())) {
      assert.ok(Date.now() < deadline, "does not come");
      await sleep(500);
    }
  }
});

function md5Line(bytes: Uint8Array): string {
  return `${createHash("md5").update(bytes).digest("hex")}  -`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
