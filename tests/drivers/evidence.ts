// Evidence as docs/attestation.md describes it, made on the host: what a device would say, and what it never would.

import { createPrivateKey, sign } from "node:crypto";
import * as abi from "../../abi/attestation.ts";
import { CborMap, CborTag, type CborValue } from "../../host/attest/cbor.ts";
import { encodeCbor } from "../../host/attest/cbor-encode.ts";
import {
  ALG_EDDSA,
  HEADER_ALG,
  HEADER_KID,
  keyThumbprint,
  negative,
  toBeSigned,
} from "../../host/attest/cose-sign1.ts";

export interface EvidenceFields {
  readonly nonce: Uint8Array;
  readonly device: Uint8Array;
  readonly verifiedBoot: boolean;
  readonly debug: number;
  readonly guest: Uint8Array;
  readonly violations: bigint;
  readonly lockedDown: boolean;
  readonly packageVersion: bigint;
  readonly monitor: Uint8Array;
  readonly hypervisor: Uint8Array;
  readonly tee: Uint8Array;
  readonly teeName: string;
  readonly teeVersion: string;
}

export const filled = (value: number, size = 32) => new Uint8Array(size).fill(value);

export const FIELDS: EvidenceFields = {
  nonce: filled(0x11),
  device: filled(0x22),
  verifiedBoot: true,
  debug: 2,
  guest: filled(0x33),
  violations: 0n,
  lockedDown: true,
  packageVersion: 7n,
  monitor: filled(0x44),
  hypervisor: filled(0x55),
  tee: filled(0x66),
  teeName: "optee-4.5",
  teeVersion: "4.5.0",
};

/** The claims set, entry by entry, so that a test can take one away or change it. */
export function claimEntries(fields: EvidenceFields): [CborValue, CborValue][] {
  const ueid = Uint8Array.of(abi.UEID_TYPE_RAND, ...fields.device);
  const teeName = fields.teeName;
  return [
    [BigInt(abi.EAT_NONCE), fields.nonce],
    [BigInt(abi.EAT_UEID), ueid],
    [BigInt(abi.EAT_OEMBOOT), fields.verifiedBoot],
    [BigInt(abi.EAT_DBGSTAT), BigInt(fields.debug)],
    [BigInt(abi.EAT_PROFILE_CLAIM), abi.EAT_PROFILE],
    [
      BigInt(abi.EAT_SUBMODS),
      new CborMap([
        [abi.SUBMOD_TEE, component(abi.SUBMOD_TEE, teeName, fields.tee, fields.teeVersion)],
        [abi.SUBMOD_MONITOR, component(abi.SUBMOD_MONITOR, abi.MONITOR_NAME, fields.monitor)],
        [abi.SUBMOD_HYPERVISOR, component(abi.SUBMOD_HYPERVISOR, abi.HYPERVISOR_NAME, fields.hypervisor)],
      ]),
    ],
    [negative(abi.EAT_GUEST_ARGUMENT), fields.guest],
    [negative(abi.EAT_VIOLATIONS_ARGUMENT), fields.violations],
    [negative(abi.EAT_LOCKDOWN_ARGUMENT), fields.lockedDown],
    [negative(abi.EAT_PACKAGE_VERSION_ARGUMENT), fields.packageVersion],
  ];
}

function component(label: string, name: string, digest: Uint8Array, version = ""): CborMap {
  const body = encodeCbor(coswid(label, name, digest));
  return new CborMap([
    [BigInt(abi.EAT_SWNAME), name],
    ...(version === "" ? [] : [[BigInt(abi.EAT_SWVERSION), [version]] as const]),
    [BigInt(abi.EAT_MEASUREMENTS), [[BigInt(abi.CONTENT_FORMAT_COSWID), body]]],
  ]);
}

export function coswid(label: string, name: string, digest: Uint8Array): CborMap {
  const hash = [BigInt(abi.HASH_ALGORITHM_SHA256), digest];
  const file = new CborMap([
    [BigInt(abi.COSWID_HASH), hash],
    [BigInt(abi.COSWID_FS_NAME), label],
  ]);
  const entity = new CborMap([
    [BigInt(abi.COSWID_ENTITY_NAME), abi.MONITOR_NAME],
    [BigInt(abi.COSWID_ROLE), BigInt(abi.COSWID_ROLE_TAG_CREATOR)],
  ]);
  return new CborMap([
    [BigInt(abi.COSWID_TAG_ID), label],
    [BigInt(abi.COSWID_SOFTWARE_NAME), name],
    [BigInt(abi.COSWID_ENTITY), entity],
    [BigInt(abi.COSWID_EVIDENCE), new CborMap([[BigInt(abi.COSWID_FILE), file]])],
    [BigInt(abi.COSWID_TAG_VERSION), 0n],
  ]);
}

export interface Signer {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** RFC 8032's key of a seed. */
export function signerOf(seed: Uint8Array): Signer {
  const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  const { x } = key.export({ format: "jwk" }) as { x: string };
  return {
    publicKey: new Uint8Array(Buffer.from(x, "base64url")),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  };
}

export function headerOf({ publicKey }: Signer): CborMap {
  return new CborMap([
    [HEADER_ALG, ALG_EDDSA],
    [HEADER_KID, keyThumbprint(publicKey)],
  ]);
}

export function signed(
  signer: Signer,
  payload: Uint8Array,
  header = headerOf(signer),
  unprotected = new CborMap([]),
): Uint8Array {
  const signature = signer.sign(toBeSigned(header, payload));
  const parts = [encodeCbor(header), unprotected, payload, signature];
  return encodeCbor(new CborTag(BigInt(abi.COSE_SIGN1_TAG), parts));
}

export function evidenceOf(signer: Signer, fields: EvidenceFields): Uint8Array {
  return signed(signer, encodeCbor(new CborMap(claimEntries(fields))));
}
