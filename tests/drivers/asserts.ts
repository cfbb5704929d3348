// Assertions that several files of tests share.

import assert from "node:assert/strict";
import { Epitaph, fatalCodes } from "../machine/errors.ts";
import { IL } from "./exceptions.ts";
import { XEN_VBAR } from "./hypervisor.ts";
import type { Lab } from "./lab.ts";

export const NOT_SUPPORTED = 0xffffffffffffffffn;

/** The machine stops, with this code and no other. */
export function assertFatal(act: () => void, name: string): void {
  assert.throws(act, (error) => isFatal(error, name));
}

export function isFatal(error: unknown, name: string): boolean {
  return error instanceof Epitaph && error.code === fatalCodes().get(name);
}

/** At the hypervisor's vector with all that a trapped SMC leaves there. */
export function assertTrapped(lab: Lab, at: bigint, esr: bigint, vector = 0x400n): void {
  const core = lab.core(0);
  assert.equal(core.pc, XEN_VBAR + vector);
  assert.equal(core.get("ELR_EL2"), at);
  assert.equal(core.get("ESR_EL2"), esr);
  assert.equal(core.exceptionLevel, 2);
}

/** The instruction at `at` was undefined for the hypervisor, and is recorded as VIOLATION_* `what`. The driver has gone on behind it. */
export function assertUndefined(lab: Lab, at: bigint, what: string): void {
  const core = lab.core(0);
  assert.equal(core.get("ELR_EL2"), at);
  assert.equal(core.get("ESR_EL2"), IL);
  assert.equal(core.exceptionLevel, 2);
  const event = lab.status.events.at(-1);
  assert.deepEqual([event?.kind, event?.arguments[0]], ["violation", what]);
}
