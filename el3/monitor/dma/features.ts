// Whether the SMMU and the machine's memory are what the DMA table is made for. If not, the machine does not start: without
// the table, devices would reach the pool. Arm IHI 0070, 6.3.1 to 6.3.6.

import { BLOCK_L1_SIZE, BLOCK_L2_SIZE } from "../arm/page-tables.gen";
import {
  SMMU_IDR0,
  SMMU_IDR0_COHACC,
  SMMU_IDR0_S1P,
  SMMU_IDR0_ST_LEVEL_TWO_LEVEL,
  SMMU_IDR0_STALL_MODEL_MASK,
  SMMU_IDR0_STALL_MODEL_STALL,
  SMMU_IDR0_TTF_AARCH64,
  SMMU_IDR1,
  SMMU_IDR1_CMDQS_MASK,
  SMMU_IDR1_CMDQS_SHIFT,
  SMMU_IDR1_EVENTQS_MASK,
  SMMU_IDR1_EVENTQS_SHIFT,
  SMMU_IDR1_QUEUES_PRESET,
  SMMU_IDR1_TABLES_PRESET,
  SMMU_IDR3,
  SMMU_IDR3_BBML_FREE,
  SMMU_IDR3_BBML_MASK,
  SMMU_IDR5,
  SMMU_IDR5_GRAN4K,
  SMMU_IDR5_OAS_B40,
  SMMU_IDR5_OAS_MASK,
} from "../arm/smmu.gen";
import { fatal } from "../hw";
import { machine, smmu } from "../storage";
import { FATAL_BOOT_PACKAGE, FATAL_SMMU } from "../trace/epitaph";
import { EVENT_QUEUE_LOG2SIZE } from "./blocked";
import { COMMAND_QUEUE_LOG2SIZE } from "./commands";
import { LEVEL2_TABLES } from "./memory";
import { readSmmu } from "./smmu";

const NEEDED: u32 = SMMU_IDR0_S1P | SMMU_IDR0_TTF_AARCH64 | SMMU_IDR0_COHACC | SMMU_IDR0_ST_LEVEL_TWO_LEVEL;
const FIXED: u32 = SMMU_IDR1_TABLES_PRESET | SMMU_IDR1_QUEUES_PRESET;

export function checkSmmuFeatures(): void {
  const idr0 = readSmmu(SMMU_IDR0);
  const idr1 = readSmmu(SMMU_IDR1);
  const idr5 = readSmmu(SMMU_IDR5);
  const suffices =
    (idr0 & NEEDED) === NEEDED &&
    (idr0 & SMMU_IDR0_STALL_MODEL_MASK) !== SMMU_IDR0_STALL_MODEL_STALL &&
    (idr1 & FIXED) === 0 &&
    (idr1 & SMMU_IDR1_CMDQS_MASK) >> SMMU_IDR1_CMDQS_SHIFT >= COMMAND_QUEUE_LOG2SIZE &&
    (idr1 & SMMU_IDR1_EVENTQS_MASK) >> SMMU_IDR1_EVENTQS_SHIFT >= EVENT_QUEUE_LOG2SIZE &&
    (idr5 & SMMU_IDR5_GRAN4K) !== 0 &&
    (idr5 & SMMU_IDR5_OAS_MASK) >= SMMU_IDR5_OAS_B40;
  if (!suffices) fatal(FATAL_SMMU, ((<u64>idr1) << 32) | <u64>idr0, <u64>idr5);
  const isFree = (readSmmu(SMMU_IDR3) & SMMU_IDR3_BBML_MASK) === SMMU_IDR3_BBML_FREE;
  smmu().replacesBlocks = isFree ? 1 : 0;
}

/** The arithmetic of memory.ts relies on it. */
export function checkMemoryLayout(): void {
  const it = machine();
  const isAligned = it.ramPa % BLOCK_L1_SIZE === 0 && it.poolPa % BLOCK_L2_SIZE === 0;
  const isInside = it.poolPa > it.ramPa && it.poolPa - it.ramPa <= LEVEL2_TABLES * BLOCK_L1_SIZE;
  if (!isAligned || !isInside) fatal(FATAL_BOOT_PACKAGE, it.poolPa, it.poolSize);
}
