// Exits through the trapping vectors: of a VM that waits for its TEE, and of a running TEE.

import { WFI_LEAVES } from "../../../abi/boot-package";
import { FAULT_EXCEPTION, FAULT_PANIC } from "../../../abi/status";
import {
  ESR_EL2_EC_DATA_ABORT_LOWER,
  ESR_EL2_EC_MASK,
  ESR_EL2_EC_SHIFT,
  ESR_EL2_EC_SYSTEM_REGISTER,
  ESR_EL2_EC_WFX,
} from "../arm/registers.gen";
import { isLegalBelowEl2 } from "../arm/values";
import { emulateAccess } from "../devices/stage2-abort";
import { faultTee } from "../guests/fault";
import { Guest } from "../guests/guest";
import {
  readELR_EL2,
  readESR_EL2,
  readHCR_EL2,
  readSPSR_EL2,
  writeELR_EL2,
  writeESR_EL2,
  writeFAR_EL2,
  writeHPFAR_EL2,
  writeSPSR_EL2,
} from "../hw";
import { isLockedDown } from "../hypervisor/lockdown";
import { publishExits } from "../trace/status";
import { answerNotSupported } from "../worlds/call";
import { CoreArea } from "../worlds/core-area";
import { startGuest } from "../worlds/first-run";
import { interruptTee } from "../worlds/foreign-interrupt";
import { takeGic } from "../worlds/gic-interface";
import { setTeeAside } from "../worlds/preempt";
import { HCR_FOR_TEE } from "../worlds/switch";
import { TeeCore } from "../worlds/tee-core";
import { frameOf } from "../worlds/world-context";
import { hypervisorFault } from "./hypervisor-fault";
import { forwardVector } from "./hypervisor-vector";
import {
  KIND_FIQ,
  KIND_IRQ,
  KIND_SYNCHRONOUS,
  VECTOR_CURRENT_SPX_SYNCHRONOUS,
  VECTOR_LOWER,
  vectorKind,
} from "./trapping-vectors";

const INSTRUCTION_SIZE: u64 = 4;

/** A VM without a TEE yet has tried its first instruction, or the hypervisor was interrupted while one is loaded. */
export function exitBeforeTee(core: CoreArea, vector: u32): void {
  // The hypervisor may jump to any vector, with any SPSR_EL2 and HCR_EL2. Looked at once: it runs no more before the VM is returned to,
  // be that after a TEE's boot, for which its HCR_EL2 is put aside and put back as it is now.
  const isGuests = vector >= VECTOR_LOWER && isLegalBelowEl2(readSPSR_EL2(), readHCR_EL2());
  if (isGuests && vectorKind(vector) === KIND_SYNCHRONOUS && core.awaitsTee !== 0) startGuest(core);
  else if (vector === VECTOR_CURRENT_SPX_SYNCHRONOUS && isLockedDown()) hypervisorFault(core);
  else forwardVector(core, vector);
}

/** A running TEE was stopped by an exception to EL2. Its frame is current; ELR_EL2 and SPSR_EL2 say where it was. */
export function exitOfTee(core: CoreArea, guest: Guest, teeCore: TeeCore, vector: u32): void {
  const frame = frameOf(changetype<usize>(teeCore));
  frame.elrEl3 = readELR_EL2();
  frame.spsrEl3 = readSPSR_EL2();
  const esrEl2 = readESR_EL2();
  const kind = vectorKind(vector);
  guest.exits++;
  if (vector < VECTOR_LOWER || !isLegalBelowEl2(frame.spsrEl3, HCR_FOR_TEE))
    stopTee(core, guest, teeCore, FAULT_EXCEPTION, esrEl2);
  else if (kind === KIND_SYNCHRONOUS) synchronousExit(core, guest, teeCore, esrEl2);
  else if (kind === KIND_IRQ || kind === KIND_FIQ) interruptTee(core, guest, teeCore);
  else stopTee(core, guest, teeCore, FAULT_EXCEPTION, esrEl2);
  publishExits(guest);
  scrubEl2Syndrome();
}

function synchronousExit(core: CoreArea, guest: Guest, teeCore: TeeCore, esrEl2: u64): void {
  const frame = frameOf(changetype<usize>(teeCore));
  const exceptionClass = (esrEl2 & ESR_EL2_EC_MASK) >> ESR_EL2_EC_SHIFT;
  if (exceptionClass === ESR_EL2_EC_DATA_ABORT_LOWER) {
    emulateAccess(core, guest, teeCore, frame, esrEl2);
  } else if (exceptionClass === ESR_EL2_EC_SYSTEM_REGISTER && core.gicSwitched === 0) {
    takeGic(core, teeCore); // the access itself runs again, on the TEE's own interface
  } else if (exceptionClass === ESR_EL2_EC_WFX && guest.wfi === WFI_LEAVES) {
    frame.elrEl3 += INSTRUCTION_SIZE;
    teeCore.isIdle = 1;
    setTeeAside(core, guest, teeCore);
  } else if (exceptionClass === ESR_EL2_EC_WFX) {
    stopTee(core, guest, teeCore, FAULT_PANIC, frame.elrEl3);
  } else {
    stopTee(core, guest, teeCore, FAULT_EXCEPTION, esrEl2);
  }
}

/** The TEE is over; the normal world goes on, its call answered. */
export function stopTee(core: CoreArea, guest: Guest, teeCore: TeeCore, reason: u32, detail: u64): void {
  faultTee(guest, reason, detail);
  answerNotSupported(core, guest, teeCore);
}

/** Nothing of a TEE's fault stays in a register that the hypervisor can read. */
function scrubEl2Syndrome(): void {
  writeESR_EL2(0);
  writeELR_EL2(0);
  writeSPSR_EL2(0);
  writeFAR_EL2(0);
  writeHPFAR_EL2(0);
}
