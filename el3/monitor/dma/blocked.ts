// What the SMMU has refused: its event queue, read at its interrupt and whenever a page is protected, as it tells only once
// that the queue is no longer empty. A queue that overflows costs records, nothing else. Arm IHI 0070, 3.5.2 and 7.

import { EVENT_DMA_BLOCKED, EVENT_DMA_LOST } from "../../../abi/status";
import { PAGE_SHIFT } from "../arm/page-tables.gen";
import {
  SMMU_EVENT_ADDRESS,
  SMMU_EVENT_SIZE,
  SMMU_EVENT0_STREAM_SHIFT,
  SMMU_EVENT0_TYPE_MASK,
  SMMU_EVENTQ_CONS,
  SMMU_EVENTQ_PROD,
  SMMU_EVENTQ_PROD_OVERFLOW,
  SMMU_GERROR,
  SMMU_GERRORN,
} from "../arm/smmu.gen";
import { dsbSy, lock, readCNTPCT_EL0, readPhysical64, unlock } from "../hw";
import { LOCK_DMA, smmu } from "../storage";
import { recordEvent } from "../trace/events";
import { publishBlockedDma } from "../trace/status";
import { eventQueuePa } from "./memory";
import { readSmmu, writeSmmu } from "./smmu";

export const EVENT_QUEUE_LOG2SIZE: u32 = 7;
const ENTRIES: u32 = 1 << EVENT_QUEUE_LOG2SIZE;
const INDEX_MASK: u32 = 2 * ENTRIES - 1;
/** 1 s at 62.5 MHz. */
const REPEAT_TICKS: u64 = 62500000;

/** At most one full queue, so that devices cannot keep a core at EL3. */
export function recordBlockedDma(): void {
  lock(LOCK_DMA);
  const it = smmu();
  const before = it.eventIndex;
  let produced = readSmmu(SMMU_EVENTQ_PROD);
  const hasOverflown = ((produced ^ readSmmu(SMMU_EVENTQ_CONS)) & SMMU_EVENTQ_PROD_OVERFLOW) !== 0;
  for (let count: u32 = 0; count < ENTRIES && it.eventIndex !== (produced & INDEX_MASK); count++) {
    dsbSy(); // the record is read after it was there…
    recordEntry(it.eventIndex % ENTRIES);
    it.eventIndex = (it.eventIndex + 1) & INDEX_MASK;
    dsbSy(); // …and before its place is free
    writeSmmu(SMMU_EVENTQ_CONS, it.eventIndex | (produced & SMMU_EVENTQ_PROD_OVERFLOW));
    produced = readSmmu(SMMU_EVENTQ_PROD); // more may have come, and would not be told
  }
  if (it.eventIndex !== before) publishBlockedDma(it.blockedCount);
  acknowledgeErrors(hasOverflown);
  unlock(LOCK_DMA);
}

function recordEntry(index: u32): void {
  const pa = eventQueuePa() + <u64>(index * SMMU_EVENT_SIZE);
  const word0 = readPhysical64(pa);
  const address = readPhysical64(pa + <u64>SMMU_EVENT_ADDRESS);
  smmu().blockedCount++;
  if (isRepeated(word0, address >> PAGE_SHIFT)) return;
  const stream = word0 >> SMMU_EVENT0_STREAM_SHIFT;
  const type = word0 & SMMU_EVENT0_TYPE_MASK;
  recordEvent(EVENT_DMA_BLOCKED, 0, (type << 32) | stream, address);
}

/** A device tries a page word by word: one event a second says so, the others are only counted. */
function isRepeated(word0: u64, page: u64): bool {
  const it = smmu();
  const now = readCNTPCT_EL0();
  const isSame = it.recordedWord === word0 && it.recordedPage === page;
  if (isSame && now - it.recordedTicks < REPEAT_TICKS) return true;
  it.recordedWord = word0;
  it.recordedPage = page;
  it.recordedTicks = now;
  return false;
}

/** How an SMMU tells of lost records differs: by a bit of the queue's, or as an error. */
function acknowledgeErrors(hasOverflown: bool): void {
  const errors = readSmmu(SMMU_GERROR);
  const isNew = errors !== readSmmu(SMMU_GERRORN);
  if (isNew) writeSmmu(SMMU_GERRORN, errors);
  if (isNew || hasOverflown) recordEvent(EVENT_DMA_LOST, 0, <u64>errors, 0);
}
