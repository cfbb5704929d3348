// The command queue: the SMMU forgets what it has cached. Each function returns when that is complete, so that the queue
// is empty before and after. LOCK_MEMORY is held, but at boot. Arm IHI 0070, chapter 4.

import { PAGE_SHIFT } from "../arm/page-tables.gen";
import {
  SMMU_CFGI1_RANGE_ALL,
  SMMU_CMD0_OPCODE_CFGI_STE_RANGE,
  SMMU_CMD0_OPCODE_SYNC,
  SMMU_CMD0_OPCODE_TLBI_NH_VA,
  SMMU_CMD0_OPCODE_TLBI_NSNH_ALL,
  SMMU_CMDQ_CONS,
  SMMU_CMDQ_CONS_INDEX_MASK,
  SMMU_CMDQ_PROD,
  SMMU_COMMAND_SIZE,
} from "../arm/smmu.gen";
import { dsbSy, writePhysical64 } from "../hw";
import { smmu } from "../storage";
import { commandQueuePa } from "./memory";
import { waitForSmmu, writeSmmu } from "./smmu";

export const COMMAND_QUEUE_LOG2SIZE: u32 = 8;
const ENTRIES: u32 = 1 << COMMAND_QUEUE_LOG2SIZE;
const INDEX_MASK: u32 = 2 * ENTRIES - 1;

/** Every cached translation of the page, whatever size of entry it came from. */
export function removeTranslations(pa: u64): void {
  post(SMMU_CMD0_OPCODE_TLBI_NH_VA, (pa >> PAGE_SHIFT) << PAGE_SHIFT); // ASID and VMID 0, as in context and stream table
  synchronise();
}

export function removeAllTranslations(): void {
  post(SMMU_CMD0_OPCODE_TLBI_NSNH_ALL, 0);
  synchronise();
}

/** At boot: whatever it holds of a stream table, and all translations. */
export function forgetEverything(): void {
  post(SMMU_CMD0_OPCODE_CFGI_STE_RANGE, SMMU_CFGI1_RANGE_ALL);
  removeAllTranslations();
}

function post(word0: u64, word1: u64): void {
  const it = smmu();
  const pa = commandQueuePa() + <u64>((it.commandIndex % ENTRIES) * SMMU_COMMAND_SIZE);
  writePhysical64(pa, word0);
  writePhysical64(pa + 8, word1);
  it.commandIndex = (it.commandIndex + 1) & INDEX_MASK;
}

/**
 * CMD_SYNC is consumed when all before it is complete, accesses that used the old translations included. An SMMU that
 * refuses a command never comes so far: what waitForSmmu leaves behind says why (SMMU_CMDQ_CONS.ERR).
 */
function synchronise(): void {
  post(SMMU_CMD0_OPCODE_SYNC, 0);
  const produced = smmu().commandIndex;
  dsbSy(); // tables and commands are written before it is told
  writeSmmu(SMMU_CMDQ_PROD, produced);
  waitForSmmu(SMMU_CMDQ_CONS, SMMU_CMDQ_CONS_INDEX_MASK, produced);
}
