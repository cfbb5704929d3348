// The compartments: what each is given, and what it is allowed. The one place; the build makes the table of secure flash
// from it. None imports anything, so what a compartment can do is to answer its caller. A row's place is its number.

import { COMPARTMENT_WINDOW_SIZE } from "../abi/compartments.ts";

export interface CompartmentRow {
  readonly name: string;
  /** Its module; exports `call` and nothing else that is a function. */
  readonly entry: string;
  /** Pages of 4 KiB of its linear memory, the message page included. */
  readonly memoryPages: number;
  /** How much a call can lend it in single pages, in MiB; whole blocks of 2 MiB cost nothing. */
  readonly lentPagesMib: number;
  /** Whether its memory lives on between calls, or each call begins anew. */
  readonly keepsState: boolean;
  /** How long a call may take, in milliseconds. */
  readonly boundMs: number;
}

export const LENT_MIB_MAX: number = COMPARTMENT_WINDOW_SIZE >> 20;

export const COMPARTMENTS: readonly CompartmentRow[] = [
  {
    name: "random",
    entry: "sel0/random/main.ts",
    memoryPages: 8,
    lentPagesMib: 0,
    keepsState: true,
    boundMs: 1000,
  },
  {
    name: "boot",
    entry: "sel0/boot/main.ts",
    memoryPages: 8,
    lentPagesMib: 64, // a package as large as flash
    keepsState: true,
    boundMs: 10_000, // 2 MiB are hashed at a time, on whatever host emulates it
  },
  {
    name: "guest-boot",
    entry: "sel0/guest-boot/main.ts",
    memoryPages: 20,
    lentPagesMib: 2,
    keepsState: false,
    boundMs: 1000,
  },
  {
    name: "attest",
    entry: "sel0/attest/main.ts",
    memoryPages: 10,
    lentPagesMib: 0,
    keepsState: true,
    boundMs: 1000,
  },
  {
    name: "devices",
    entry: "sel0/devices/main.ts",
    memoryPages: 2,
    lentPagesMib: 0,
    keepsState: false,
    boundMs: 1000,
  },
];

/** For tests of the boundaries themselves. */
export const MISBEHAVING: CompartmentRow = {
  name: "misbehaving",
  entry: "sel0/misbehaving/main.ts",
  memoryPages: 4,
  lentPagesMib: 4,
  keepsState: true,
  boundMs: 300,
};
