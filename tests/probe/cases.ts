// All cases of the probe, for a kind of TEE: the same names for each kind, in the same order.

import { callCases } from "./cases/calls.ts";
import { deviceCases } from "./cases/devices.ts";
import { entryCases } from "./cases/entry.ts";
import { interruptCases } from "./cases/interrupts.ts";
import { memoryCases } from "./cases/memory.ts";
import { stopCases } from "./cases/stops.ts";
import type { GroupedCase } from "./encode.ts";
import type { StopCase, TeeKind } from "./table.ts";

/** One guest runs all of these, one after another. */
export const FIRST_GROUP = 0;
export const GUEST_MEMORY_MIB = 32;

export interface Cases {
  readonly all: readonly GroupedCase[];
  /** A guest each; the group of `stops[n]` is n + 1. */
  readonly stops: readonly StopCase[];
}

export function casesOf(kind: TeeKind): Cases {
  const lasting = [
    ...entryCases(kind, GUEST_MEMORY_MIB),
    ...deviceCases(kind),
    ...memoryCases(kind),
    ...callCases(kind),
    ...interruptCases(kind),
  ].map((row) => ({ ...row, group: FIRST_GROUP }));
  const stops = stopCases(kind);
  const ending = stops.map((row, index) => ({ ...row, group: FIRST_GROUP + 1 + index }));
  return { all: [...lasting, ...ending], stops };
}
