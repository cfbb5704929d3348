// Boots of the whole machine with xtest in all guests at once, as data.

import type { TeeName } from "../../el1/tees/profiles.ts";
import { QUICK_CASES } from "../../host/machine/trial.ts";

export interface BootRow {
  readonly name: string;
  readonly tee: TeeName;
  readonly guestCount: number;
  /** xtest's whole default suite; only with `vtz test --full`. */
  readonly isFull: boolean;
  readonly cases?: readonly string[];
  readonly limitMinutes: number;
}

/** The demo's cases, and those that take a little longer: large TAs, storage, sessions from many threads. */
const LARGER = [
  ...QUICK_CASES,
  "regression_1008",
  "regression_1010",
  "regression_1013",
  "regression_6012",
  "pkcs11_1003",
];

/** For hosts that are slow or do other things: `VTZ_TIME_SCALE=3 vtz test`. */
const { VTZ_TIME_SCALE = "1" } = process.env;
export const timeScale = Number(VTZ_TIME_SCALE);

export const BOOT_ROWS: readonly BootRow[] = [
  {
    name: "two guests, OP-TEE 4.5, a selection",
    tee: "optee-4.5",
    guestCount: 2,
    isFull: false,
    cases: LARGER,
    limitMinutes: 25,
  },
  {
    name: "two guests, OP-TEE 4.10, a selection",
    tee: "optee-4.10",
    guestCount: 2,
    isFull: false,
    limitMinutes: 25,
  },
  {
    name: "two guests, OP-TEE 4.5, everything",
    tee: "optee-4.5",
    guestCount: 2,
    isFull: true,
    limitMinutes: 150,
  },
  {
    name: "two guests, OP-TEE 4.10, everything",
    tee: "optee-4.10",
    guestCount: 2,
    isFull: true,
    limitMinutes: 150,
  },
];
