// COSE_Sign1 (RFC 9052, section 4.2) with the device's key; algorithm and kid are in the protected header.

import { ATTEST_EVIDENCE_SIZE_MAX } from "../../abi/attest-compartment";
import {
  COSE_ALG_EDDSA_ARGUMENT,
  COSE_CONTEXT_SIGN1,
  COSE_HEADER_ALG,
  COSE_HEADER_KID,
  COSE_SIGN1_TAG,
} from "../../abi/attestation";
import { ED25519_SIGNATURE_SIZE, ed25519Sign } from "../crypto/ed25519";
import { cborArray, cborBytes, cborMap, cborNegative, cborTag, cborText, cborUnsigned } from "./cbor";
import { publicKeyPtr, seedPtr, THUMBPRINT_SIZE, thumbprintPtr } from "./keys";

const HEADER: usize = memory.data(64, 8);
const TO_BE_SIGNED: usize = memory.data(0x440, 8); // the payload, and 64 bytes for what stands before it
const SIGNATURE: usize = memory.data(64, 8);

/** Of a payload that is smaller than ATTEST_EVIDENCE_SIZE_MAX. Answers where the message ends. */
export function putSign1(start: usize, payloadPtr: usize, payloadSize: usize): usize {
  if (payloadSize > ATTEST_EVIDENCE_SIZE_MAX) unreachable();
  const headerSize = putHeader(HEADER) - HEADER;
  const signedSize = putToBeSigned(TO_BE_SIGNED, headerSize, payloadPtr, payloadSize) - TO_BE_SIGNED;
  if (!ed25519Sign(seedPtr(), publicKeyPtr(), TO_BE_SIGNED, signedSize, SIGNATURE)) unreachable();
  let ptr = cborArray(cborTag(start, COSE_SIGN1_TAG), 4);
  ptr = cborBytes(ptr, HEADER, headerSize);
  ptr = cborMap(ptr, 0);
  ptr = cborBytes(ptr, payloadPtr, payloadSize);
  return cborBytes(ptr, SIGNATURE, ED25519_SIGNATURE_SIZE);
}

function putHeader(start: usize): usize {
  let ptr = cborMap(start, 2);
  ptr = cborNegative(cborUnsigned(ptr, COSE_HEADER_ALG), COSE_ALG_EDDSA_ARGUMENT);
  return cborBytes(cborUnsigned(ptr, COSE_HEADER_KID), thumbprintPtr(), THUMBPRINT_SIZE);
}

/** Section 4.4: Sig_structure; nothing is signed that is not in the message. */
function putToBeSigned(start: usize, headerSize: usize, payloadPtr: usize, payloadSize: usize): usize {
  let ptr = cborText(cborArray(start, 4), changetype<usize>(COSE_CONTEXT_SIGN1));
  ptr = cborBytes(ptr, HEADER, headerSize);
  ptr = cborBytes(ptr, HEADER, 0);
  return cborBytes(ptr, payloadPtr, payloadSize);
}
