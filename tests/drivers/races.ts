// Two cores in the monitor at once. One core's whole exception is run in the middle of the other's, before each of its acts on the machine in
// turn (but where it would wait for a lock that the other holds): every such interleaving must end in a state without broken invariants.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { WouldWait } from "../machine/errors.ts";
import { brokenInvariants } from "./invariants.ts";
import { aLab, type Lab, type LabOptions } from "./lab.ts";

export interface Race {
  readonly name: string;
  readonly options?: LabOptions;
  /** Of acts of one kind, how many are tried, if not SAME_ACT_MAX. */
  readonly sameActMax?: number;
  /** Up to the moment before; returns what the two cores do. */
  readonly arrange: (lab: Lab) => { first: () => void; second: () => void };
  /** What must hold when both are through. */
  readonly judge: (lab: Lab) => void;
}

const COUNT_MAX = 20_000;
/** Long loops over memory are the same at every round: of those, only the first acts are tried. */
const SAME_ACT_MAX = 40;

type Round = "run" | "waits" | "no such act";

/** Runs `second` before the act number `at` of `first`. */
async function interleaved(
  { options, arrange, judge, sameActMax = SAME_ACT_MAX }: Race,
  at: number,
): Promise<Round> {
  const lab = await aLab(options);
  const { first, second } = arrange(lab);
  const seen = new Map<string, number>();
  let count = 0;
  let wasRun = false;
  lab.machine.interleavesLocked = true;
  lab.machine.interleave = (act) => {
    seen.set(act, (seen.get(act) ?? 0) + 1);
    if (seen.get(act)! > sameActMax) return;
    if (count++ !== at) return;
    lab.machine.interleave = undefined;
    wasRun = true;
    second();
  };
  try {
    first();
  } catch (error) {
    if (error instanceof WouldWait) return "waits";
    throw error;
  }
  lab.machine.interleave = undefined;
  if (!wasRun) return "no such act";
  assert.deepEqual(brokenInvariants(lab), [], `interleaved at act ${at}`);
  judge(lab);
  return "run";
}

export function raceSuite(name: string, races: readonly Race[]): void {
  suite(name, () => {
    for (const race of races) {
      test(race.name, async () => {
        let runs = 0;
        for (let at = 0; at < COUNT_MAX; at++) {
          const round = await interleaved(race, at);
          if (round === "no such act") break;
          if (round === "run") runs++;
        }
        assert(runs > 1 && runs < COUNT_MAX, `${runs} interleavings`);
      });
    }
  });
}
