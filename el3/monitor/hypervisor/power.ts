// PSCI's power calls (Arm DEN 0022): cores wait in a holding pen (el3/vectors/boot.S) until they are switched on.

import { SECURE_GPIO_PA } from "../../../abi/memory-map";
import { PSCI_AFFINITY_OFF, PSCI_AFFINITY_ON } from "../../../abi/smccc";
import { PL061_DATA_ALL, PL061_DIR, PL061_LINE_POWER_OFF, PL061_LINE_RESET } from "../arm/gic.gen";
import { MPIDR_EL1_AFFINITY_MASK } from "../arm/registers.gen";
import { dsbSy, lock, parkCore, sendEvent, unlock, writePhysical32 } from "../hw";
import { PSCI_ALREADY_ON, PSCI_DENIED, PSCI_INVALID_PARAMETERS, PSCI_SUCCESS } from "../smccc";
import { coreArea, LOCK_POWER, machine } from "../storage";
import { CoreArea } from "../worlds/core-area";
import { isLockedDown } from "./lockdown";

const GPIO_PA: u64 = <u64>SECURE_GPIO_PA;
const INSTRUCTION_ALIGNMENT_MASK: u64 = 3;

/** The core number of an MPIDR's affinity fields: the platform has one cluster of cores, numbered by Aff0. */
function coreOf(affinity: u64): u64 {
  return affinity & MPIDR_EL1_AFFINITY_MASK;
}

export function cpuOn(target: u64, entryPa: u64, context: u64): u64 {
  if (coreOf(target) >= <u64>machine().coreCount || (entryPa & INSTRUCTION_ALIGNMENT_MASK) !== 0)
    return PSCI_INVALID_PARAMETERS;
  const core = coreArea(<u32>coreOf(target));
  if (isLockedDown()) return PSCI_DENIED; // it would start EL2 with translation off, at a place of the caller's
  lock(LOCK_POWER);
  const wasOn = core.isOn;
  if (wasOn === 0) {
    core.entryPa = entryPa;
    core.entryContext = context;
    dsbSy();
    core.isOn = 1; // what the holding pen waits for
    dsbSy();
    sendEvent();
  }
  unlock(LOCK_POWER);
  return wasOn === 0 ? PSCI_SUCCESS : PSCI_ALREADY_ON;
}

export function cpuOff(core: CoreArea): void {
  lock(LOCK_POWER);
  core.isOn = 0;
  unlock(LOCK_POWER);
  parkCore(core.index);
}

export function affinityInfo(target: u64): u64 {
  if (coreOf(target) >= <u64>machine().coreCount) return PSCI_INVALID_PARAMETERS;
  return <u64>(coreArea(<u32>coreOf(target)).isOn !== 0 ? PSCI_AFFINITY_ON : PSCI_AFFINITY_OFF);
}

export function turnSystemOff(): void {
  raiseLine(PL061_LINE_POWER_OFF);
}

export function resetSystem(): void {
  raiseLine(PL061_LINE_RESET);
}

/** A line of the secure GPIO: 0, then 1. */
function raiseLine(line: u32): void {
  writePhysical32(GPIO_PA + <u64>PL061_DIR, line);
  writePhysical32(GPIO_PA + <u64>PL061_DATA_ALL, 0);
  writePhysical32(GPIO_PA + <u64>PL061_DATA_ALL, line);
  dsbSy();
}
