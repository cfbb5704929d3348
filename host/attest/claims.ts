// The claims of our profile of an EAT (RFC 9711), each described once: its key, and how its value is read. Claims that
// the profile does not name are ignored, as section 4 of the RFC wants it.

import * as abi from "../../abi/attestation.ts";
import { CborMap, type CborValue } from "./cbor.ts";
import { decodeOrRefuse, negative } from "./cose-sign1.ts";
import { measuredDigest } from "./coswid.ts";
import { Refusal } from "./refusal.ts";

/** Section 4.2.9, by number. */
export const DEBUG_STATUSES = [
  "enabled",
  "disabled",
  "disabled-since-boot",
  "disabled-permanently",
  "disabled-fully-and-permanently",
] as const;
export type DebugStatus = (typeof DEBUG_STATUSES)[number];

export interface Component {
  readonly name: string;
  readonly version?: string;
  /** SHA-256, in hexadecimal. */
  readonly measurement: string;
}

/** Throws a string: what the value should have been. */
type Read<Value> = (value: CborValue) => Value;
interface Description<Value> {
  readonly key: bigint;
  readonly read: Read<Value>;
}

const IDENTITY_SIZE = 32;

/** Byte strings are given in hexadecimal. */
const CLAIMS = {
  nonce: { key: BigInt(abi.EAT_NONCE), read: hexOf(abi.NONCE_SIZE_MIN, abi.NONCE_SIZE_MAX) },
  device: { key: BigInt(abi.EAT_UEID), read: readUeid },
  verifiedBoot: { key: BigInt(abi.EAT_OEMBOOT), read: readFlag },
  debug: { key: BigInt(abi.EAT_DBGSTAT), read: readDebugStatus },
  guest: { key: negative(abi.EAT_GUEST_ARGUMENT), read: hexOf(IDENTITY_SIZE, IDENTITY_SIZE) },
  violations: { key: negative(abi.EAT_VIOLATIONS_ARGUMENT), read: readCount },
  lockedDown: { key: negative(abi.EAT_LOCKDOWN_ARGUMENT), read: readFlag },
  packageVersion: { key: negative(abi.EAT_PACKAGE_VERSION_ARGUMENT), read: readCount },
  components: { key: BigInt(abi.EAT_SUBMODS), read: readSubmodules },
} as const satisfies Record<string, Description<unknown>>;

export type Claims = { readonly [Name in keyof typeof CLAIMS]: ReturnType<(typeof CLAIMS)[Name]["read"]> };

/** Throws a Refusal: `profile` before anything else is looked at, then `claims`. */
export function readClaims(payload: Uint8Array): Claims {
  const set = decodeOrRefuse(payload, "the payload");
  if (!(set instanceof CborMap)) throw new Refusal("claims", "the payload is no claims set");
  if (set.get(BigInt(abi.EAT_PROFILE_CLAIM)) !== abi.EAT_PROFILE)
    throw new Refusal("profile", "eat_profile is not that of vTZ");
  return readAll(set, CLAIMS, "") as Claims;
}

function readAll(set: CborMap, descriptions: Record<string, Description<unknown>>, where: string): object {
  const rows = Object.entries(descriptions).map(([name, { key, read }]) => {
    if (!set.has(key)) throw new Refusal("claims", `${where}${name} (claim ${key}) is missing`);
    try {
      return [name, read(set.get(key))];
    } catch (error) {
      if (typeof error !== "string") throw error;
      throw new Refusal("claims", `${where}${name} (claim ${key}): ${error}`);
    }
  });
  return Object.fromEntries(rows);
}

// How a value is read.

function hexOf(min: number, max: number): Read<string> {
  return (value) => {
    if (!(value instanceof Uint8Array) || value.length < min || value.length > max)
      throw `not a byte string of ${min === max ? "" : `${min} to `}${max} bytes`;
    return Buffer.from(value).toString("hex");
  };
}

/** Section 4.2.1.1. Our devices have random identities of the longest kind. */
function readUeid(value: CborValue): string {
  const hex = hexOf(1 + IDENTITY_SIZE, 1 + IDENTITY_SIZE)(value);
  const type = Number.parseInt(hex.slice(0, 2), 16);
  if (type !== abi.UEID_TYPE_RAND) throw "not a UEID of type RAND";
  return hex.slice(2);
}

function readFlag(value: CborValue): boolean {
  if (typeof value !== "boolean") throw "neither true nor false";
  return value;
}

function readCount(value: CborValue): bigint {
  if (typeof value !== "bigint" || value < 0n) throw "not an unsigned integer";
  return value;
}

function readDebugStatus(value: CborValue): DebugStatus {
  const status = typeof value === "bigint" ? DEBUG_STATUSES[Number(value)] : undefined;
  if (status === undefined) throw "no debug status";
  return status;
}

function readText(value: CborValue): string {
  if (typeof value !== "string" || value === "") throw "not a text";
  return value;
}

/** Section 4.2.7: an array, since a version scheme may follow; ours has none. */
function readVersion(value: CborValue): string {
  if (!Array.isArray(value) || value.length !== 1) throw "not an array of one text";
  return readText(value[0]);
}

function readSubmodules(value: CborValue): Record<"tee" | "monitor" | "hypervisor", Component> {
  return {
    tee: readComponent(value, abi.SUBMOD_TEE),
    monitor: readComponent(value, abi.SUBMOD_MONITOR),
    hypervisor: readComponent(value, abi.SUBMOD_HYPERVISOR),
  };
}

function readComponent(submodules: CborValue, label: string): Component {
  const set = submodules instanceof CborMap ? submodules.get(label) : undefined;
  if (!(set instanceof CborMap)) throw `no submodule ${label}`;
  const versionKey = BigInt(abi.EAT_SWVERSION);
  return readAll(
    set,
    {
      name: { key: BigInt(abi.EAT_SWNAME), read: readText },
      ...(set.has(versionKey) ? { version: { key: versionKey, read: readVersion } } : {}),
      measurement: {
        key: BigInt(abi.EAT_MEASUREMENTS),
        read: (value) => measuredDigest(value, label),
      },
    },
    `${label}: `,
  ) as Component;
}
