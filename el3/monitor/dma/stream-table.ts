// Every stream of every device has the same entry: translated by the one DMA table, no bypass, nothing of a device's own
// (no substreams, no translation requests, no stalls). Two levels, and every descriptor of the first names the same
// entries of the second, so that 64 Ki streams cost 18 KiB. Arm IHI 0070, chapter 5.

import { PAGE_SIZE } from "../arm/page-tables.gen";
import {
  SMMU_CD_SIZE,
  SMMU_CD0_A,
  SMMU_CD0_AA64,
  SMMU_CD0_AFFD,
  SMMU_CD0_ASET,
  SMMU_CD0_EPD1,
  SMMU_CD0_IPS_B40,
  SMMU_CD0_IR0_WRITE_BACK,
  SMMU_CD0_OR0_WRITE_BACK,
  SMMU_CD0_R,
  SMMU_CD0_SH0_INNER,
  SMMU_CD0_V,
  SMMU_CD3_MAIR_ATTR0_WRITE_BACK,
  SMMU_L1STD_SIZE,
  SMMU_STE_SIZE,
  SMMU_STE0_CONFIG_STAGE1,
  SMMU_STE0_V,
  SMMU_STE1_S1CIR_WRITE_BACK,
  SMMU_STE1_S1COR_WRITE_BACK,
  SMMU_STE1_S1CSH_INNER,
  SMMU_STE1_SHCFG_INCOMING,
} from "../arm/smmu.gen";
import { writePhysical64, zeroPhysical } from "../hw";
import { contextPa, level1Pa, streamEntriesPa, streamTablePa } from "./memory";

/** A PCIe requester ID. */
export const STREAM_BITS: u32 = 16;
/** Bits of it that the second level serves. */
export const STREAM_SPLIT: u32 = 8;
const ENTRIES: u64 = 1 << STREAM_SPLIT;
const DESCRIPTORS: u64 = 1 << (STREAM_BITS - STREAM_SPLIT);
const SPAN: u64 = <u64>STREAM_SPLIT + 1;

/** 39 bits of address: walks start at level 1. */
const T0SZ: u64 = 25;
const CONTEXT_ATTRIBUTES: u64 =
  SMMU_CD0_V |
  SMMU_CD0_AA64 |
  T0SZ |
  SMMU_CD0_IR0_WRITE_BACK |
  SMMU_CD0_OR0_WRITE_BACK |
  SMMU_CD0_SH0_INNER |
  SMMU_CD0_EPD1 |
  SMMU_CD0_IPS_B40 |
  SMMU_CD0_AFFD |
  SMMU_CD0_ASET |
  SMMU_CD0_R |
  SMMU_CD0_A;
const ENTRY_ATTRIBUTES: u64 =
  SMMU_STE1_S1CIR_WRITE_BACK | SMMU_STE1_S1COR_WRITE_BACK | SMMU_STE1_S1CSH_INNER | SMMU_STE1_SHCFG_INCOMING;

export function buildStreamTable(): void {
  buildContext();
  zeroPhysical(streamEntriesPa(), ENTRIES * <u64>SMMU_STE_SIZE);
  for (let index: u64 = 0; index < ENTRIES; index++) {
    const pa = streamEntriesPa() + index * <u64>SMMU_STE_SIZE;
    writePhysical64(pa, SMMU_STE0_V | SMMU_STE0_CONFIG_STAGE1 | contextPa());
    writePhysical64(pa + 8, ENTRY_ATTRIBUTES);
  }
  zeroPhysical(streamTablePa(), PAGE_SIZE);
  for (let index: u64 = 0; index < DESCRIPTORS; index++) {
    writePhysical64(streamTablePa() + index * <u64>SMMU_L1STD_SIZE, streamEntriesPa() | SPAN);
  }
}

function buildContext(): void {
  zeroPhysical(contextPa(), <u64>SMMU_CD_SIZE);
  writePhysical64(contextPa(), CONTEXT_ATTRIBUTES);
  writePhysical64(contextPa() + 8, level1Pa());
  writePhysical64(contextPa() + 24, SMMU_CD3_MAIR_ATTR0_WRITE_BACK);
}
