// Descriptions → named constants. A single bit FIELD gives REG_FIELD, its mask in place. A wider one gives
// REG_FIELD_SHIFT, _WIDTH and _MASK (in place). A named value gives REG_FIELD_VALUE: in place, to be or-ed into a
// register or descriptor; only syndromes (ESR_ELx and its ISS), which are taken apart, have them unshifted.

import { maskOf, type Register } from "./describe.ts";
import type { Instruction } from "./instructions.ts";

export interface Constant {
  name: string;
  type: "u32" | "u64";
  value: bigint;
  comment: string;
}

/** System registers and descriptors are u64 in the firmware; devices' registers have their own width. */
function typeOf(register: Register): "u32" | "u64" {
  return register.offset !== undefined && register.width === 32 ? "u32" : "u64";
}

export function registerConstants(register: Register): Constant[] {
  const type = typeOf(register);
  const constants: Constant[] = [];
  if (register.offset !== undefined) {
    constants.push({
      name: register.name,
      type: "u32",
      value: BigInt(register.offset),
      comment: register.title,
    });
  }
  for (const [fieldName, field] of Object.entries(register.fields)) {
    const name = `${register.family}_${fieldName}`;
    const value = maskOf(field);
    const comment = field.meaning;
    if (field.high === field.low) {
      constants.push({ name, type, value, comment });
    } else {
      constants.push({ name: `${name}_SHIFT`, type, value: BigInt(field.low), comment });
      constants.push({ name: `${name}_WIDTH`, type, value: BigInt(field.high - field.low + 1), comment: "" });
      constants.push({ name: `${name}_MASK`, type, value, comment: "" });
    }
    for (const [valueName, named] of Object.entries(field.values ?? {})) {
      const placed = register.isSyndrome ? named : named << BigInt(field.low);
      constants.push({ name: `${name}_${valueName}`, type, value: placed, comment: "" });
    }
  }
  return constants;
}

export function instructionConstants(instructions: readonly Instruction[]): Constant[] {
  return instructions.flatMap(({ name, assembly, mask, match, fields }) => [
    { name: `INSTRUCTION_${name}`, type: "u32" as const, value: BigInt(match >>> 0), comment: assembly },
    { name: `INSTRUCTION_${name}_MATCH_MASK`, type: "u32" as const, value: BigInt(mask >>> 0), comment: "" },
    ...Object.entries(fields).flatMap(([field, range]) => [
      {
        name: `INSTRUCTION_${name}_${field}_SHIFT`,
        type: "u32" as const,
        value: BigInt(range.low),
        comment: range.meaning,
      },
      {
        name: `INSTRUCTION_${name}_${field}_WIDTH`,
        type: "u32" as const,
        value: BigInt(range.high - range.low + 1),
        comment: "",
      },
      { name: `INSTRUCTION_${name}_${field}_MASK`, type: "u32" as const, value: maskOf(range), comment: "" },
      ...Object.entries(range.values ?? {}).map(([valueName, value]) => ({
        name: `INSTRUCTION_${name}_${field}_${valueName}`,
        type: "u32" as const,
        value: value << BigInt(range.low),
        comment: "",
      })),
    ]),
  ]);
}

export function numberConstants(
  numbers: Readonly<Record<string, number | bigint>>,
  type: "u32" | "u64",
): Constant[] {
  return Object.entries(numbers).map(([name, value]) => ({ name, type, value: BigInt(value), comment: "" }));
}

/** Registers of one family repeat its named values; a name with two values is a mistake in a description. */
export function unique(constants: readonly Constant[]): Constant[] {
  const byName = new Map<string, Constant>();
  for (const constant of constants) {
    const known = byName.get(constant.name);
    if (known !== undefined && known.value !== constant.value) {
      throw new Error(`${constant.name} is both ${known.value} and ${constant.value}`);
    }
    if (known === undefined) byName.set(constant.name, constant);
  }
  return [...byName.values()];
}
