// COSE_Sign1 (RFC 9052, section 4.2) with EdDSA over Ed25519 (RFC 9053, section 2.2): the algorithm is protected, and no
// other is taken.

import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import * as abi from "../../abi/attestation.ts";
import { CborMap, CborTag, type CborValue } from "./cbor.ts";
import { CborError, decodeCbor } from "./cbor-decode.ts";
import { encodeCbor } from "./cbor-encode.ts";
import { Refusal } from "./refusal.ts";

export const ALG_EDDSA = negative(abi.COSE_ALG_EDDSA_ARGUMENT);
export const HEADER_ALG = BigInt(abi.COSE_HEADER_ALG);
export const HEADER_KID = BigInt(abi.COSE_HEADER_KID);
const HEADER_CRIT = BigInt(abi.COSE_HEADER_CRIT);
const ED25519_KEY_SIZE = 32;
const ED25519_SIGNATURE_SIZE = 64;

export interface CoseSign1 {
  readonly protectedHeader: CborMap;
  readonly unprotectedHeader: CborMap;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** The integer of major type 1 whose argument is `argument`. */
export function negative(argument: number): bigint {
  return -1n - BigInt(argument);
}

/** A tagged message, section 4.2. */
export function parseSign1(bytes: Uint8Array): CoseSign1 {
  const message = decodeOrRefuse(bytes, "the evidence");
  if (!(message instanceof CborTag) || message.tag !== BigInt(abi.COSE_SIGN1_TAG))
    throw new Refusal("not-cose", "no tag of COSE_Sign1");
  const parts = message.content;
  if (!Array.isArray(parts) || parts.length !== 4)
    throw new Refusal("not-cose", "COSE_Sign1 is an array of four");
  const [protectedBytes, unprotectedHeader, payload, signature] = parts as CborValue[];
  if (!(protectedBytes instanceof Uint8Array) || !(unprotectedHeader instanceof CborMap))
    throw new Refusal("not-cose", "the headers are not a byte string and a map");
  if (!(payload instanceof Uint8Array)) throw new Refusal("not-cose", "the payload is not in the message");
  if (!(signature instanceof Uint8Array)) throw new Refusal("not-cose", "the signature is no byte string");
  return { protectedHeader: parseProtected(protectedBytes), unprotectedHeader, payload, signature };
}

/** Section 3: a header without parameters is an empty string; no label is in both headers. */
function parseProtected(bytes: Uint8Array): CborMap {
  if (bytes.length === 0) return new CborMap([]);
  const header = decodeOrRefuse(bytes, "the protected header");
  if (!(header instanceof CborMap)) throw new Refusal("not-cose", "the protected header is no map");
  return header;
}

/** Throws a Refusal unless it is signed with EdDSA, and says nothing that a verifier would have to understand besides. */
export function checkHeaders({ protectedHeader, unprotectedHeader }: CoseSign1): void {
  if (protectedHeader.get(HEADER_ALG) !== ALG_EDDSA)
    throw new Refusal("wrong-algorithm", "the algorithm in the protected header is not EdDSA");
  if (protectedHeader.has(HEADER_CRIT)) throw new Refusal("not-cose", "a critical header parameter");
  if (unprotectedHeader.entries.some(([label]) => isLabel(label) && protectedHeader.has(label)))
    throw new Refusal("not-cose", "a header parameter twice");
}

/** Throws a Refusal unless `publicKey` (32 bytes, RFC 8032) has signed it. */
export function checkSignature(message: CoseSign1, publicKey: Uint8Array): void {
  const { protectedHeader, payload, signature } = message;
  const signed = toBeSigned(protectedHeader, payload);
  const isSigned =
    signature.length === ED25519_SIGNATURE_SIZE && verify(null, signed, keyObject(publicKey), signature);
  if (!isSigned) throw new Refusal("signature", "the signature is not the device's");
}

/** Section 4.4: Sig_structure, encoded. */
export function toBeSigned(
  protectedHeader: CborMap,
  payload: Uint8Array,
  externalAad = new Uint8Array(0),
): Uint8Array {
  const header = protectedHeader.entries.length === 0 ? new Uint8Array(0) : encodeCbor(protectedHeader);
  return encodeCbor([abi.COSE_CONTEXT_SIGN1, header, externalAad, payload]);
}

/** RFC 9679: SHA-256 of the COSE_Key with its required parameters only. */
export function keyThumbprint(publicKey: Uint8Array): Uint8Array {
  checkKeySize(publicKey);
  const key = new CborMap([
    [BigInt(abi.COSE_KEY_KTY), BigInt(abi.COSE_KTY_OKP)],
    [negative(abi.COSE_KEY_CRV_ARGUMENT), BigInt(abi.COSE_CRV_ED25519)],
    [negative(abi.COSE_KEY_X_ARGUMENT), publicKey],
  ]);
  return new Uint8Array(createHash("sha256").update(encodeCbor(key)).digest());
}

function keyObject(publicKey: Uint8Array): KeyObject {
  checkKeySize(publicKey);
  const x = Buffer.from(publicKey).toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
}

/** A key comes from whoever asks, not with the evidence: a wrong one is no reason to refuse, but a mistake. */
function checkKeySize(publicKey: Uint8Array): void {
  if (publicKey.length !== ED25519_KEY_SIZE)
    throw new RangeError(`an Ed25519 key has ${ED25519_KEY_SIZE} bytes`);
}

export function decodeOrRefuse(bytes: Uint8Array, what: string): CborValue {
  try {
    return decodeCbor(bytes);
  } catch (error) {
    if (!(error instanceof CborError)) throw error;
    throw new Refusal("not-cbor", `${what}: ${error.message}`);
  }
}

function isLabel(label: CborValue): label is bigint | string {
  return typeof label === "bigint" || typeof label === "string";
}
