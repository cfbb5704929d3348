// How a run on the model machine ends early: the monitor says so itself, or it does what the machine does not allow.

import * as fs from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../../host/paths.ts";

/** The monitor has called `fatal`. */
export class Epitaph extends Error {
  readonly code: number;
  readonly a: bigint;
  readonly b: bigint;

  constructor(code: number, a: bigint, b: bigint) {
    super(`${fatalName(code)}: 0x${a.toString(16)} 0x${b.toString(16)}`);
    this.name = "Epitaph";
    this.code = code;
    this.a = a;
    this.b = b;
  }
}

/** The monitor, or a test's driver, did what the machine cannot do: an external abort, a wrong lock, an undefined access. */
export class MachineCheck extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MachineCheck";
  }
}

/** A core would wait for a lock that another one holds, which does not run here (Machine.interleavesLocked). */
export class WouldWait extends Error {
  constructor(index: number, holder: number) {
    super(`lock ${index} is held by core ${holder}`);
    this.name = "WouldWait";
  }
}

/** FATAL_* of the monitor by number. */
export function fatalCodes(): Map<string, number> {
  const text = fs.readFileSync(join(projectFolder, "abi/epitaph.ts"), "utf8");
  return new Map(
    [...text.matchAll(/export const (FATAL_\w+): u32 = (\d+)/g)].map(([, name, code]) => [
      name!,
      Number(code),
    ]),
  );
}

function fatalName(code: number): string {
  return [...fatalCodes()].find(([, value]) => value === code)?.[0] ?? `FATAL ${code}`;
}
