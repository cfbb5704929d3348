// The DMA table: what every device may reach, by addresses that are physical on both sides. All of RAM below the pool in
// blocks of 2 MiB, but for pages that are protected; a block with such a page becomes a table of single pages and stays
// one. Nothing else is ever in it: no device reaches another one's registers either.
// Arm IHI 0070, 3.4 and 3.17 (stage 1), 3.21 (changing a table that is in use).

import {
  BLOCK_L1_SIZE,
  BLOCK_L2_SIZE,
  DESCRIPTOR_BLOCK,
  DESCRIPTOR_PAGE,
  DESCRIPTOR_TABLE,
  DESCRIPTOR_TYPE_MASK,
  PAGE_SIZE,
  STAGE1_AF,
  STAGE1_AP_RW,
  STAGE1_NG,
  STAGE1_PXN,
  STAGE1_SH_INNER,
  STAGE1_XN,
  TABLE_ENTRIES,
} from "../arm/page-tables.gen";
import { dsbSy, readPhysical64, writePhysical64, zeroPhysical } from "../hw";
import { machine, smmu } from "../storage";
import { removeAllTranslations } from "./commands";
import {
  isOutsidePool,
  LEVEL2_TABLES,
  level1EntryPa,
  level1Pa,
  level2EntryPa,
  level2Pa,
  level3EntryPa,
  level3TablePa,
} from "./memory";

/** Attribute 0 of the context: write-back memory. */
const READ_WRITE: u64 = STAGE1_AF | STAGE1_AP_RW | STAGE1_SH_INNER | STAGE1_NG | STAGE1_PXN | STAGE1_XN;

/** Everything below the pool, before the SMMU is on. */
export function buildDmaTable(): void {
  const it = machine();
  zeroPhysical(level1Pa(), PAGE_SIZE);
  zeroPhysical(level2Pa(), LEVEL2_TABLES * PAGE_SIZE);
  for (let pa = it.ramPa; pa < it.poolPa; pa += BLOCK_L1_SIZE) {
    writePhysical64(level1EntryPa(pa), level2EntryPa(pa) | DESCRIPTOR_TABLE);
  }
  for (let pa = it.ramPa; pa < it.poolPa; pa += BLOCK_L2_SIZE) {
    writePhysical64(level2EntryPa(pa), pa | READ_WRITE | DESCRIPTOR_BLOCK);
  }
}

/** Takes the page out. True if it was in: devices may use it until its translations are removed. */
export function unmapPage(pa: u64): bool {
  if (!isOutsidePool(pa)) return false;
  if (isBlock(pa)) splitBlock(pa);
  const entryPa = level3EntryPa(pa);
  if (readPhysical64(entryPa) === 0) return false;
  writePhysical64(entryPa, 0);
  return true;
}

/** Puts the page in again. Nothing of the pool, whoever asks. */
export function mapPage(pa: u64): void {
  if (!isOutsidePool(pa) || isBlock(pa)) return;
  writePhysical64(level3EntryPa(pa), (pa & ~(PAGE_SIZE - 1)) | READ_WRITE | DESCRIPTOR_PAGE);
  dsbSy();
}

function isBlock(pa: u64): bool {
  return (readPhysical64(level2EntryPa(pa)) & DESCRIPTOR_TYPE_MASK) === DESCRIPTOR_BLOCK;
}

/**
 * The block becomes a table that maps the same. An SMMU that cannot take that at once needs the block gone first; what a
 * device does in between to these 2 MiB is aborted.
 */
function splitBlock(pa: u64): void {
  const tablePa = level3TablePa(pa);
  const blockPa = pa & ~(BLOCK_L2_SIZE - 1);
  for (let index: u64 = 0; index < TABLE_ENTRIES; index++) {
    writePhysical64(tablePa + index * 8, (blockPa + index * PAGE_SIZE) | READ_WRITE | DESCRIPTOR_PAGE);
  }
  dsbSy(); // the table is whole before a walk can find it
  if (smmu().replacesBlocks === 0) {
    writePhysical64(level2EntryPa(pa), 0);
    removeAllTranslations();
  }
  writePhysical64(level2EntryPa(pa), tablePa | DESCRIPTOR_TABLE);
}
