// The language of this folder: a register is a name, how it is reached, and its fields. Everything else (constants
// for firmware and assembly, the decoder, docs/registers.md) is made from these descriptions.

export interface Field {
  readonly high: number;
  readonly low: number;
  readonly meaning: string;
  /** Names of values, unshifted. */
  readonly values?: Readonly<Record<string, bigint>>;
  /** Lies inside another field, and has a name only for the constants. */
  readonly isPart?: boolean;
}

/** Operands of MRS and MSR (register). */
export interface SystemEncoding {
  readonly op0: number;
  readonly op1: number;
  readonly crn: number;
  readonly crm: number;
  readonly op2: number;
}

export interface Register {
  readonly name: string;
  readonly title: string;
  /** A system register's operands; absent for layouts that are not a register (an ISS, a descriptor). */
  readonly encoding?: SystemEncoding;
  /** A device register's offset from the device's base. */
  readonly offset?: number;
  /** What constants are named after: ICH_LR_EL2 for each of ICH_LR0_EL2 to ICH_LR15_EL2. */
  readonly family: string;
  /** Firmware only takes values apart (a syndrome): named values are compared after a shift, so stay unshifted. */
  readonly isSyndrome: boolean;
  readonly fields: Readonly<Record<string, Field>>;
  /** 32 or 64. */
  readonly width: number;
}

export type Fields = Readonly<Record<string, Field>>;
type Values = Readonly<Record<string, number | bigint>>;

export function bits(high: number, low: number, meaning: string, values?: Values): Field {
  if (high < low || high > 63 || low < 0) throw new Error(`bits ${high}:${low} are no range`);
  if (values === undefined) return { high, low, meaning };
  const named = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, BigInt(value)]));
  for (const [name, value] of Object.entries(named)) {
    if (value >> BigInt(high - low + 1) !== 0n)
      throw new Error(`value ${name} does not fit bits ${high}:${low}`);
  }
  return { high, low, meaning, values: named };
}

export function bit(position: number, meaning: string): Field {
  return bits(position, position, meaning);
}

/** A named piece of a field that is described already. */
export function part(high: number, low: number, meaning: string): Field {
  return { ...bits(high, low, meaning), isPart: true };
}

/** `at(3, 4, 1, 1, 0)`: op0, op1, CRn, CRm, op2. */
export function at(op0: number, op1: number, crn: number, crm: number, op2: number): SystemEncoding {
  return { op0, op1, crn, crm, op2 };
}

export function register(
  name: string,
  title: string,
  encoding: SystemEncoding,
  fields: Fields = {},
  family = name,
): Register {
  return checked({ name, title, encoding, fields, family, isSyndrome: false, width: 64 });
}

/** A layout without a register of its own: an ISS, a descriptor. */
export function layout(name: string, title: string, fields: Fields): Register {
  return checked({ name, title, fields, family: name, isSyndrome: false, width: 64 });
}

export function deviceRegister(
  name: string,
  title: string,
  offset: number,
  fields: Fields = {},
  width = 32,
): Register {
  return checked({ name, title, offset, fields, family: name, isSyndrome: false, width });
}

function checked(description: Register): Register {
  let taken = 0n;
  for (const [field, { high, low, isPart }] of Object.entries(description.fields)) {
    if (isPart) continue;
    const mask = maskOf({ high, low });
    if ((taken & mask) !== 0n) throw new Error(`${description.name}.${field} overlaps another field`);
    if (high >= description.width) throw new Error(`${description.name}.${field} lies beyond the register`);
    taken |= mask;
  }
  return description;
}

export function valueNamed(field: Field, name: string): bigint {
  const value = field.values?.[name];
  if (value === undefined) throw new Error(`no value is called ${name} here`);
  return value;
}

/** In place. */
export function maskOf({ high, low }: Pick<Field, "high" | "low">): bigint {
  return ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
}

/** `S3_4_C1_C1_0`: assemblers take it whether they know the register or not. */
export function encodingName({ op0, op1, crn, crm, op2 }: SystemEncoding): string {
  return `S${op0}_${op1}_C${crn}_C${crm}_${op2}`;
}
