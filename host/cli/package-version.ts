// The version of a boot package as a user writes it: a whole number of 64 bits.

import { UserError } from "../errors.ts";

const VERSION_MAX = 2n ** 64n - 1n;

export function packageVersion(option: string, text: string): bigint {
  if (/^\d{1,20}$/.test(text) && BigInt(text) <= VERSION_MAX) return BigInt(text);
  throw new UserError("bad-option", `--${option} ${text}: not a whole number from 0 to ${VERSION_MAX}`);
}
