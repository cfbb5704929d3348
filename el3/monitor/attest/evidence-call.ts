// The calls by which a guest, in either world, gets evidence of itself (abi/attest-call.ts). It comes in registers, piece
// by piece, so that no memory of the guest's is read or written.

import { ATTEST_CALL_PIECE_SIZE, ATTEST_MAKE_FID, ATTEST_READ_FID } from "../../../abi/attest-call";
import {
  ATTEST_EVIDENCE_SIZE_MAX,
  ATTEST_NO_SECRET,
  ATTEST_NOT_STARTED,
} from "../../../abi/attest-compartment";
import { COMPARTMENT_FAULTED } from "../compartments/call";
import { Guest } from "../guests/guest";
import { ATTEST_DENIED, ATTEST_INVALID_PARAMETERS, NOT_SUPPORTED } from "../smccc";
import { guestFactsPtr } from "../storage";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame } from "../worlds/exception-frame";
import { makeEvidence } from "./attest";
import { FACTS_EVIDENCE, GuestFacts } from "./facts";

export function isAttestCall(functionId: u32): bool {
  return functionId === ATTEST_MAKE_FID || functionId === ATTEST_READ_FID;
}

export function answerAttest(core: CoreArea, guest: Guest, frame: ExceptionFrame): void {
  if (<u32>frame.x0 === ATTEST_READ_FID) readPiece(guest, frame);
  else frame.x0 = answerOf(makeEvidence(core, guest, frame));
}

/** The size, or why there is none. */
function answerOf(result: u64): u64 {
  if (result <= <u64>ATTEST_EVIDENCE_SIZE_MAX) return result;
  const isDumb =
    result === COMPARTMENT_FAULTED || result === <u64>ATTEST_NOT_STARTED || result === <u64>ATTEST_NO_SECRET;
  return isDumb ? NOT_SUPPORTED : ATTEST_DENIED;
}

/** Another vCPU may make evidence anew meanwhile: pieces of two then do not have a signature. */
function readPiece(guest: Guest, frame: ExceptionFrame): void {
  const factsPtr = guestFactsPtr(guest.slot);
  const size = changetype<GuestFacts>(factsPtr).evidenceSize;
  const offset = frame.x1;
  if (offset >= size || (offset & 7) !== 0) {
    frame.x0 = ATTEST_INVALID_PARAMETERS;
    return;
  }
  const evidencePtr = factsPtr + FACTS_EVIDENCE;
  const firstResultPtr = changetype<usize>(frame) + offsetof<ExceptionFrame>("x1");
  for (let at: u64 = 0; at < <u64>ATTEST_CALL_PIECE_SIZE; at += 8) {
    const value = offset + at < size ? load<u64>(evidencePtr + <usize>(offset + at)) : 0;
    store<u64>(firstResultPtr + <usize>at, value);
  }
  frame.x0 = 0;
}
