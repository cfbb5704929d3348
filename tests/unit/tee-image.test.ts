// What stands in a TEE's RAM before its first instruction: the image, adapted, and its device tree.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TEE_RAM_IPA, TEE_RAM_SIZE } from "../../abi/memory-map.ts";
import { findNode } from "../../host/formats/device-tree.ts";
import { decodeDeviceTree } from "../../host/formats/fdt.ts";
import {
  aLab,
  anImage,
  CNTPS_CTL_WRITE,
  CNTPS_CVAL_WRITE,
  CNTPS_TVAL_READ,
  type Lab,
} from "../drivers/lab.ts";

const IMAGE_IPA = 0x0e100000;
const SMC = 0xd4000003;

async function booting(image = anImage(), options: object = {}): Promise<Lab> {
  const lab = await aLab({ image, ...options });
  lab.runVcpu(lab.aVm().vcpus[0]!);
  return lab;
}

const imagePa = (lab: Lab) => lab.machine.poolTeePa + IMAGE_IPA - TEE_RAM_IPA;

suite("adaptation", () => {
  test("each secure-timer instruction is an SMC that names it; every other byte is the image's", async () => {
    const image = anImage();
    const lab = await booting(image);

    const loaded = new DataView(lab.machine.memory.bytes(imagePa(lab), image.length).buffer);
    const original = new DataView(image.buffer);
    const sites: [number, number, number][] = [];
    for (let offset = 0; offset < image.length; offset += 4) {
      const [was, is] = [original.getUint32(offset, true), loaded.getUint32(offset, true)];
      if (was !== is) sites.push([offset, was, is]);
    }
    assert.deepEqual(sites, [
      [0x40, CNTPS_CTL_WRITE, SMC + 0x2020 * 32],
      [0x1234, CNTPS_CVAL_WRITE, SMC + 0x2045 * 32],
      [0x2ffc, CNTPS_TVAL_READ, SMC + 0x2089 * 32],
    ]);
  });

  test("the sites are listed as events, by address and original instruction", async () => {
    const lab = await booting();
    const events = lab.status.events.filter(({ kind }) => kind === "site-adapted");
    assert.deepEqual(
      events.map((event) => event.arguments.map(Number)),
      [
        [IMAGE_IPA + 0x40, CNTPS_CTL_WRITE],
        [IMAGE_IPA + 0x1234, CNTPS_CVAL_WRITE],
        [IMAGE_IPA + 0x2ffc, CNTPS_TVAL_READ],
      ],
    );
    assert.equal(lab.status.guests[0]?.adaptedSites, 3);
  });

  test("near misses are left alone: other registers of the same group, other levels", async () => {
    const image = new Uint8Array(0x100);
    const view = new DataView(image.buffer);
    // CNTP_CTL_EL0, CNTV_CVAL_EL0, CNTHP_CTL_EL2, CNTPS with op2 3 (no such register), CNTPCT_EL0, a SYS instruction
    const words = [0xd51be220, 0xd51be340, 0xd51ce220, 0xd51fe260, 0xd53be020, 0xd50fe220];
    words.forEach((word, index) => {
      view.setUint32(index * 4, word, true);
    });
    const lab = await booting(image, { profile: { adaptedSites: 0 } });
    assert.deepEqual(lab.machine.memory.bytes(imagePa(lab), image.length), image);
    assert.equal(lab.status.guests[0]?.state, "booting");
  });

  test("the boot package in flash stays as it is", async () => {
    const image = anImage();
    const lab = await booting(image);
    assert.deepEqual(lab.machine.memory.bytes(0x100000 + 0x1000, image.length), image);
  });

  test("everything in the TEE's RAM beside image and device tree is zero", async () => {
    const lab = await booting();
    const { memory, poolTeePa } = lab.machine;
    assert(memory.isZero(poolTeePa + 0x2000, IMAGE_IPA - TEE_RAM_IPA - 0x2000));
    const end = imagePa(lab) + anImage().length;
    assert(memory.isZero(end, poolTeePa + TEE_RAM_SIZE - end));
  });
});

suite("device tree", () => {
  /** The (base, size) pairs of /memory as the TEE reads them. */
  function memoryOf(lab: Lab): [bigint, bigint][] {
    const tree = decodeDeviceTree(
      lab.machine.memory.bytes(
        Number(lab.core(0).x[2]! - BigInt(TEE_RAM_IPA)) + lab.machine.poolTeePa,
        0x1000,
      ),
    );
    const reg = findNode(tree, "/memory@40000000")?.properties.get("reg");
    assert(reg !== undefined);
    const view = new DataView(reg.buffer, reg.byteOffset, reg.byteLength);
    return Array.from({ length: reg.length / 16 }, (_, index) => [
      view.getBigUint64(index * 16),
      view.getBigUint64(index * 16 + 8),
    ]);
  }

  test("it tells the TEE its normal world's memory", async () => {
    const lab = await aLab();
    lab.runVcpu(lab.aVm({ ramMib: 10 }).vcpus[0]!);
    assert.deepEqual(memoryOf(lab), [[0x40000000n, 10n << 20n]]);
  });

  test("memory is counted up to the first gap", async () => {
    const lab = await aLab();
    const vm = lab.aVm({ ramMib: 10 });
    vm.tables.unmapBlock(0x40600000);
    lab.runVcpu(vm.vcpus[0]!);
    assert.deepEqual(memoryOf(lab), [[0x40000000n, 6n << 20n]]);
  });

  test("a second bank at 8 GiB is told as well", async () => {
    const lab = await aLab();
    const vm = lab.aVm({ ramMib: 10 });
    vm.tables.mapBlocks(8 * 2 ** 30, vm.ramPa, 4 << 20);
    lab.runVcpu(vm.vcpus[0]!);
    assert.deepEqual(memoryOf(lab), [
      [0x40000000n, 10n << 20n],
      [8n << 30n, 4n << 20n],
    ]);
  });

  test("a TEE that wants none gets 0 in x2", async () => {
    const lab = await aLab({ profile: { hasDeviceTree: false } });
    lab.runVcpu(lab.aVm().vcpus[0]!);
    assert.equal(lab.core(0).x[2], 0n);
    assert(lab.machine.memory.isZero(lab.machine.poolTeePa, 0x1000));
  });
});
