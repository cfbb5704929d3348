// EL2's vectors while the hypervisor runs, after lockdown: a page of the monitor's for each core, one branch an entry, to the same entry of the
// hypervisor's own table. The exception is a synchronous one of EL2 itself: it comes to the monitor first, which performs the
// stores to translation tables (hypervisor-fault.ts). The pages lie within a branch's reach of the hypervisor's own.

import { POOL_HYPERVISOR_VECTOR_TABLE_OFFSET, POOL_HYPERVISOR_VECTORS_OFFSET } from "../../../abi/memory-map";
import {
  BLOCK_L1_SIZE,
  BLOCK_L2_SIZE,
  DESCRIPTOR_TABLE,
  PAGE_SIZE,
  TABLE_ENTRIES,
} from "../arm/page-tables.gen";
import { INSTRUCTION_B, INSTRUCTION_B_IMM26_MASK } from "../arm/stores.gen";
import { smcInstruction } from "../arm/values";
import {
  cleanInvalidateRange,
  dsbSy,
  fatal,
  readPhysical64,
  writePhysical32,
  writePhysical64,
  writeVBAR_EL2,
  zeroPhysical,
} from "../hw";
import { tablePa } from "../memory/table-entries";
import { CORE_MAX, coreArea, machine } from "../storage";
import { FATAL_VECTORS } from "../trace/epitaph";
import { CoreArea } from "../worlds/core-area";
import {
  HYPERVISOR_FAULT_CALL,
  VECTOR_CURRENT_SPX_SYNCHRONOUS,
  VECTOR_SIZE,
  VECTORS,
  vectorPageAttributes,
} from "./trapping-vectors";

const BRANCH_REACH: u64 = 0x0800_0000; // ±128 MiB
const INSTRUCTION_SHIFT: u64 = 2;
const ENTRY_SIZE: u64 = 8;

/** In the hypervisor's tables, once, at lockdown: an entry of 2 MiB that it does not use, near its own vectors. */
export function mapHypervisorVectors(): void {
  const vbarEl2 = coreArea(0).hypervisorVbarEl2;
  const level2Pa = level2TableOf(vbarEl2);
  const areaVa = vbarEl2 & ~(BLOCK_L1_SIZE - 1);
  for (let index: u64 = 0; index < TABLE_ENTRIES; index++) {
    const va = areaVa + index * BLOCK_L2_SIZE;
    const distance = va > vbarEl2 ? va - vbarEl2 : vbarEl2 - va;
    if (distance + BLOCK_L2_SIZE >= BRANCH_REACH || readPhysical64(level2Pa + index * ENTRY_SIZE) !== 0)
      continue;
    machine().hypervisorVectorsVa = va;
    writePages(va, vbarEl2);
    writePhysical64(level2Pa + index * ENTRY_SIZE, tableOfPages() | DESCRIPTOR_TABLE);
    dsbSy();
    return;
  }
  fatal(FATAL_VECTORS, vbarEl2, level2Pa);
}

/** The table of level 2 that translates `va`; the hypervisor executes there, so that it exists. */
function level2TableOf(va: u64): u64 {
  const level1Pa = tablePa(readPhysical64(machine().stage1RootPa + (va / ROOT_ENTRY_SPAN) * ENTRY_SIZE));
  return tablePa(readPhysical64(level1Pa + ((va / BLOCK_L1_SIZE) % TABLE_ENTRIES) * ENTRY_SIZE));
}
const ROOT_ENTRY_SPAN: u64 = BLOCK_L1_SIZE * TABLE_ENTRIES;

function pagePa(core: u32): u64 {
  return machine().poolPa + <u64>POOL_HYPERVISOR_VECTORS_OFFSET + <u64>core * PAGE_SIZE;
}

function writePages(va: u64, vbarEl2: u64): void {
  for (let core: u32 = 0; core < CORE_MAX; core++) {
    const pa = pagePa(core);
    zeroPhysical(pa, PAGE_SIZE);
    for (let vector: u32 = 0; vector < VECTORS; vector++) {
      const offset = <u64>vector * VECTOR_SIZE;
      const isMonitors = vector === VECTOR_CURRENT_SPX_SYNCHRONOUS;
      const branch = branchTo(vbarEl2 + offset - (va + <u64>core * PAGE_SIZE + offset));
      writePhysical32(pa + offset, isMonitors ? smcInstruction(HYPERVISOR_FAULT_CALL) : branch);
    }
    cleanInvalidateRange(pa, PAGE_SIZE);
  }
}

/** `b` to an address that is `distance` away, which may be negative. */
function branchTo(distance: u64): u32 {
  return INSTRUCTION_B | (<u32>(distance >> INSTRUCTION_SHIFT) & INSTRUCTION_B_IMM26_MASK);
}

function tableOfPages(): u64 {
  const pa = machine().poolPa + <u64>POOL_HYPERVISOR_VECTOR_TABLE_OFFSET;
  zeroPhysical(pa, PAGE_SIZE);
  for (let core: u32 = 0; core < CORE_MAX; core++)
    writePhysical64(pa + <u64>core * ENTRY_SIZE, pagePa(core) | vectorPageAttributes());
  cleanInvalidateRange(pa, PAGE_SIZE);
  return pa;
}

/** From here on this core's exceptions to EL2 pass the monitor's page. */
export function installHypervisorVectors(core: CoreArea): void {
  core.vbarEl2 = machine().hypervisorVectorsVa + <u64>core.index * PAGE_SIZE;
  if (core.awaitsTee === 0 && core.runningTee === null) writeVBAR_EL2(core.vbarEl2);
}
