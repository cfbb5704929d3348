// Why evidence is not accepted: one code a cause, in the order in which they are looked for.

import type { PolicyRule } from "./policy.ts";

export type RefusalCode =
  | "not-cbor" // not one item of deterministic CBOR
  | "not-cose" // not a COSE_Sign1, or with headers that this profile has not
  | "wrong-algorithm" // not EdDSA
  | "wrong-key" // its kid is another key's
  | "signature"
  | "profile" // an EAT of another profile
  | "claims" // a claim of the profile is missing, or is not what it must be
  | "nonce" // an answer to another question: a replay
  | "guest" // of another guest
  | "not-locked-down" // made before the hypervisor was held to its rules
  | `policy:${PolicyRule}`;

export class Refusal extends Error {
  readonly code: RefusalCode;

  constructor(code: RefusalCode, reason: string) {
    super(reason);
    this.name = "Refusal";
    this.code = code;
  }
}
