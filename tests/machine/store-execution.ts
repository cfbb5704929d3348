// Stores of general registers as a core executes them, read from the manual once more (Arm ARM, C4.1.94 and C6.2) and not from the
// monitor's decoder, which the tests compare with this one. And the assembler for them.

import { stores } from "../../arm/stores.ts";

/** What one instruction stores: values of `size` bytes each, one after another from `va` on. */
export interface StoreEffect {
  readonly va: bigint;
  readonly size: 1 | 2 | 4 | 8;
  readonly values: readonly bigint[];
  /** The base register afterwards, where it changes. */
  readonly writeBack?: { readonly register: number; readonly value: bigint };
}

export type ReadRegister = (index: number) => bigint;

const ZERO_BLOCK_SIZE = 64n;
const SIZES = [1, 2, 4, 8] as const;

const field = (instruction: number, high: number, low: number): number =>
  (instruction >>> low) & (2 ** (high - low + 1) - 1);

const signed = (value: number, width: number): bigint => BigInt.asIntN(width, BigInt(value));

const address = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Undefined for everything that is no store of general registers. `sp` is register 31 as a base. */
export function storeEffect(instruction: number, x: ReadRegister, sp: bigint): StoreEffect | undefined {
  const rt = field(instruction, 4, 0);
  const read = (index: number) => (index === 31 ? 0n : x(index));
  if ((instruction & 0xffffffe0) >>> 0 === 0xd50b7420) {
    const va = read(rt) - (read(rt) % ZERO_BLOCK_SIZE);
    return { va, size: 8, values: Array.from({ length: 8 }, () => 0n) };
  }
  const rn = field(instruction, 9, 5);
  const base = rn === 31 ? sp : x(rn);
  if ((instruction & 0x3ffffc00) === 0x089ffc00)
    return { va: base, size: SIZES[field(instruction, 31, 30)]!, values: [read(rt)] };
  if (field(instruction, 26, 26) !== 0) return undefined; // FP and SIMD
  if (field(instruction, 29, 27) === 5) return pair(instruction, base, rn, read);
  if (field(instruction, 29, 27) === 7 && field(instruction, 23, 22) === 0)
    return single(instruction, base, rn, read);
  return undefined;
}

function pair(instruction: number, base: bigint, rn: number, read: ReadRegister): StoreEffect | undefined {
  const isLoad = field(instruction, 22, 22) !== 0;
  const opc = field(instruction, 31, 30);
  if (isLoad || (opc !== 0 && opc !== 2)) return undefined;
  const size = opc === 2 ? 8 : 4;
  const moved = address(base + signed(field(instruction, 21, 15), 7) * BigInt(size));
  const values = [read(field(instruction, 4, 0)), read(field(instruction, 14, 10))];
  switch (field(instruction, 25, 23)) {
    case 0:
    case 2:
      return { va: moved, size, values };
    case 1:
      return { va: base, size, values, writeBack: { register: rn, value: moved } };
    case 3:
      return { va: moved, size, values, writeBack: { register: rn, value: moved } };
    default:
      return undefined;
  }
}

function single(instruction: number, base: bigint, rn: number, read: ReadRegister): StoreEffect | undefined {
  const size = SIZES[field(instruction, 31, 30)]!;
  const values = [read(field(instruction, 4, 0))];
  if (field(instruction, 25, 24) === 1)
    return { va: address(base + BigInt(field(instruction, 21, 10) * size)), size, values };
  if (field(instruction, 25, 24) !== 0) return undefined;
  const moved = address(base + signed(field(instruction, 20, 12), 9));
  const isRegister = field(instruction, 21, 21) !== 0;
  switch (field(instruction, 11, 10)) {
    case 0:
      return isRegister ? undefined : { va: moved, size, values };
    case 1:
      return isRegister ? undefined : { va: base, size, values, writeBack: { register: rn, value: moved } };
    case 2:
      if (isRegister) return registerOffset(instruction, base, size, values, read);
      return { va: moved, size, values }; // STTR: at EL2 a plain store
    default:
      return isRegister ? undefined : { va: moved, size, values, writeBack: { register: rn, value: moved } };
  }
}

function registerOffset(
  instruction: number,
  base: bigint,
  size: 1 | 2 | 4 | 8,
  values: readonly bigint[],
  read: ReadRegister,
): StoreEffect | undefined {
  const register = read(field(instruction, 20, 16));
  const extended = [
    undefined,
    undefined,
    BigInt.asUintN(32, register),
    register,
    undefined,
    undefined,
    BigInt.asIntN(32, register),
    register,
  ][field(instruction, 15, 13)];
  if (extended === undefined) return undefined;
  const scale = field(instruction, 12, 12) !== 0 ? BigInt(size) : 1n;
  return { va: address(base + extended * scale), size, values };
}

/** An instruction of arm/stores.ts with these fields. */
export function assembleStore(name: string, fields: Readonly<Record<string, number>>): number {
  const found = stores.find((store) => store.name === name);
  if (found === undefined) throw new Error(`arm/stores.ts has no ${name}`);
  let word = found.match;
  for (const [key, value] of Object.entries(fields)) {
    const { high, low } = found.fields[key]!;
    word |= (value & (2 ** (high - low + 1) - 1)) << low;
  }
  return word >>> 0;
}
