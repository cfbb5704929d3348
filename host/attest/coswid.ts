// The measurements claim (RFC 9711, section 4.2.16): one CoSWID (RFC 9393) with the evidence of one file, whose SHA-256
// is the measurement.

import * as abi from "../../abi/attestation.ts";
import { CborMap, type CborValue } from "./cbor.ts";
import { decodeOrRefuse } from "./cose-sign1.ts";

const SHA256_SIZE = 32;

/** The digest of the component `label`, in hexadecimal. Throws a string: what the value should have been. */
export function measuredDigest(claim: CborValue, label: string): string {
  const formats = Array.isArray(claim) ? (claim as CborValue[]) : [];
  const [format] = formats;
  if (formats.length !== 1 || !Array.isArray(format) || format.length !== 2) throw "not one measurement";
  const [contentFormat, body] = format as CborValue[];
  if (contentFormat !== BigInt(abi.CONTENT_FORMAT_COSWID) || !(body instanceof Uint8Array))
    throw "not a CoSWID in a byte string";
  const tag = decodeOrRefuse(body, `the CoSWID of ${label}`);
  if (!(tag instanceof CborMap) || tag.get(BigInt(abi.COSWID_TAG_ID)) !== label)
    throw `not the CoSWID of ${label}`;
  return digestOf(inMap(inMap(tag, abi.COSWID_EVIDENCE), abi.COSWID_FILE));
}

/** A file-entry's hash-entry. */
function digestOf(file: CborValue): string {
  const hash = inMap(file, abi.COSWID_HASH);
  const [algorithm, digest] = Array.isArray(hash) ? (hash as CborValue[]) : [];
  if (algorithm !== BigInt(abi.HASH_ALGORITHM_SHA256)) throw "no SHA-256 of a file";
  if (!(digest instanceof Uint8Array) || digest.length !== SHA256_SIZE)
    throw `a digest of another length than ${SHA256_SIZE}`;
  return Buffer.from(digest).toString("hex");
}

function inMap(map: CborValue, key: number): CborValue {
  return map instanceof CborMap ? map.get(BigInt(key)) : undefined;
}
