// A synchronous exception of EL2 itself, after lockdown: it comes to the monitor first (exceptions/hypervisor-vectors.ts). A store that hit
// a read-only table is performed if it may be; memory that a TEE had taken is scrubbed and there again; everything else is the hypervisor's own.

import { VIOLATION_STORE } from "../../../abi/status";
import {
  ESR_EL2_EC_DATA_ABORT,
  ESR_EL2_EC_MASK,
  ESR_EL2_EC_SHIFT,
  ESR_EL2_ISS_DATA_ABORT_FSC_MASK,
  ESR_EL2_ISS_DATA_ABORT_FSC_PERMISSION_L1,
  ESR_EL2_ISS_DATA_ABORT_FSC_PERMISSION_L3,
  ESR_EL2_ISS_DATA_ABORT_FSC_TRANSLATION_L3,
  ESR_EL2_ISS_DATA_ABORT_WNR,
  SPSR_EL2_M_EL2H,
  SPSR_EL2_M_MASK,
} from "../arm/registers.gen";
import { readELR_EL2, readESR_EL2, readFAR_EL2, readSPSR_EL2 } from "../hw";
import { recordViolation } from "../hypervisor/refuse";
import { decodeStore, writeBackBase } from "../memory/store-instruction";
import { fetchEl2, STORE_AGAIN, STORE_DONE, STORE_REFUSED, storeToTable } from "../memory/table-store";
import { giveToHypervisor } from "../partition/give-back";
import { storeOf } from "../storage";
import { CoreArea } from "../worlds/core-area";
import { frameOf } from "../worlds/world-context";
import { forwardVector } from "./hypervisor-vector";
import { VECTOR_CURRENT_SPX_SYNCHRONOUS } from "./trapping-vectors";

const INSTRUCTION_SIZE: u64 = 4;

export function hypervisorFault(core: CoreArea): void {
  const frame = frameOf(changetype<usize>(core));
  const elrEl2 = readELR_EL2();
  const spsrEl2 = readSPSR_EL2();
  const it = storeOf(core.index);
  if (!isStoreFault(readESR_EL2(), spsrEl2)) {
    if (isTranslationFault(readESR_EL2(), spsrEl2) && giveToHypervisor(readFAR_EL2())) {
      frame.elrEl3 = elrEl2; // again, and it finds the page
      frame.spsrEl3 = spsrEl2;
      return;
    }
    forwardVector(core, VECTOR_CURRENT_SPX_SYNCHRONOUS);
    return;
  }
  const outcome = decodeStore(it, fetchEl2(elrEl2), frame) ? storeToTable(it) : STORE_REFUSED;
  if (outcome === STORE_DONE || outcome === STORE_AGAIN) {
    if (outcome === STORE_DONE) writeBackBase(it, frame);
    frame.elrEl3 = outcome === STORE_DONE ? elrEl2 + INSTRUCTION_SIZE : elrEl2;
    frame.spsrEl3 = spsrEl2;
    return;
  }
  if (outcome === STORE_REFUSED) recordViolation(VIOLATION_STORE, readFAR_EL2());
  forwardVector(core, VECTOR_CURRENT_SPX_SYNCHRONOUS);
}

/** Whoever wrote these registers: only a return to EL2h, which is where the SMC came from, can follow. */
function isStoreFault(esrEl2: u64, spsrEl2: u64): bool {
  const status = esrEl2 & ESR_EL2_ISS_DATA_ABORT_FSC_MASK;
  return (
    isOwnDataAbort(esrEl2, spsrEl2) &&
    (esrEl2 & ESR_EL2_ISS_DATA_ABORT_WNR) !== 0 &&
    status >= ESR_EL2_ISS_DATA_ABORT_FSC_PERMISSION_L1 &&
    status <= ESR_EL2_ISS_DATA_ABORT_FSC_PERMISSION_L3
  );
}

/** Any access to a page that its tables do not have: those of the direct map end at the last level. */
function isTranslationFault(esrEl2: u64, spsrEl2: u64): bool {
  const status = esrEl2 & ESR_EL2_ISS_DATA_ABORT_FSC_MASK;
  return isOwnDataAbort(esrEl2, spsrEl2) && status === ESR_EL2_ISS_DATA_ABORT_FSC_TRANSLATION_L3;
}

function isOwnDataAbort(esrEl2: u64, spsrEl2: u64): bool {
  const exceptionClass = (esrEl2 & ESR_EL2_EC_MASK) >> ESR_EL2_EC_SHIFT;
  return exceptionClass === ESR_EL2_EC_DATA_ABORT && (spsrEl2 & SPSR_EL2_M_MASK) === SPSR_EL2_M_EL2H;
}
