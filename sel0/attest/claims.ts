// The claims set (RFC 9711) of a record, as docs/attestation.md has it. Keys are written in the order of their encodings
// (RFC 8949, section 4.2.1): unsigned ones rising, then negative ones; of texts, the shorter first.

import {
  ATTEST_FLAG_LOCKED_DOWN,
  ATTEST_FLAG_VERIFIED_BOOT,
  ATTEST_RECORD_DEBUG,
  ATTEST_RECORD_FLAGS,
  ATTEST_RECORD_GUEST,
  ATTEST_RECORD_HYPERVISOR,
  ATTEST_RECORD_MONITOR,
  ATTEST_RECORD_NONCE,
  ATTEST_RECORD_NONCE_SIZE,
  ATTEST_RECORD_PACKAGE_VERSION,
  ATTEST_RECORD_TEE,
  ATTEST_RECORD_TEE_NAME,
  ATTEST_RECORD_TEE_VERSION,
  ATTEST_RECORD_VIOLATIONS,
  ATTEST_TEE_NAME_SIZE,
  ATTEST_TEE_VERSION_SIZE,
} from "../../abi/attest-compartment";
import {
  CONTENT_FORMAT_COSWID,
  EAT_DBGSTAT,
  EAT_GUEST_ARGUMENT,
  EAT_LOCKDOWN_ARGUMENT,
  EAT_MEASUREMENTS,
  EAT_NONCE,
  EAT_OEMBOOT,
  EAT_PACKAGE_VERSION_ARGUMENT,
  EAT_PROFILE,
  EAT_PROFILE_CLAIM,
  EAT_SUBMODS,
  EAT_SWNAME,
  EAT_SWVERSION,
  EAT_UEID,
  EAT_VIOLATIONS_ARGUMENT,
  HYPERVISOR_NAME,
  MONITOR_NAME,
  SUBMOD_HYPERVISOR,
  SUBMOD_MONITOR,
  SUBMOD_TEE,
  UEID_TYPE_RAND,
} from "../../abi/attestation";
import { putText, textLength } from "./bytes";
import {
  cborArray,
  cborAscii,
  cborBool,
  cborBytes,
  cborMap,
  cborNegative,
  cborText,
  cborUnsigned,
} from "./cbor";
import { COSWID_SIZE_MAX, putCoswid } from "./coswid";
import { IDENTITY_SIZE } from "./keys";
import { asciiLength } from "./record";

const CLAIM_COUNT: u64 = 10;

const UEID: usize = memory.data(33, 8);
const NAME: usize = memory.data(16, 8); // of what has a fixed one
const COSWID: usize = memory.data(COSWID_SIZE_MAX, 8);

/** Answers where the claims set ends. */
export function putClaims(start: usize, record: usize, identityPtr: usize): usize {
  const flags = load<u32>(record, ATTEST_RECORD_FLAGS);
  let ptr = cborMap(start, CLAIM_COUNT);
  ptr = cborUnsigned(ptr, EAT_NONCE);
  ptr = cborBytes(ptr, record + ATTEST_RECORD_NONCE, load<u32>(record, ATTEST_RECORD_NONCE_SIZE));
  ptr = putUeid(cborUnsigned(ptr, EAT_UEID), identityPtr);
  ptr = cborBool(cborUnsigned(ptr, EAT_OEMBOOT), (flags & ATTEST_FLAG_VERIFIED_BOOT) !== 0);
  ptr = cborUnsigned(cborUnsigned(ptr, EAT_DBGSTAT), load<u32>(record, ATTEST_RECORD_DEBUG));
  ptr = cborText(cborUnsigned(ptr, EAT_PROFILE_CLAIM), changetype<usize>(EAT_PROFILE));
  ptr = putSubmodules(cborUnsigned(ptr, EAT_SUBMODS), record);
  ptr = cborBytes(cborNegative(ptr, EAT_GUEST_ARGUMENT), record + ATTEST_RECORD_GUEST, IDENTITY_SIZE);
  ptr = cborNegative(ptr, EAT_VIOLATIONS_ARGUMENT);
  ptr = cborUnsigned(ptr, load<u64>(record, ATTEST_RECORD_VIOLATIONS));
  ptr = cborBool(cborNegative(ptr, EAT_LOCKDOWN_ARGUMENT), (flags & ATTEST_FLAG_LOCKED_DOWN) !== 0);
  ptr = cborNegative(ptr, EAT_PACKAGE_VERSION_ARGUMENT);
  return cborUnsigned(ptr, load<u64>(record, ATTEST_RECORD_PACKAGE_VERSION));
}

/** Section 4.2.1.1. */
function putUeid(ptr: usize, identityPtr: usize): usize {
  store<u8>(UEID, UEID_TYPE_RAND);
  memory.copy(UEID + 1, identityPtr, IDENTITY_SIZE);
  return cborBytes(ptr, UEID, 1 + IDENTITY_SIZE);
}

function putSubmodules(start: usize, record: usize): usize {
  const teeName = record + ATTEST_RECORD_TEE_NAME;
  const teeNameLength = asciiLength(teeName, ATTEST_TEE_NAME_SIZE);
  const version = record + ATTEST_RECORD_TEE_VERSION;
  const versionLength = asciiLength(version, ATTEST_TEE_VERSION_SIZE);
  let ptr = cborText(cborMap(start, 3), changetype<usize>(SUBMOD_TEE));
  ptr = cborMap(ptr, versionLength === 0 ? 2 : 3);
  ptr = cborAscii(cborUnsigned(ptr, EAT_SWNAME), teeName, teeNameLength);
  // Section 4.2.7: an array, since a version scheme may follow.
  if (versionLength !== 0)
    ptr = cborAscii(cborArray(cborUnsigned(ptr, EAT_SWVERSION), 1), version, versionLength);
  const tee = changetype<usize>(SUBMOD_TEE);
  ptr = putMeasurement(ptr, tee, teeName, teeNameLength, record + ATTEST_RECORD_TEE);
  const monitor = changetype<usize>(SUBMOD_MONITOR);
  ptr = putFixed(ptr, monitor, changetype<usize>(MONITOR_NAME), record + ATTEST_RECORD_MONITOR);
  const hypervisor = changetype<usize>(SUBMOD_HYPERVISOR);
  return putFixed(ptr, hypervisor, changetype<usize>(HYPERVISOR_NAME), record + ATTEST_RECORD_HYPERVISOR);
}

/** A submodule, with its key, whose name is known and which has no version. */
function putFixed(start: usize, label: usize, name: usize, digestPtr: usize): usize {
  let ptr = cborMap(cborText(start, label), 2);
  ptr = cborText(cborUnsigned(ptr, EAT_SWNAME), name);
  putText(NAME, name);
  return putMeasurement(ptr, label, NAME, textLength(name), digestPtr);
}

/** Section 4.2.16: one CoSWID, in a byte string. */
function putMeasurement(start: usize, label: usize, name: usize, nameLength: usize, digestPtr: usize): usize {
  const size = putCoswid(COSWID, label, name, nameLength, digestPtr) - COSWID;
  const ptr = cborArray(cborArray(cborUnsigned(start, EAT_MEASUREMENTS), 1), 2);
  return cborBytes(cborUnsigned(ptr, CONTENT_FORMAT_COSWID), COSWID, size);
}
