// The record of which evidence is made (abi/attest-compartment.ts): what may stand in it.

import {
  ATTEST_BAD_NAME,
  ATTEST_BAD_NONCE,
  ATTEST_BAD_RECORD,
  ATTEST_FLAG_LOCKED_DOWN,
  ATTEST_FLAGS,
  ATTEST_NO_GUEST,
  ATTEST_NOT_LOCKED_DOWN,
  ATTEST_NOT_MEASURED,
  ATTEST_OK,
  ATTEST_RECORD_DEBUG,
  ATTEST_RECORD_FLAGS,
  ATTEST_RECORD_GUEST,
  ATTEST_RECORD_HYPERVISOR,
  ATTEST_RECORD_MONITOR,
  ATTEST_RECORD_NONCE,
  ATTEST_RECORD_NONCE_SIZE,
  ATTEST_RECORD_TEE,
  ATTEST_RECORD_TEE_NAME,
  ATTEST_RECORD_TEE_VERSION,
  ATTEST_RECORD_ZERO,
  ATTEST_TEE_NAME_SIZE,
  ATTEST_TEE_VERSION_SIZE,
} from "../../abi/attest-compartment";
import { DBGSTAT_MAX, NONCE_SIZE_MAX, NONCE_SIZE_MIN } from "../../abi/attestation";
import { isZero } from "./bytes";

const ASCII_FIRST: u8 = 0x20;
const ASCII_LAST: u8 = 0x7e;
const IDENTITY_SIZE: usize = 32;
const DIGEST_SIZE: usize = 32;

/** ATTEST_OK, or why no evidence is made of it. */
export function checkRecord(record: usize): u32 {
  const flags = load<u32>(record, ATTEST_RECORD_FLAGS);
  if ((flags & ~ATTEST_FLAGS) !== 0) return ATTEST_BAD_RECORD;
  if ((flags & ATTEST_FLAG_LOCKED_DOWN) === 0) return ATTEST_NOT_LOCKED_DOWN;
  if (load<u32>(record, ATTEST_RECORD_DEBUG) > DBGSTAT_MAX) return ATTEST_BAD_RECORD;
  if (load<u32>(record, ATTEST_RECORD_ZERO) !== 0) return ATTEST_BAD_RECORD;
  if (!isNonce(record)) return ATTEST_BAD_NONCE;
  if (isZero(record + ATTEST_RECORD_GUEST, IDENTITY_SIZE)) return ATTEST_NO_GUEST;
  if (!isMeasured(record)) return ATTEST_NOT_MEASURED;
  if (asciiLength(record + ATTEST_RECORD_TEE_NAME, ATTEST_TEE_NAME_SIZE) === 0) return ATTEST_BAD_NAME;
  const hasNames =
    isAscii(record + ATTEST_RECORD_TEE_NAME, ATTEST_TEE_NAME_SIZE) &&
    isAscii(record + ATTEST_RECORD_TEE_VERSION, ATTEST_TEE_VERSION_SIZE);
  return hasNames ? ATTEST_OK : ATTEST_BAD_NAME;
}

/** RFC 9711, section 4.1; what is behind it is zero, so that a size which is wrong is noticed. */
function isNonce(record: usize): bool {
  const size = load<u32>(record, ATTEST_RECORD_NONCE_SIZE);
  if (size < NONCE_SIZE_MIN || size > NONCE_SIZE_MAX) return false;
  return isZero(record + ATTEST_RECORD_NONCE + size, NONCE_SIZE_MAX - size);
}

/** SHA-256 of nothing that anybody knows is zero. */
function isMeasured(record: usize): bool {
  return (
    !isZero(record + ATTEST_RECORD_MONITOR, DIGEST_SIZE) &&
    !isZero(record + ATTEST_RECORD_HYPERVISOR, DIGEST_SIZE) &&
    !isZero(record + ATTEST_RECORD_TEE, DIGEST_SIZE)
  );
}

/** Bytes before the first zero, at most `size`. */
export function asciiLength(ptr: usize, size: usize): usize {
  let length: usize = 0;
  while (length < size && load<u8>(ptr + length) !== 0) length++;
  return length;
}

/** Printable characters, and zeros behind them. */
function isAscii(ptr: usize, size: usize): bool {
  const length = asciiLength(ptr, size);
  for (let index: usize = 0; index < length; index++) {
    const character = load<u8>(ptr + index);
    if (character < ASCII_FIRST || character > ASCII_LAST) return false;
  }
  return isZero(ptr + length, size - length);
}
