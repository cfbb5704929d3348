// Acts on live translation tables, and what they leave: the vocabulary of the tests of el3/monitor/memory.

import assert from "node:assert/strict";
import {
  POOL_SMMU_OFFSET,
  POOL_SMMU_SIZE,
  POOL_STATUS_OFFSET,
  POOL_VECTORS_OFFSET,
} from "../../abi/memory-map.ts";
import * as pages from "../../abi/pages.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { pageRecord, pageRecordPa } from "../machine/page-records.ts";
import { word } from "../machine/source-words.ts";
import type { StoreOutcome } from "./el2-stores.ts";
import type { Lab } from "./lab.ts";
import { directMapVa } from "./xen-memory.ts";

/** A difference of whole pages says no more than its first words. */
const SHOWN_MAX = 16;
export const PAGE = 0x1000;
export const MIB2 = 1 << 21;
export const GIB = 2 ** 30;

export const stage2Page = (pa: number): bigint => BigInt(pa) | word("STAGE2_PAGE_NORMAL_RWX");
export const stage2Block = (pa: number): bigint => BigInt(pa) | word("STAGE2_BLOCK_NORMAL_RWX");

/** The hypervisor stores one entry. */
export function put(lab: Lab, pa: number, value: bigint, coreIndex = 0): StoreOutcome {
  return lab.hypervisor.store(lab.core(coreIndex), directMapVa(pa), value);
}

export function assertDone(outcome: StoreOutcome): void {
  assert.equal(outcome, "done");
}

/** A page that the hypervisor has filled, entry for entry, and that no translation names. */
export function aTable(lab: Lab, entries: Readonly<Record<number, bigint>> = {}): number {
  const pa = lab.hypervisor.allocate();
  lab.hypervisor.zeroPage(pa);
  for (const [index, entry] of Object.entries(entries)) lab.hypervisor.write64(pa + Number(index) * 8, entry);
  return pa;
}

const STATES = new Map(
  Object.entries(pages)
    .filter(([name]) =>
      /^PAGE_(FREE|GUEST|GUEST_SECURE|GUEST_TEE|HYPERVISOR_TEXT|STAGE\d_TABLE|MONITOR)$/.test(name),
    )
    .map(([name, value]) => [value as number, name.replace("PAGE_", "")]),
);

/** FREE, GUEST, STAGE2_TABLE … and the number of references where there are any. */
export function stateOf(lab: Lab, pa: number): string {
  const { state, references } = pageRecord(lab.machine, pa);
  return `${STATES.get(state)}${references === 0 ? "" : ` ${references}`}`;
}

/** Number of writable mappings of a page at EL2, beside the direct map. */
export const writableCount = (lab: Lab, pa: number): number =>
  pageRecord(lab.machine, pa).word & pages.PAGE_WRITABLE_MASK;

/** The hypervisor can store there by itself. */
export function isOwn(lab: Lab, pa: number): boolean {
  const stores = lab.status.protection.tableStores;
  return put(lab, pa, 0n) === "done" && lab.status.protection.tableStores === stores;
}

/**
 * What the act is refused with, it has not changed: memory word for word, but for the status page, and for what only says how things are kept:
 * when a page was last in a guest's TLB, and whether devices reach it by a page or a block.
 */
export function assertUnchanged(lab: Lab, act: () => void): void {
  const before = lab.machine.memory.snapshot();
  const records = new Map<number, bigint>();
  const recordsPa = pageRecordPa(lab.machine, lab.machine.bootPackage.ramPa);
  const recordsEnd = Number(new MonitorState(lab.machine).machine("directMapTablesPa"));
  for (let pa = recordsPa; pa < recordsEnd; pa += 8) records.set(pa, lab.machine.memory.read64(pa));

  act();

  const changed = lab.machine.memory.changesSince(before).filter((pa) => {
    if (isStatus(lab, pa) || isDma(lab, pa)) return false;
    const old = records.get(pa);
    return old === undefined || withoutEpoch(old) !== withoutEpoch(lab.machine.memory.read64(pa));
  });
  assert.deepEqual(
    changed.slice(0, SHOWN_MAX).map((pa) => pa.toString(16)),
    [],
  );
}

/** Refused, recorded as a violation, and nothing has changed. */
export function assertRefused(lab: Lab, act: () => StoreOutcome): void {
  const { violations } = lab.status.protection;
  assertUnchanged(lab, () => assert.equal(act(), "aborted"));
  assert.equal(lab.status.protection.violations, violations + 1);
  const event = lab.status.events.at(-1);
  assert.deepEqual([event?.kind, event?.arguments[0]], ["violation", "0x2"]);
}

export function assertPutRefused(lab: Lab, pa: number, value: bigint): void {
  assertRefused(lab, () => put(lab, pa, value));
}

function isStatus(lab: Lab, pa: number): boolean {
  const { poolPa } = lab.machine.bootPackage;
  return pa >= poolPa + POOL_STATUS_OFFSET && pa < poolPa + POOL_VECTORS_OFFSET;
}

function isDma(lab: Lab, pa: number): boolean {
  const { poolPa } = lab.machine.bootPackage;
  const structures = poolPa + POOL_SMMU_OFFSET;
  const tables = Number(new MonitorState(lab.machine).machine("dmaTablesPa"));
  return (
    (pa >= structures && pa < structures + POOL_SMMU_SIZE) || (pa >= tables && pa < lab.machine.poolTeePa)
  );
}

/** The epoch counts only while the page is the hypervisor's or a guest's. */
function withoutEpoch(record: bigint): bigint {
  const state = Number(record & BigInt(pages.PAGE_STATE_MASK));
  if (state !== pages.PAGE_FREE && state !== pages.PAGE_GUEST) return record;
  return record & ~(BigInt(pages.PAGE_EPOCH_MASK) << 32n);
}
