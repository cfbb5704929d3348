// Reads a register's value by its description: `decode("ESR_EL3", 0x5e000000n)`. ESR's ISS is read by its class.

import type { Field, Register } from "./describe.ts";
import { deviceRegisters } from "./gic.ts";
import { descriptors } from "./page-tables.ts";
import { encodingName, findRegister, systemRegisters } from "./registers.ts";
import { type SyndromeKind, syndromeFields } from "./registers-exceptions.ts";
import { smmuLayouts, smmuRegisters } from "./smmu.ts";

const others: readonly Register[] = [...deviceRegisters, ...smmuRegisters, ...descriptors, ...smmuLayouts];

export interface DecodedField {
  field: string;
  high: number;
  low: number;
  value: bigint;
  meaning: string;
  /** The value's own name, where it has one. */
  named?: string;
  /** What the field consists of: ESR's ISS, by class. */
  parts?: DecodedField[];
}

export interface DecodedRegister {
  register: Register;
  value: bigint;
  fields: DecodedField[];
  /** Bits that are set and that no field describes. */
  undescribed: bigint;
  /** A sentence on the whole, for syndromes of trapped register accesses. */
  note?: string;
}

const SYNDROME_OF_CLASS: Readonly<Record<string, SyndromeKind>> = {
  WFX: "WFX",
  FP_TRAP: "FP",
  SVC64: "SMC",
  HVC64: "SMC",
  SMC64: "SMC",
  BRK64: "SMC",
  SYSTEM_REGISTER: "SYSTEM_REGISTER",
  INSTRUCTION_ABORT_LOWER: "INSTRUCTION_ABORT",
  INSTRUCTION_ABORT: "INSTRUCTION_ABORT",
  DATA_ABORT_LOWER: "DATA_ABORT",
  DATA_ABORT: "DATA_ABORT",
  SERROR: "SERROR",
};

/** All that has a name: system registers, device registers, structures in memory. */
export function describedNames(): string[] {
  return [...systemRegisters, ...others].map(({ name }) => name);
}

export class UnknownRegister extends Error {
  readonly suggestions: string[];

  constructor(name: string) {
    const wanted = name.toUpperCase();
    const suggestions = describedNames().filter((known) => isNear(wanted, known));
    super(`there is no register called ${name}`);
    this.suggestions = suggestions.slice(0, 8);
  }
}

/** `value` must fit the register. The name may be in any case. */
export function decode(name: string, value: bigint): DecodedRegister {
  const wanted = name.toUpperCase();
  const register = findRegister(wanted) ?? others.find((known) => known.name === wanted);
  if (register === undefined) throw new UnknownRegister(name);
  if (value < 0n || value >> BigInt(register.width) !== 0n) {
    throw new RangeError(`${register.name} has ${register.width} bits; 0x${value.toString(16)} does not fit`);
  }
  const fields = decodeFields(register.fields, value);
  const decoded: DecodedRegister = { register, value, fields, undescribed: undescribedBits(register, value) };
  return /^ESR_/.test(register.name) ? withSyndrome(decoded) : decoded;
}

function decodeFields(fields: Readonly<Record<string, Field>>, value: bigint): DecodedField[] {
  return Object.entries(fields)
    .filter(([, field]) => !field.isPart)
    .map(([name, field]) => decodeField(name, field, value))
    .sort((a, b) => b.high - a.high);
}

function decodeField(name: string, field: Field, whole: bigint): DecodedField {
  const { high, low, meaning } = field;
  const value = (whole >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);
  const decoded: DecodedField = { field: name, high, low, value, meaning };
  const named = Object.entries(field.values ?? {}).find(([, candidate]) => candidate === value);
  return named === undefined ? decoded : { ...decoded, named: named[0] };
}

/** A field that holds an address without its low bits is shown as the address. */
function shownValue({ field, low, value }: DecodedField): bigint {
  if (field === "BADDR") return value << BigInt(low);
  return field === "FIPA" ? value << 12n : value;
}

function undescribedBits(register: Register, value: bigint): bigint {
  if (Object.keys(register.fields).length === 0) return 0n;
  const described = Object.values(register.fields).reduce(
    (mask, { high, low }) => mask | (((1n << BigInt(high - low + 1)) - 1n) << BigInt(low)),
    0n,
  );
  return value & ~described;
}

function withSyndrome(decoded: DecodedRegister): DecodedRegister {
  const className = decoded.fields.find(({ field }) => field === "EC")?.named;
  const kind = className === undefined ? undefined : SYNDROME_OF_CLASS[className];
  if (kind === undefined) return decoded;
  const iss = decoded.fields.find(({ field }) => field === "ISS")!;
  const parts = decodeFields(syndromeFields(kind), iss.value);
  const fields = decoded.fields.map((field) => (field === iss ? { ...iss, parts } : field));
  const note = kind === "SYSTEM_REGISTER" ? accessNote(parts) : undefined;
  return note === undefined ? { ...decoded, fields } : { ...decoded, fields, note };
}

/** `mrs x3, ICC_IAR1_EL1` of a trapped access. */
function accessNote(parts: readonly DecodedField[]): string {
  const number = (name: string) => Number(parts.find(({ field }) => field === name)!.value);
  const encoding = {
    op0: number("OP0"),
    op1: number("OP1"),
    crn: number("CRN"),
    crm: number("CRM"),
    op2: number("OP2"),
  };
  const place = encodingName(encoding);
  const known = systemRegisters.find(({ encoding: own }) => own !== undefined && encodingName(own) === place);
  const name = known?.name ?? place;
  const rt = number("RT") === 31 ? "xzr" : `x${number("RT")}`;
  return number("READ") === 1 ? `mrs ${rt}, ${name}` : `msr ${name}, ${rt}`;
}

/** For people: a line a field that is not zero or has a name, and what is left over. */
export function decodeText(name: string, value: bigint): string {
  const { register, fields, undescribed, note } = decode(name, value);
  const digits = register.width / 4;
  const lines = [`${register.name} = 0x${value.toString(16).padStart(digits, "0")}  ${register.title}`];
  if (note !== undefined) lines.push(`  ${note}`);
  lines.push(...fields.flatMap((field) => fieldLines(field, "  ")));
  if (undescribed !== 0n) lines.push(`  0x${undescribed.toString(16)} are bits without a description here`);
  return lines.join("\n");
}

function fieldLines(decoded: DecodedField, indent: string): string[] {
  const { field, high, low, value, meaning, named, parts } = decoded;
  if (value === 0n && named === undefined && parts === undefined) return [];
  const place = high === low ? `${low}` : `${high}:${low}`;
  const shown =
    high === low ? "" : ` = 0x${shownValue(decoded).toString(16)}${named === undefined ? "" : ` ${named}`}`;
  const line = `${indent}${place.padStart(5)}  ${`${field}${shown}`.padEnd(34)} ${meaning}`;
  return [line.trimEnd(), ...(parts ?? []).flatMap((part) => fieldLines(part, `${indent}    `))];
}

function isNear(wanted: string, known: string): boolean {
  return (
    known.startsWith(wanted) ||
    known.includes(wanted) ||
    known.replace(/_EL\d$/, "") === wanted.replace(/_EL\d$/, "")
  );
}
