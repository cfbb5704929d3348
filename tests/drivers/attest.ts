// The attestation compartment (sel0/attest) as the monitor would call it: messages in, answers out.

import * as abi from "../../abi/attest-compartment.ts";
import { aCompartment, type CompartmentLab } from "./compartment.ts";
import type { EvidenceFields } from "./evidence.ts";

export interface Device {
  readonly secret: Uint8Array;
  readonly identity: Uint8Array;
}

export class AttestLab {
  readonly lab: CompartmentLab<{ call(operation: number, a: bigint, b: bigint, c: bigint): bigint }>;

  constructor(lab: AttestLab["lab"]) {
    this.lab = lab;
  }

  /** The result of a call with this message; what is in the page besides is left from the call before. */
  call(operation: number, message: Uint8Array = new Uint8Array(0)): number {
    this.lab.message.set(message);
    return Number(this.lab.exports.call(operation, 0n, 0n, 0n));
  }

  start({ secret, identity }: Device): number {
    return this.call(abi.ATTEST_START, Uint8Array.of(...secret, ...identity));
  }

  guestKey(guest: Uint8Array, tee: Uint8Array): Uint8Array {
    const result = this.call(abi.ATTEST_GUEST_KEY, Uint8Array.of(...guest, ...tee));
    if (result !== abi.ATTEST_OK) throw new Error(`no guest key: 0x${result.toString(16)}`);
    return this.lab.message.slice(0, 32);
  }

  publicKey(): Uint8Array {
    const result = this.call(abi.ATTEST_PUBLIC_KEY);
    if (result !== abi.ATTEST_OK) throw new Error(`no public key: 0x${result.toString(16)}`);
    return this.lab.message.slice(0, 32);
  }

  evidence(record: Uint8Array): Uint8Array {
    const result = this.call(abi.ATTEST_EVIDENCE, record);
    if (result >= abi.ATTEST_REFUSED_MIN) throw new Error(`no evidence: 0x${result.toString(16)}`);
    return this.lab.message.slice(0, result);
  }
}

export async function anAttestLab(): Promise<AttestLab> {
  return new AttestLab(await aCompartment("sel0/attest/main.ts"));
}

/** The device's identity is not in a record: the compartment has it. */
export function recordOf(fields: EvidenceFields): Uint8Array {
  const bytes = new Uint8Array(abi.ATTEST_RECORD_SIZE);
  const view = new DataView(bytes.buffer);
  const ascii = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  bytes.set(fields.nonce, abi.ATTEST_RECORD_NONCE);
  view.setUint32(abi.ATTEST_RECORD_NONCE_SIZE, fields.nonce.length, true);
  const flags =
    (fields.lockedDown ? abi.ATTEST_FLAG_LOCKED_DOWN : 0) |
    (fields.verifiedBoot ? abi.ATTEST_FLAG_VERIFIED_BOOT : 0);
  view.setUint32(abi.ATTEST_RECORD_FLAGS, flags, true);
  view.setUint32(abi.ATTEST_RECORD_DEBUG, fields.debug, true);
  view.setBigUint64(abi.ATTEST_RECORD_PACKAGE_VERSION, fields.packageVersion, true);
  view.setBigUint64(abi.ATTEST_RECORD_VIOLATIONS, fields.violations, true);
  bytes.set(fields.guest, abi.ATTEST_RECORD_GUEST);
  bytes.set(fields.monitor, abi.ATTEST_RECORD_MONITOR);
  bytes.set(fields.hypervisor, abi.ATTEST_RECORD_HYPERVISOR);
  bytes.set(fields.tee, abi.ATTEST_RECORD_TEE);
  ascii(abi.ATTEST_RECORD_TEE_NAME, fields.teeName);
  ascii(abi.ATTEST_RECORD_TEE_VERSION, fields.teeVersion);
  return bytes;
}
