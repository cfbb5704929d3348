// The stage-2 tables of an S world, walked as the hardware walks them: exactly the TEE's RAM and what its normal world has above 1 GiB.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TEE_RAM_IPA, TEE_RAM_SIZE } from "../../abi/memory-map.ts";
import { aLab, FAST_CALL, type Lab } from "../drivers/lab.ts";
import { teeRuns } from "../drivers/tee.ts";
import { word } from "../machine/source-words.ts";
import { leaves, rootOf } from "../machine/translation.ts";

const GIB = 1 << 30;
const MIB2 = 1 << 21;

/** What a root maps, as IPA → PA of each leaf. */
function mapping(lab: Lab, vttbr: bigint): Map<number, number> {
  return new Map([...leaves(lab.machine.memory, rootOf(vttbr))].map(({ ipa, pa }) => [ipa, pa]));
}

async function inTheTee() {
  const lab = await aLab();
  const vm = lab.aGuest({ ramMib: 8 });
  lab.guestCalls(0, FAST_CALL);
  return { lab, vm, vttbr: lab.core(0).get("VTTBR_EL2") };
}

test("below 1 GiB: the TEE's RAM, whole, in its slot, and nothing else", async () => {
  const { lab, vttbr } = await inTheTee();

  const low = [...mapping(lab, vttbr)].filter(([ipa]) => ipa < GIB);

  const expected = Array.from({ length: TEE_RAM_SIZE / MIB2 }, (_, index) => [
    TEE_RAM_IPA + index * MIB2,
    lab.machine.poolTeePa + index * MIB2,
  ]);
  assert.deepEqual(low, expected);
});

test("above: page for page what the normal world has; its grant table below 1 GiB is not shared", async () => {
  const { lab, vm, vttbr } = await inTheTee();

  const high = [...mapping(lab, vttbr)].filter(([ipa]) => ipa >= GIB);
  const normal = [...mapping(lab, vm.vttbr)];

  assert.deepEqual(
    high,
    normal.filter(([ipa]) => ipa >= GIB),
  );
  assert(normal.some(([ipa]) => ipa < GIB));
});

test("the TEE's RAM is normal write-back memory that it may write and execute", async () => {
  const { lab, vttbr } = await inTheTee();
  const [first] = leaves(lab.machine.memory, rootOf(vttbr));
  assert.equal(first!.level, 2);
  assert.equal(first!.descriptor & word("STAGE2_MEMATTR_MASK"), word("STAGE2_MEMATTR_WRITE_BACK"));
  assert.equal(first!.descriptor & 0xffcn, word("STAGE2_BLOCK_NORMAL_RWX") & 0xffcn);
});

test("no normal world reaches the pool", async () => {
  const { lab, vm } = await inTheTee();
  const { poolPa } = lab.machine.bootPackage;
  for (const pa of mapping(lab, vm.vttbr).values()) assert(pa < poolPa);
});

test("memory that the hypervisor maps later is there at the TEE's next access", async () => {
  const { lab, vm, vttbr } = await inTheTee();
  const ipa = 2 * GIB;
  assert.equal(lab.tee().translate(BigInt(ipa)), undefined);
  vm.tables.mapBlocks(ipa, vm.ramPa, MIB2);

  lab.tee().accessIpa(BigInt(ipa));

  assert(teeRuns(lab.core(0)));
  assert.equal(lab.tee().translate(BigInt(ipa)), vm.ramPa);
  assert.equal(lab.core(0).get("VTTBR_EL2"), vttbr);
});

test("a root with a table outside of the hypervisor's RAM is refused", async () => {
  for (const pa of [0x0e000000, 0x7e000000, 0x09040000]) {
    const lab = await aLab();
    const { vttbr, rootPa } = emptyVm(lab);
    lab.hypervisor.write64(rootPa, BigInt(pa) | 3n);

    assert(!lab.hypervisor.writes(lab.core(0), "VTTBR", vttbr));

    assert.equal(lab.eventKinds.at(-1), "violation");
  }
});

/** A VM with an empty root that was never loaded: its tables are the hypervisor's own memory still. */
function emptyVm(lab: Lab) {
  const { vttbr, tables } = lab.hypervisor.createVm({ vmid: 9 });
  return { vttbr, rootPa: tables.rootPa };
}

test("a 1 GiB block of the normal world is shared as long as it is there", async () => {
  const { lab, vm } = await inTheTee();
  const entryPa = vm.tables.entryPa(2 * GIB, 1);
  const block = 0x10_0000_0000;

  lab.hypervisor.write64(entryPa, BigInt(block) | word("STAGE2_BLOCK_NORMAL_RWX"));
  assert.equal(lab.tee().translate(0x9000_0000n), block + 0x1000_0000);
  lab.hypervisor.write64(entryPa, 0n);

  assert.equal(lab.tee().translate(0x9000_0000n), undefined);
});
