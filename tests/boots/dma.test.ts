// Devices of the real machine: what dom0 tells them to read and write, by the SMMU that the monitor owns. The device is QEMU's `edu`, whose DMA
// goes wherever a program says (el1/probe/dma.c).

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  POOL_SMMU_OFFSET,
  POOL_STAGE2_OFFSET,
  POOL_STATUS_OFFSET,
  POOL_VECTORS_OFFSET,
  SECURE_SRAM_PA,
  SMMU_PA,
} from "../../abi/memory-map.ts";
import { buildProgram } from "../../bench/programs.ts";
import { DOM0, Machine } from "../../host/machine/machine.ts";
import { timeScale } from "./rows.ts";

const MINUTE = 60_000 * timeScale;
const PAGE = 0x1000;
const IMAGE_OFFSET = 0x100000; // of OP-TEE's code in its RAM
const name = `test-dma-${process.pid}`;

describe("DMA", { timeout: 10 * MINUTE }, () => {
  let machine: Machine;
  let device: string;

  before(async () => {
    machine = await Machine.start({ name, tee: "optee-4.5", lifetime: "attached", hasEdu: true });
    await machine.push(DOM0, await buildProgram("dma"), "/tmp/dma", 0o755);
    device = (await machine.run(DOM0, "dirname $(grep -l 0x11e8 /sys/bus/pci/devices/*/device)")).trim();
    await machine.createGuest({ name: "victim", vcpuCount: 1, memoryMib: 256 });
    await machine.waitForGuest("victim");
  });

  after(async () => {
    await machine?.close();
    await Machine.remove(name);
  });

  const dma = (...words: readonly string[]) => machine.run(DOM0, ["/tmp/dma", device, ...words].join(" "));

  /** A page of the running guest's TEE: code, which nobody changes. */
  async function teePage(): Promise<number> {
    const { events } = (await machine.status())!;
    const created = events.find(({ kind }) => kind === "guest-created")!;
    return Number(created.arguments[1]) + IMAGE_OFFSET;
  }

  async function blockedAddresses(): Promise<string[]> {
    const { events } = (await machine.status())!;
    return events.filter(({ kind }) => kind === "dma-blocked").map((event) => event.arguments[1]);
  }

  /** The device tries both ways; memory stays as it is, the device learns nothing, the monitor tells. */
  async function assertOutOfReach(pa: number): Promise<void> {
    const hex = pa.toString(16);
    const counted = (await machine.status())!.dmaBlocked;
    await dma("write", hex);
    assert.match(await dma("read", hex), /^dma: (zero|the pattern)$/m, `0x${hex} is read`);
    assert((await machine.status())!.dmaBlocked > counted, `0x${hex}: nothing was blocked`);
    assert((await blockedAddresses()).includes(`0x${hex}`), `0x${hex}: no event`);
  }

  test("a device moves ordinary pages of dom0", async () => {
    assert.equal(await dma("own"), "dma: the pattern\n");
    assert.deepEqual(await blockedAddresses(), []);
  });

  test("a device does not reach a page of a running guest's TEE, and the TEE goes on", async () => {
    const pa = await teePage();
    const contents = await machine.readPhysical(pa, PAGE);
    assert(contents.some((byte) => byte !== 0));

    await assertOutOfReach(pa);

    assert.deepEqual(await machine.readPhysical(pa, PAGE), contents);
    await machine.run("victim", "xtest regression_1002", MINUTE);
  });

  test("a device does not reach the monitor's pool, its own tables among it", async () => {
    const { poolPa } = machine.state.ram;
    const offsets = [
      POOL_VECTORS_OFFSET,
      POOL_STAGE2_OFFSET,
      POOL_SMMU_OFFSET + 0x2000,
      POOL_SMMU_OFFSET + 0x8000,
    ];
    for (const pa of offsets.map((offset) => poolPa + offset)) {
      const contents = await machine.readPhysical(pa, PAGE);
      await assertOutOfReach(pa);
      assert.deepEqual(await machine.readPhysical(pa, PAGE), contents);
    }
    await assertOutOfReach(poolPa + POOL_STATUS_OFFSET);
  });

  test("a device reaches neither another device's registers nor secure memory", async () => {
    for (const pa of [SMMU_PA + PAGE, SECURE_SRAM_PA]) await assertOutOfReach(pa);
  });

  test("dom0's disk works through the SMMU, and so does the device that was refused", async () => {
    const copy =
      "dd if=/tmp/random of=/dev/vda bs=64k conv=fsync && dd if=/dev/vda of=/tmp/back bs=64k count=16";
    await machine.run(DOM0, "dd if=/dev/urandom of=/tmp/random bs=64k count=16");
    await machine.run(
      DOM0,
      `(${copy}) 2>&1 && echo 3 > /proc/sys/vm/drop_caches && cmp /tmp/random /tmp/back`,
    );
    assert.equal(await dma("own"), "dma: the pattern\n");
  });

  test("dom0 is shown no SMMU, and nothing that does DMA past it", async () => {
    const nodes = await machine.run(DOM0, "ls /proc/device-tree");
    assert.doesNotMatch(nodes, /smmu|fw-cfg|virtio_mmio/);
    assert.match(nodes, /^pcie@/m);
    assert.doesNotMatch(await machine.run(DOM0, "ls /proc/device-tree/pcie@*"), /iommu-map|msi-map/);
  });
});
