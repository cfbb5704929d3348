// The compartments at boot: each image goes from flash into secure RAM, gets memory, tables and an ASID of its own. The
// table in flash (abi/compartment-images.ts) is part of the firmware; what does not fit stops the machine.

import {
  COMPARTMENT_BOUND_MS,
  COMPARTMENT_IMAGE_OFFSET,
  COMPARTMENT_IMAGES_COUNT,
  COMPARTMENT_IMAGES_MAGIC,
  COMPARTMENT_IMAGES_MAGIC_HIGH,
  COMPARTMENT_IMAGES_MAGIC_LOW,
  COMPARTMENT_KEEPS_STATE,
  COMPARTMENT_LINEAR_VA,
  COMPARTMENT_MEMORY_PAGES,
  COMPARTMENT_RODATA_SIZE,
  COMPARTMENT_ROW_BASE,
  COMPARTMENT_ROW_SIZE,
  COMPARTMENT_ROWS_MAX,
  COMPARTMENT_STACK_PAGES,
  COMPARTMENT_STACK_VA,
  COMPARTMENT_TEXT_SIZE,
  COMPARTMENT_TEXT_VA,
  COMPARTMENT_VECTORS_VA,
  COMPARTMENT_WINDOW_TABLES,
} from "../../../abi/compartment-images";
import { COMPARTMENT_MESSAGE_PTR } from "../../../abi/compartments";
import {
  COMPARTMENT_IMAGES_PA,
  COMPARTMENT_RAM_PA,
  SECURE_SRAM_PA,
  SECURE_SRAM_SIZE,
} from "../../../abi/memory-map";
import { BLOCK_L2_SIZE, PAGE_SIZE } from "../arm/page-tables.gen";
import {
  MAIR_EL1_ATTR0_WRITE_BACK,
  SCTLR_EL1_C,
  SCTLR_EL1_I,
  SCTLR_EL1_M,
  SCTLR_EL1_RES1,
  SCTLR_EL1_SA,
  SCTLR_EL1_SA0,
  SCTLR_EL1_WXN,
  TCR_EL1_EPD1,
  TCR_EL1_IPS_B40,
  TCR_EL1_IRGN0_WRITE_BACK,
  TCR_EL1_ORGN0_WRITE_BACK,
  TCR_EL1_SH0_INNER,
  TTBR0_EL1_ASID_SHIFT,
} from "../arm/registers.gen";
import { smcInstruction } from "../arm/values";
import {
  cleanInvalidateRange,
  copyPhysical,
  dsbSy,
  fatal,
  icIallu,
  isb,
  readPhysical32,
  readPhysical64,
  writePhysical32,
  zeroPhysical,
} from "../hw";
import { compartmentAt, machine } from "../storage";
import { FATAL_COMPARTMENTS } from "../trace/epitaph";
import { Compartment, el1ContextOf } from "./compartment";
import { buildTables, FIXED_TABLES } from "./tables";

const IMAGES_PA: u64 = <u64>COMPARTMENT_IMAGES_PA;
const RAM_END_PA: u64 = <u64>SECURE_SRAM_PA + <u64>SECURE_SRAM_SIZE;
const VECTOR_SIZE: u64 = 0x80;
const VECTORS: u32 = 16;
/** 64 - 30 bits: 1 GiB, whose root is of level 2. */
const T0SZ: u64 = 34;
const TCR: u64 =
  T0SZ |
  TCR_EL1_IRGN0_WRITE_BACK |
  TCR_EL1_ORGN0_WRITE_BACK |
  TCR_EL1_SH0_INNER |
  TCR_EL1_EPD1 |
  TCR_EL1_IPS_B40;
/** No WFI, WFE, cache maintenance or register of any kind at S-EL0: those bits are zero. */
const SCTLR: u64 =
  SCTLR_EL1_RES1 | SCTLR_EL1_M | SCTLR_EL1_C | SCTLR_EL1_I | SCTLR_EL1_SA | SCTLR_EL1_SA0 | SCTLR_EL1_WXN;
/** QEMU `virt`: the system counter runs at 62.5 MHz. */
const TICKS_PER_MS: u64 = 62500;

export function initialiseCompartments(): void {
  const magic = readPhysical64(IMAGES_PA + <u64>COMPARTMENT_IMAGES_MAGIC);
  if (magic !== (((<u64>COMPARTMENT_IMAGES_MAGIC_HIGH) << 32) | <u64>COMPARTMENT_IMAGES_MAGIC_LOW))
    fatal(FATAL_COMPARTMENTS, IMAGES_PA, magic);
  const count = readPhysical32(IMAGES_PA + <u64>COMPARTMENT_IMAGES_COUNT);
  if (count > COMPARTMENT_ROWS_MAX) fatal(FATAL_COMPARTMENTS, IMAGES_PA, <u64>count);
  writeVectors();
  let freePa = <u64>COMPARTMENT_RAM_PA + PAGE_SIZE;
  for (let index: u32 = 0; index < count; index++) freePa = place(index, freePa);
  machine().compartmentCount = count;
  dsbSy();
  icIallu();
  isb();
}

/** The page that S-EL1 is: whatever a compartment does, it ends in an SMC with the vector's number. */
function writeVectors(): void {
  const pa = <u64>COMPARTMENT_RAM_PA;
  zeroPhysical(pa, PAGE_SIZE);
  for (let vector: u32 = 0; vector < VECTORS; vector++)
    writePhysical32(pa + <u64>vector * VECTOR_SIZE, smcInstruction(vector));
  cleanInvalidateRange(pa, PAGE_SIZE);
}

/** Gives a compartment its memory from `freePa` on; answers what is free then. */
function place(index: u32, freePa: u64): u64 {
  const rowPa = IMAGES_PA + <u64>(COMPARTMENT_ROW_BASE + index * COMPARTMENT_ROW_SIZE);
  const it = compartmentAt(index);
  it.index = index;
  it.isStale = 1;
  it.textSize = rowWord(rowPa, COMPARTMENT_TEXT_SIZE);
  it.rodataSize = rowWord(rowPa, COMPARTMENT_RODATA_SIZE);
  it.memorySize = rowWord(rowPa, COMPARTMENT_MEMORY_PAGES) * PAGE_SIZE;
  it.windowTableCount = <u32>rowWord(rowPa, COMPARTMENT_WINDOW_TABLES);
  it.keepsState = <u32>rowWord(rowPa, COMPARTMENT_KEEPS_STATE);
  it.boundTicks = rowWord(rowPa, COMPARTMENT_BOUND_MS) * TICKS_PER_MS;
  const imageSize = it.textSize + it.rodataSize;
  it.tablesPa = freePa;
  it.windowTablesPa = it.tablesPa + FIXED_TABLES * PAGE_SIZE;
  it.imagePa = it.windowTablesPa + <u64>it.windowTableCount * PAGE_SIZE;
  it.stackPa = it.imagePa + imageSize;
  it.memoryPa = it.stackPa + <u64>(COMPARTMENT_STACK_PAGES + 1) * PAGE_SIZE;
  const endPa = it.memoryPa + it.memorySize;
  if (endPa > RAM_END_PA || it.memorySize > BLOCK_L2_SIZE - <u64>COMPARTMENT_MESSAGE_PTR)
    fatal(FATAL_COMPARTMENTS, rowPa, endPa);
  copyPhysical(it.imagePa, IMAGES_PA + rowWord(rowPa, COMPARTMENT_IMAGE_OFFSET), imageSize);
  cleanInvalidateRange(it.imagePa, imageSize);
  buildTables(it);
  setRegisters(it);
  return endPa;
}

function rowWord(rowPa: u64, offset: u32): u64 {
  return <u64>readPhysical32(rowPa + <u64>offset);
}

/** What EL1 is while it runs; the rest is zero, which traps FP, and hides thread pointers and timers. */
function setRegisters(it: Compartment): void {
  it.entryVa = <u64>COMPARTMENT_TEXT_VA;
  it.asid = (<u64>(it.index + 1)) << TTBR0_EL1_ASID_SHIFT;
  const el1 = el1ContextOf(it);
  el1.sctlrEl1 = SCTLR;
  el1.tcrEl1 = TCR;
  el1.ttbr0El1 = it.tablesPa | it.asid;
  el1.mairEl1 = MAIR_EL1_ATTR0_WRITE_BACK;
  el1.vbarEl1 = <u64>COMPARTMENT_VECTORS_VA;
  el1.spEl0 = <u64>COMPARTMENT_STACK_VA + <u64>COMPARTMENT_STACK_PAGES * PAGE_SIZE;
}

/** Its memory, variables and stack as before its first call. */
export function renew(it: Compartment): void {
  zeroPhysical(it.stackPa, it.memoryPa + it.memorySize - it.stackPa);
}

/** VA of address `ptr` of a compartment's linear memory. */
export function linearVa(ptr: u32): u64 {
  return <u64>COMPARTMENT_LINEAR_VA + <u64>ptr;
}
