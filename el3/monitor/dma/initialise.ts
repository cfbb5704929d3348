// Cold boot of the SMMU: before anything of the normal world runs, every access of every device is translated by the
// monitor's table, or aborted. Nobody changes that later. Arm IHI 0070, 3.11 (reset and enable) and chapter 6.

import {
  SMMU_CMDQ_BASE,
  SMMU_CMDQ_CONS,
  SMMU_CMDQ_PROD,
  SMMU_CR0,
  SMMU_CR0_ATSCHK,
  SMMU_CR0_CMDQEN,
  SMMU_CR0_EVENTQEN,
  SMMU_CR0_SMMUEN,
  SMMU_CR0ACK,
  SMMU_CR1,
  SMMU_CR1_QUEUE_IC_WRITE_BACK,
  SMMU_CR1_QUEUE_OC_WRITE_BACK,
  SMMU_CR1_QUEUE_SH_INNER,
  SMMU_CR1_TABLE_IC_WRITE_BACK,
  SMMU_CR1_TABLE_OC_WRITE_BACK,
  SMMU_CR1_TABLE_SH_INNER,
  SMMU_CR2,
  SMMU_CR2_PTM,
  SMMU_CR2_RECINVSID,
  SMMU_EVENTQ_BASE,
  SMMU_EVENTQ_CONS,
  SMMU_EVENTQ_IRQ_CFG0,
  SMMU_EVENTQ_PROD,
  SMMU_GBPA,
  SMMU_GBPA_ABORT,
  SMMU_GBPA_UPDATE,
  SMMU_GERROR,
  SMMU_GERROR_IRQ_CFG0,
  SMMU_GERRORN,
  SMMU_IDR0,
  SMMU_IDR0_ATS,
  SMMU_IRQ_CTRL,
  SMMU_IRQ_CTRL_EVENTQ,
  SMMU_IRQ_CTRL_GERROR,
  SMMU_IRQ_CTRLACK,
  SMMU_STRTAB_BASE,
  SMMU_STRTAB_BASE_CFG,
  SMMU_STRTAB_BASE_CFG_FMT_TWO_LEVEL,
  SMMU_STRTAB_BASE_CFG_SPLIT_SHIFT,
} from "../arm/smmu.gen";
import { dsbSy } from "../hw";
import { EVENT_QUEUE_LOG2SIZE } from "./blocked";
import { COMMAND_QUEUE_LOG2SIZE, forgetEverything } from "./commands";
import { checkMemoryLayout, checkSmmuFeatures } from "./features";
import { commandQueuePa, eventQueuePa, streamTablePa } from "./memory";
import { readSmmu, waitForSmmu, writeSmmu, writeSmmu64 } from "./smmu";
import { buildStreamTable, STREAM_BITS, STREAM_SPLIT } from "./stream-table";
import { buildDmaTable } from "./table";

const CACHED_AND_SHARED: u32 =
  SMMU_CR1_QUEUE_IC_WRITE_BACK |
  SMMU_CR1_QUEUE_OC_WRITE_BACK |
  SMMU_CR1_QUEUE_SH_INNER |
  SMMU_CR1_TABLE_IC_WRITE_BACK |
  SMMU_CR1_TABLE_OC_WRITE_BACK |
  SMMU_CR1_TABLE_SH_INNER;

export function initialiseDma(): void {
  checkMemoryLayout();
  checkSmmuFeatures();
  switchOff();
  buildDmaTable();
  buildStreamTable();
  dsbSy();
  nameStructures();
  switchOn();
}

/** Off means aborted, not passed through. */
function switchOff(): void {
  writeSmmu(SMMU_GBPA, readSmmu(SMMU_GBPA) | SMMU_GBPA_ABORT | SMMU_GBPA_UPDATE);
  waitForSmmu(SMMU_GBPA, SMMU_GBPA_UPDATE, 0);
  control(0);
  interrupts(0);
}

function nameStructures(): void {
  writeSmmu(SMMU_CR1, CACHED_AND_SHARED);
  writeSmmu(SMMU_CR2, SMMU_CR2_PTM | SMMU_CR2_RECINVSID); // what cores invalidate is not meant for devices
  writeSmmu64(SMMU_STRTAB_BASE, streamTablePa());
  const form = SMMU_STRTAB_BASE_CFG_FMT_TWO_LEVEL | (STREAM_SPLIT << SMMU_STRTAB_BASE_CFG_SPLIT_SHIFT);
  writeSmmu(SMMU_STRTAB_BASE_CFG, form | STREAM_BITS);
  writeSmmu64(SMMU_CMDQ_BASE, commandQueuePa() | <u64>COMMAND_QUEUE_LOG2SIZE);
  writeSmmu(SMMU_CMDQ_PROD, 0);
  writeSmmu(SMMU_CMDQ_CONS, 0);
  writeSmmu64(SMMU_EVENTQ_BASE, eventQueuePa() | <u64>EVENT_QUEUE_LOG2SIZE);
  writeSmmu(SMMU_EVENTQ_PROD, 0);
  writeSmmu(SMMU_EVENTQ_CONS, 0);
  writeSmmu(SMMU_GERRORN, readSmmu(SMMU_GERROR));
  writeSmmu64(SMMU_GERROR_IRQ_CFG0, 0);
  writeSmmu64(SMMU_EVENTQ_IRQ_CFG0, 0);
}

function switchOn(): void {
  control(SMMU_CR0_CMDQEN);
  forgetEverything();
  control(SMMU_CR0_CMDQEN | SMMU_CR0_EVENTQEN);
  interrupts(SMMU_IRQ_CTRL_EVENTQ | SMMU_IRQ_CTRL_GERROR);
  // A device that translates by itself must not be believed.
  const check: u32 = (readSmmu(SMMU_IDR0) & SMMU_IDR0_ATS) !== 0 ? SMMU_CR0_ATSCHK : 0;
  control(SMMU_CR0_CMDQEN | SMMU_CR0_EVENTQEN | SMMU_CR0_SMMUEN | check);
}

function control(value: u32): void {
  writeSmmu(SMMU_CR0, value);
  waitForSmmu(SMMU_CR0ACK, CONTROL_BITS, value);
}

function interrupts(value: u32): void {
  writeSmmu(SMMU_IRQ_CTRL, value);
  waitForSmmu(SMMU_IRQ_CTRLACK, INTERRUPT_BITS, value);
}

const CONTROL_BITS: u32 = SMMU_CR0_SMMUEN | SMMU_CR0_EVENTQEN | SMMU_CR0_CMDQEN | SMMU_CR0_ATSCHK;
const INTERRUPT_BITS: u32 = SMMU_IRQ_CTRL_EVENTQ | SMMU_IRQ_CTRL_GERROR;
