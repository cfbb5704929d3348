// A measurement as a CoSWID (RFC 9393): a tag whose evidence is one file with its SHA-256.

import {
  COSWID_ENTITY,
  COSWID_ENTITY_NAME,
  COSWID_EVIDENCE,
  COSWID_FILE,
  COSWID_FS_NAME,
  COSWID_HASH,
  COSWID_ROLE,
  COSWID_ROLE_TAG_CREATOR,
  COSWID_SOFTWARE_NAME,
  COSWID_TAG_ID,
  COSWID_TAG_VERSION,
  HASH_ALGORITHM_SHA256,
  MONITOR_NAME,
} from "../../abi/attestation";
import { cborArray, cborAscii, cborBytes, cborMap, cborText, cborUnsigned } from "./cbor";

const SHA256_SIZE: usize = 32;
/** 35 bytes of digest, twice the longest label, the longest name, and heads. */
export const COSWID_SIZE_MAX: usize = 128;

/** Of the component `label` (a string literal); its name is ASCII. Answers where it ends. */
export function putCoswid(
  start: usize,
  label: usize,
  name: usize,
  nameLength: usize,
  digestPtr: usize,
): usize {
  let ptr = cborMap(start, 5);
  ptr = cborText(cborUnsigned(ptr, COSWID_TAG_ID), label);
  ptr = cborAscii(cborUnsigned(ptr, COSWID_SOFTWARE_NAME), name, nameLength);
  ptr = putEntity(cborUnsigned(ptr, COSWID_ENTITY));
  ptr = cborMap(cborUnsigned(ptr, COSWID_EVIDENCE), 1);
  ptr = putFile(cborUnsigned(ptr, COSWID_FILE), label, digestPtr);
  return cborUnsigned(cborUnsigned(ptr, COSWID_TAG_VERSION), 0);
}

function putEntity(start: usize): usize {
  let ptr = cborMap(start, 2);
  ptr = cborText(cborUnsigned(ptr, COSWID_ENTITY_NAME), changetype<usize>(MONITOR_NAME));
  return cborUnsigned(cborUnsigned(ptr, COSWID_ROLE), COSWID_ROLE_TAG_CREATOR);
}

function putFile(start: usize, label: usize, digestPtr: usize): usize {
  let ptr = cborArray(cborUnsigned(cborMap(start, 2), COSWID_HASH), 2);
  ptr = cborBytes(cborUnsigned(ptr, HASH_ALGORITHM_SHA256), digestPtr, SHA256_SIZE);
  return cborText(cborUnsigned(ptr, COSWID_FS_NAME), label);
}
