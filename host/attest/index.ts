// The verifier of vTZ's evidence as a library: it needs Node and abi/attestation.ts, and nothing else of the project
// (tests/layering.ts). docs/attestation.md says what evidence is.

export { Challenges } from "./challenges.ts";
export { type Claims, type Component, DEBUG_STATUSES, type DebugStatus } from "./claims.ts";
export { keyThumbprint } from "./cose-sign1.ts";
export { parseDeviceKey } from "./device-key.ts";
export { type Policy, PolicyError, type PolicyRule, parsePolicy } from "./policy.ts";
export type { RefusalCode } from "./refusal.ts";
export { type Expected, type Verdict, verifyEvidence } from "./verify.ts";
