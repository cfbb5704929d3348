// The attestation compartment: keeps the device's secret, gives each guest its own key, and signs what the monitor says
// of a guest and of itself. The contract stands in abi/attest-compartment.ts.

import {
  ATTEST_ALREADY_STARTED,
  ATTEST_EVIDENCE,
  ATTEST_EVIDENCE_SIZE_MAX,
  ATTEST_GUEST_KEY,
  ATTEST_KEY_GUEST,
  ATTEST_KEY_TEE,
  ATTEST_NO_GUEST,
  ATTEST_NO_OPERATION,
  ATTEST_NO_SECRET,
  ATTEST_NOT_MEASURED,
  ATTEST_NOT_STARTED,
  ATTEST_OK,
  ATTEST_PUBLIC_KEY,
  ATTEST_START,
  ATTEST_START_IDENTITY,
  ATTEST_START_SECRET,
} from "../../abi/attest-compartment";
import { COMPARTMENT_MESSAGE_PTR, COMPARTMENT_MESSAGE_SIZE } from "../../abi/compartments";
import { ED25519_PUBLIC_KEY_SIZE } from "../crypto/ed25519";
import { isZero } from "./bytes";
import { putClaims } from "./claims";
import { putSign1 } from "./cose";
import {
  deriveGuestKey,
  GUEST_KEY_SIZE,
  IDENTITY_SIZE,
  identityPtr,
  isStarted,
  publicKeyPtr,
  SECRET_SIZE,
  startKeys,
} from "./keys";
import { checkRecord } from "./record";

const MESSAGE: usize = COMPARTMENT_MESSAGE_PTR;
const MESSAGE_SIZE: usize = COMPARTMENT_MESSAGE_SIZE;
const PAYLOAD: usize = memory.data(ATTEST_EVIDENCE_SIZE_MAX, 8);

export function call(operation: u32, _a: u64, _b: u64, _c: u64): u64 {
  if (operation === ATTEST_START) return start();
  if (!isStarted()) return ATTEST_NOT_STARTED;
  switch (operation) {
    case ATTEST_PUBLIC_KEY:
      return publicKey();
    case ATTEST_GUEST_KEY:
      return guestKey();
    case ATTEST_EVIDENCE:
      return evidence();
    default:
      return ATTEST_NO_OPERATION;
  }
}

function start(): u32 {
  if (isStarted()) return ATTEST_ALREADY_STARTED;
  const secretPtr = MESSAGE + ATTEST_START_SECRET;
  if (isZero(secretPtr, SECRET_SIZE)) return ATTEST_NO_SECRET;
  startKeys(secretPtr, MESSAGE + ATTEST_START_IDENTITY);
  eraseMessageFrom(0);
  return ATTEST_OK;
}

function publicKey(): u32 {
  memory.copy(MESSAGE, publicKeyPtr(), ED25519_PUBLIC_KEY_SIZE);
  eraseMessageFrom(ED25519_PUBLIC_KEY_SIZE);
  return ATTEST_OK;
}

function guestKey(): u32 {
  const guestPtr = MESSAGE + ATTEST_KEY_GUEST;
  if (isZero(guestPtr, IDENTITY_SIZE)) return ATTEST_NO_GUEST;
  if (isZero(MESSAGE + ATTEST_KEY_TEE, IDENTITY_SIZE)) return ATTEST_NOT_MEASURED;
  deriveGuestKey(guestPtr, MESSAGE + ATTEST_KEY_TEE, MESSAGE);
  eraseMessageFrom(GUEST_KEY_SIZE);
  return ATTEST_OK;
}

/** The claims are in the payload before the evidence takes the record's place. */
function evidence(): u32 {
  const refusal = checkRecord(MESSAGE);
  if (refusal !== ATTEST_OK) return refusal;
  const payloadSize = putClaims(PAYLOAD, MESSAGE, identityPtr()) - PAYLOAD;
  const size = putSign1(MESSAGE, PAYLOAD, payloadSize) - MESSAGE;
  eraseMessageFrom(size);
  return <u32>size;
}

/** What leaves is the answer, and nothing of what a call before or the caller had there. */
function eraseMessageFrom(offset: usize): void {
  memory.fill(MESSAGE + offset, 0, MESSAGE_SIZE - offset);
}
