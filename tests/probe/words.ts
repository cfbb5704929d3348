// Instructions of the probe's cases, as words. Operands are always x0 (data) and x1 (address), unless a name says more.
// Arm ARM C6.2, C7.2.

import { encode } from "../../arm/instructions.ts";
import { findRegister } from "../../arm/registers.ts";

export type Width = 1 | 2 | 4 | 8;

/** LDR{B,H,,} and STR{B,H,,} (immediate, unsigned offset): size in 31:30, opc in 23:22, Rn in 9:5, Rt in 4:0. */
const UNSIGNED_OFFSET = 0x39000020;
const SIZE_SHIFT = 30;
const OPC_LOAD = 1 << 22;
const OPC_LOAD_SIGNED_64 = 2 << 22;
const sizeOf = (width: Width) => Math.log2(width) * 2 ** SIZE_SHIFT;

export const loadWord = (width: Width) => UNSIGNED_OFFSET + OPC_LOAD + sizeOf(width);
/** LDRSB, LDRSH, LDRSW into x0. */
export const loadSignedWord = (width: 1 | 2 | 4) => UNSIGNED_OFFSET + OPC_LOAD_SIGNED_64 + sizeOf(width);
export const storeWord = (width: Width) => UNSIGNED_OFFSET + sizeOf(width);
/** What the hardware does not describe: two registers, and a base that changes. */
export const LOAD_PAIR = 0xa9400820; // ldp x0, x2, [x1]
export const STORE_PAIR = 0xa9000820; // stp x0, x2, [x1]
export const STORE_POST_INDEX = 0xb8004420; // str w0, [x1], #4

export const SMC = encode("SMC", { IMM16: 0 });
export const HVC = encode("HVC", { IMM16: 0 });
export const SVC = encode("SVC", { IMM16: 0 });
export const NOP = encode("NOP", {});
export const WFI = encode("WFI", {});
export const BRANCH_X1 = 0xd61f0020; // br x1
export const UNDEFINED = 0x00000000; // udf #0

/** DAIFSet, DAIFClr of I (2) or F (1). */
const IRQ = 2;
export const MASK_IRQ = encode("MSR_IMMEDIATE", { OP1: 3, CRM: IRQ, OP2: 6 });
export const UNMASK_IRQ = encode("MSR_IMMEDIATE", { OP1: 3, CRM: IRQ, OP2: 7 });
export const LET_IRQ = IRQ;
export const LET_BOTH = 3;

export const readRegisterWord = (name: string) => encode("MRS", operandsOf(name));
export const writeRegisterWord = (name: string) => encode("MSR", operandsOf(name));

function operandsOf(name: string): Record<string, number> {
  const operands = findRegister(name)?.encoding;
  if (operands === undefined) throw new Error(`arm/registers.ts has no system register ${name}`);
  const { op0, op1, crn, crm, op2 } = operands;
  return { O0: op0 - 2, OP1: op1, CRN: crn, CRM: crm, OP2: op2 };
}

/** FMOV between x0 and a half of v<n>: D<n> (low), V<n>.D[1] (high). */
export const readVectorHalf = (n: number, isHigh: boolean) => (isHigh ? 0x9eae0000 : 0x9e660000) + n * 32;
export const writeVectorHalf = (n: number, isHigh: boolean) => (isHigh ? 0x9eaf0000 : 0x9e670000) + n;
export const VECTOR_COUNT = 32;
