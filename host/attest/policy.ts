// What a relying party accepts, as JSON. Each rule is described once: what its value must be, and when claims meet it.
// A rule that is left out is not applied; a word that is no rule is refused, so that a slip does not weaken a policy.

import { type Claims, DEBUG_STATUSES } from "./claims.ts";

export class PolicyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "PolicyError";
  }
}

interface Rule {
  /** What its value must be, in words for whoever wrote the policy. */
  readonly wants: string;
  readonly isValue: (value: unknown) => boolean;
  readonly isMet: (claims: Claims, value: never) => boolean;
}

const DIGESTS = { wants: "a list of 32 bytes in hexadecimal each", isValue: listOf(isDigest) };
const COUNT = { wants: "a whole number from 0 on", isValue: isCount };

const RULES = {
  devices: { ...DIGESTS, isMet: ({ device }, allowed: string[]) => isAmong(device, allowed) },
  monitor: {
    ...DIGESTS,
    isMet: ({ components }, allowed: string[]) => isAmong(components.monitor.measurement, allowed),
  },
  hypervisor: {
    ...DIGESTS,
    isMet: ({ components }, allowed: string[]) => isAmong(components.hypervisor.measurement, allowed),
  },
  tee: {
    ...DIGESTS,
    isMet: ({ components }, allowed: string[]) => isAmong(components.tee.measurement, allowed),
  },
  maxViolations: { ...COUNT, isMet: ({ violations }, most: number) => violations <= BigInt(most) },
  minPackageVersion: {
    ...COUNT,
    isMet: ({ packageVersion }, least: number) => packageVersion >= BigInt(least),
  },
  debug: {
    wants: `a list of ${DEBUG_STATUSES.join(", ")}`,
    isValue: listOf((value) => (DEBUG_STATUSES as readonly unknown[]).includes(value)),
    isMet: ({ debug }, allowed: string[]) => allowed.includes(debug),
  },
  verifiedBoot: {
    wants: "true",
    isValue: (value: unknown) => value === true,
    isMet: ({ verifiedBoot }) => verifiedBoot,
  },
} as const satisfies Record<string, Rule>;

export type PolicyRule = keyof typeof RULES;
export type Policy = {
  readonly [Name in PolicyRule]?: Parameters<(typeof RULES)[Name]["isMet"]> extends [Claims, infer Value]
    ? Value
    : true;
};

/** Throws a PolicyError for what is no policy. */
export function parsePolicy(text: string): Policy {
  const value = parseJson(text);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new PolicyError("a policy is an object");
  for (const [name, content] of Object.entries(value)) {
    const rule = Object.hasOwn(RULES, name) ? RULES[name as PolicyRule] : undefined;
    if (rule === undefined)
      throw new PolicyError(`“${name}” is no rule; the rules are ${Object.keys(RULES).join(", ")}`);
    if (!rule.isValue(content)) throw new PolicyError(`“${name}” must be ${rule.wants}`);
  }
  return value as Policy;
}

/** The first rule that is not met. */
export function brokenRule(policy: Policy, claims: Claims): PolicyRule | undefined {
  return (Object.keys(RULES) as PolicyRule[]).find((name) => {
    const rule: Rule = RULES[name];
    return policy[name] !== undefined && !rule.isMet(claims, policy[name] as never);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new PolicyError("a policy is JSON, and this is none");
  }
}

/** An empty list would accept nothing: that is no policy that anybody means. */
function listOf(isItem: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => Array.isArray(value) && value.length > 0 && value.every(isItem);
}

function isDigest(value: unknown): boolean {
  return typeof value === "string" && /^[0-9a-f]{64}$/i.test(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isAmong(digest: string, allowed: readonly string[]): boolean {
  return allowed.some((one) => one.toLowerCase() === digest);
}
