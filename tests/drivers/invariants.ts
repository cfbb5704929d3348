// What holds between any two steps of any history, whoever misbehaves below EL3.

import { POOL_EMPTY_ROOT_OFFSET, TEE_RAM_SIZE } from "../../abi/memory-map.ts";
import { PAGE_GUEST_SECURE, PAGE_STAGE2_TABLE } from "../../abi/pages.ts";
import type { Core } from "../machine/core.ts";
import { translateEl2 } from "../machine/el2-translation.ts";
import type { Machine } from "../machine/machine.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { decodeRecord, pageRecord, pageRecordPa } from "../machine/page-records.ts";
import { word } from "../machine/source-words.ts";
import { rootOf, vmidOf } from "../machine/translation.ts";
import { hypervisorVectorFaults } from "./hypervisor-vectors.ts";
import type { Lab } from "./lab.ts";
import { directMapVa } from "./xen-memory.ts";

const TEE_HCR_NEEDED = ["VM", "FMO", "IMO", "AMO", "TWI", "TACR", "FB"].map((bit) => word(`HCR_EL2_${bit}`));
const PAGE = 0x1000;
const LAST_TEE_VMID = 0xffn;
const TRAPPING_VBAR = word("TOP_SLOT") << 39n;

/** Every rule that is broken now, in words. */
export function brokenInvariants(lab: Lab): string[] {
  return [
    ...rootRules(lab),
    ...coreRules(lab),
    ...claimRules(lab),
    ...poolRules(lab),
    ...memoryRules(lab),
    ...dmaRules(lab),
    ...partitionRules(lab),
  ];
}

/** Slots that have a guest, by the monitor's books. */
function takenSlots(lab: Lab): Set<number> {
  const state = new MonitorState(lab.machine);
  return new Set(
    Array.from({ length: lab.slotCount }, (_, slot) => slot).filter(
      (slot) => state.guest(slot, "state") !== 0n,
    ),
  );
}

function* coreRules(lab: Lab): Generator<string> {
  const state = new MonitorState(lab.machine);
  for (const core of lab.machine.cores) {
    if (core.isParked) continue;
    const running = state.running(core.index);
    const who = `core ${core.index}`;
    const vttbr = core.get("VTTBR_EL2");
    if ((core.get("HCR_EL2") & word("HCR_EL2_TSC")) !== 0n) yield `${who}: HCR_EL2.TSC is set`;
    if (running !== undefined) yield* teeRules(core, who, running);
    else if (state.core(core.index, "awaitsTee") !== 0n) {
      if (core.get("VBAR_EL2") !== TRAPPING_VBAR) yield `${who}: waits for a TEE without trapping vectors`;
      if (rootOf(vttbr) !== lab.machine.bootPackage.poolPa + POOL_EMPTY_ROOT_OFFSET)
        yield `${who}: waits for a TEE and has memory`;
    } else {
      for (const fault of hypervisorVectorFaults(lab, core)) yield `${who}: ${fault}`;
      if (vmidOf(vttbr) > LAST_TEE_VMID - 16n) yield `${who}: the normal world runs on an S world's root`;
    }
    if (running === undefined && core.get("CPTR_EL3") !== 0n) yield `${who}: FP traps in the normal world`;
  }
}

/** What a core's VTTBR_EL2 names, or will name, is a table of the monitor's or one that was checked and is nobody's to write. */
function* rootRules(lab: Lab): Generator<string> {
  const state = new MonitorState(lab.machine);
  for (const core of lab.machine.cores) {
    const requested = state.core(core.index, "requestedVttbrEl2");
    if (core.isParked) continue;
    for (const [name, vttbr] of [
      ["VTTBR_EL2", core.get("VTTBR_EL2")],
      ["the requested root", requested],
    ] as const) {
      const rootPa = rootOf(vttbr);
      if (rootPa === 0 || rootPa >= lab.machine.bootPackage.poolPa) continue;
      const record = pageRecord(lab.machine, rootPa);
      if (record.state !== PAGE_STAGE2_TABLE || record.level !== 0)
        yield `core ${core.index}: ${name}, 0x${vttbr.toString(16)}, is no checked root`;
    }
  }
}

type RunningTee = NonNullable<ReturnType<MonitorState["running"]>>;

function* teeRules(core: Core, who: string, { slot, index }: RunningTee): Generator<string> {
  if (core.get("VBAR_EL2") !== TRAPPING_VBAR) yield `${who}: a TEE runs without trapping vectors`;
  if (vmidOf(core.get("VTTBR_EL2")) !== LAST_TEE_VMID - BigInt(slot)) yield `${who}: a TEE with a wrong VMID`;
  if (TEE_HCR_NEEDED.some((bit) => (core.get("HCR_EL2") & bit) === 0n))
    yield `${who}: a TEE with HCR_EL2 0x${core.get("HCR_EL2").toString(16)}`;
  if (core.get("VMPIDR_EL2") !== (word("VMPIDR_EL2_RES1") | BigInt(index)))
    yield `${who}: TEE core ${index} with VMPIDR_EL2 0x${core.get("VMPIDR_EL2").toString(16)}`;
}

/** At most one core runs a TEE core, and its claim says so; a claim without a core would never be given back. */
function* claimRules(lab: Lab): Generator<string> {
  const state = new MonitorState(lab.machine);
  const running = lab.machine.cores
    .map(({ index }) => state.running(index))
    .filter((it) => it !== undefined)
    .map(({ slot, index }) => `${slot}.${index}`);
  if (new Set(running).size !== running.length) yield `two cores run one TEE core: ${running.join(" ")}`;
  // The cores of a slot that is free stay claimed, or are as zero as they were: nobody enters them.
  for (const slot of takenSlots(lab)) {
    for (let index = 0; index < 4; index++) {
      const isClaimed = state.teeCore(slot, index, "isRunning") !== 0n;
      const isRunning = running.includes(`${slot}.${index}`);
      if (isClaimed !== isRunning) yield `TEE core ${slot}.${index}: claimed ${isClaimed}, runs ${isRunning}`;
    }
  }
}

function* poolRules(lab: Lab): Generator<string> {
  const { guests, poolFree, poolTotal, guestsCreated, guestsDestroyed } = lab.status;
  if (poolFree + guests.length * TEE_RAM_SIZE !== poolTotal)
    yield `pool: ${poolFree} free and ${guests.length} guests of ${poolTotal}`;
  if (guestsCreated - guestsDestroyed !== guests.length)
    yield `${guestsCreated} guests created, ${guestsDestroyed} destroyed, ${guests.length} there`;
}

/** A free slot's RAM is zero and unreachable; a taken one's is reached by its own S world's VMID only. */
function* memoryRules(lab: Lab): Generator<string> {
  const { machine } = lab;
  const taken = takenSlots(lab);
  for (let slot = 0; slot < lab.slotCount; slot++) {
    const pa = machine.poolTeePa + slot * TEE_RAM_SIZE;
    if (!taken.has(slot) && lab.wasUsed(slot) && !machine.memory.isZero(pa, TEE_RAM_SIZE))
      yield `free slot ${slot} is not zero`;
    const vmids = vmidsThatReach(machine, pa, TEE_RAM_SIZE);
    const allowed = taken.has(slot) ? [LAST_TEE_VMID - BigInt(slot)] : [];
    for (const vmid of vmids)
      if (!allowed.includes(vmid)) yield `VMID ${vmid} reaches the RAM of slot ${slot}`;
  }
  for (const pa of machine.writesOutsidePool) yield `EL3 wrote 0x${pa.toString(16)}, which is not its own`;
}

/** VMIDs with a translation, on any core, to anything in [pa, pa + size). */
function vmidsThatReach(machine: Machine, pa: number, size: number): Set<bigint> {
  const found = new Set<bigint>();
  for (const tlb of machine.tlbs)
    for (const kept of tlb.kept()) if (kept.pa >= pa && kept.pa < pa + size) found.add(kept.vmid);
  return found;
}

/** Devices reach RAM, but neither the pool's start nor any TEE's. */
function* dmaRules(lab: Lab): Generator<string> {
  const { smmu, bootPackage, poolTeePa } = lab.machine;
  const tees = Array.from({ length: lab.slotCount }, (_, slot) => poolTeePa + slot * TEE_RAM_SIZE);
  for (const pa of [bootPackage.poolPa, ...tees])
    if (smmu.find(0, pa) !== undefined) yield `devices reach 0x${pa.toString(16)}`;
  if (smmu.find(0, bootPackage.ramPa) !== bootPackage.ramPa) yield "devices do not reach RAM";
  for (const pa of takenPages(lab))
    if (smmu.find(0, pa) !== undefined) yield `devices reach 0x${pa.toString(16)}, which a TEE has taken`;
}

/** What is taken is reached by its own S world's VMID only, and by EL2 not at all. */
function* partitionRules(lab: Lab): Generator<string> {
  const { machine } = lab;
  const taken = new Map([...takenPages(lab)].map((pa) => [pa, pageRecord(machine, pa).word]));
  if (taken.size === 0) return;
  for (const tlb of machine.tlbs)
    for (const { pa, vmid } of tlb.kept()) {
      const slot = taken.get(pa - (pa % PAGE));
      if (slot !== undefined && vmid !== LAST_TEE_VMID - BigInt(slot))
        yield `VMID ${vmid} reaches 0x${pa.toString(16)}, which the TEE of slot ${slot} has taken`;
    }
  for (const core of machine.cores)
    for (const pa of taken.keys())
      if (!core.isParked && "pa" in translateEl2(machine, core, directMapVa(pa), "read"))
        yield `core ${core.index}: EL2 reads 0x${pa.toString(16)}, which a TEE has taken`;
}

/** By the records; nothing is looked for if no TEE has taken anything. */
function* takenPages({ machine, slotCount }: Lab): Generator<number> {
  const state = new MonitorState(machine);
  const slots = Array.from({ length: slotCount }, (_, slot) => slot);
  if (slots.every((slot) => state.partition(slot, "granuleCount") === 0n)) return;
  const { ramPa, poolPa } = machine.bootPackage;
  const records = machine.memory.bytes(pageRecordPa(machine, ramPa), ((poolPa - ramPa) / PAGE) * 8);
  const words = new BigUint64Array(records.buffer);
  for (const [index, record] of words.entries())
    if (decodeRecord(record).state === PAGE_GUEST_SECURE) yield ramPa + index * PAGE;
}

/** Places that the normal world or the hypervisor can read and that hold a word which satisfies `isSecret`. */
export function placesWith(lab: Lab, isSecret: (value: bigint) => boolean): string[] {
  const found: string[] = [];
  for (const core of lab.machine.cores) {
    for (const [name, value] of core.registers())
      if (!name.endsWith("EL3") && isSecret(value)) found.push(`core ${core.index} ${name}`);
  }
  const { poolPa, poolSize } = lab.machine.bootPackage;
  for (const [pa, view] of lab.machine.memory.pagesOutside(poolPa, poolPa + poolSize)) {
    for (let offset = 0; offset < 0x1000; offset += 8)
      if (isSecret(view.getBigUint64(offset, true))) found.push(`memory 0x${(pa + offset).toString(16)}`);
  }
  return found;
}
