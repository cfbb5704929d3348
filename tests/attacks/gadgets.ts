// Instructions in the hypervisor's own text that an attacker who can jump anywhere may use: one is found by its form, its registers are set,
// and it is executed alone.

import {
  HARDENED_REGISTER_MASK,
  HARDENED_REGISTER_SHIFT,
  HARDENED_RT_MASK,
  HARDENING_CALL,
} from "../../abi/hardening.ts";
import {
  encode,
  fieldOf,
  type Instruction,
  instruction,
  isInstruction,
  systemAccessConstants,
} from "../../arm/instructions.ts";
import { findRegister } from "../../arm/registers.ts";
import { stores } from "../../arm/stores.ts";

export interface TextPage {
  readonly va: bigint;
  readonly bytes: Uint8Array;
}

export interface Gadget {
  readonly va: bigint;
  readonly word: number;
}

/** A gadget by which one value is stored at one address. */
export interface StoreGadget extends Gadget {
  readonly base: number;
  readonly sources: readonly number[];
  /** What is added to the base register. */
  readonly offset: bigint;
}

const INSTRUCTION_SIZE = 4;
const ZERO_REGISTER = 31;
const RT_MASK = systemAccessConstants.SYSTEM_ACCESS_RT_MASK;

function store(name: string): Instruction {
  const found = stores.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`arm/stores.ts has no ${name}`);
  return found;
}

export class Gadgets {
  readonly #words: Gadget[] = [];

  constructor(pages: readonly TextPage[]) {
    for (const { va, bytes } of pages) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let offset = 0; offset + INSTRUCTION_SIZE <= bytes.length; offset += INSTRUCTION_SIZE)
        this.#words.push({ va: va + BigInt(offset), word: view.getUint32(offset, true) });
    }
  }

  all(accepts: (word: number, va: bigint) => boolean): Gadget[] {
    return this.#words.filter(({ word, va }) => accepts(word, va));
  }

  /** The first one of that form. */
  find(what: string, accepts: (word: number, va: bigint) => boolean): Gadget {
    const found = this.#words.find(({ word, va }) => accepts(word, va));
    if (found === undefined) throw new Error(`the hypervisor's text holds no ${what}`);
    return found;
  }

  /** `smc #imm16`. */
  smc(imm16: number): Gadget {
    const smc = instruction("SMC");
    return this.find(
      `smc #0x${imm16.toString(16)}`,
      (word) => isSmc(word) && fieldOf(word, smc, "IMM16") === imm16,
    );
  }

  /** Immediates of all SMCs. */
  smcImmediates(): Set<number> {
    const smc = instruction("SMC");
    return new Set(this.all(isSmc).map(({ word }) => fieldOf(word, smc, "IMM16")));
  }

  /** `str rt, [xn, #imm]` of a width in bytes. */
  str(size: number): StoreGadget {
    const form = store("STR_OFFSET");
    const accepts = (word: number) =>
      isInstruction(word, form) &&
      1 << fieldOf(word, form, "SIZE") === size &&
      fieldOf(word, form, "IMM12") === 0 &&
      usable([fieldOf(word, form, "RN"), fieldOf(word, form, "RT")]);
    const gadget = this.find(`${size * 8}-bit str`, accepts);
    return {
      ...gadget,
      base: fieldOf(gadget.word, form, "RN"),
      sources: [fieldOf(gadget.word, form, "RT")],
      offset: 0n,
    };
  }

  /** `stp xt, xt2, [xn]`. */
  stp(): StoreGadget {
    const form = store("STP_OFFSET");
    const registersOf = (word: number) => ["RN", "RT", "RT2"].map((field) => fieldOf(word, form, field));
    const accepts = (word: number) =>
      isInstruction(word, form) &&
      fieldOf(word, form, "SF") === 1 &&
      fieldOf(word, form, "IMM7") === 0 &&
      usable(registersOf(word));
    const gadget = this.find("stp", accepts);
    const [base, ...sources] = registersOf(gadget.word);
    return { ...gadget, base: base!, sources, offset: 0n };
  }

  /** `ldxr rt, [xn]` and `stxr ws, rt, [xn]` of one width. */
  exclusivePair(): { load: Gadget & { base: number }; store: StoreGadget } {
    const form = store("STXR");
    const registersOf = (word: number) => ["RN", "RT", "RS"].map((field) => fieldOf(word, form, field));
    const stored = this.find("stxr", (word) => isInstruction(word, form) && usable(registersOf(word)));
    const size = fieldOf(stored.word, form, "SIZE");
    const loads = (word: number) =>
      isInstruction(word, LDXR) && fieldOf(word, form, "SIZE") === size && usable([rn(word), rt(word)]);
    const loaded = this.find("ldxr", loads);
    const [base, source] = registersOf(stored.word);
    return {
      load: { ...loaded, base: rn(loaded.word) },
      store: { ...stored, base: base!, sources: [source!], offset: 0n },
    };
  }

  /** `dc zva, xt`. */
  dcZva(): StoreGadget {
    const form = store("DC_ZVA");
    const gadget = this.find("dc zva", (word) => isInstruction(word, form));
    return { ...gadget, base: fieldOf(gadget.word, form, "RT"), sources: [], offset: 0n };
  }

  /** `ldr xt, [xn]`: the base register and the one that is loaded. */
  ldr(): Gadget & { base: number; target: number } {
    const accepts = (word: number) => isInstruction(word, LDR) && usable([rn(word), rt(word)]);
    const gadget = this.find("ldr", accepts);
    return { ...gadget, base: rn(gadget.word), target: rt(gadget.word) };
  }

  /** `stp qt, qt2, [xn]`: a store that no general register feeds. */
  stpQ(): StoreGadget {
    const gadget = this.find(
      "stp of SIMD registers",
      (word) => isInstruction(word, STP_Q) && rn(word) !== 31,
    );
    return { ...gadget, base: rn(gadget.word), sources: [], offset: 0n };
  }

  /** `msr REGISTER, xt`. */
  msr(name: string): Gadget & { source: number } {
    const { op0, op1, crn, crm, op2 } = findRegister(name)!.encoding!;
    const forX0 = encode("MSR", { O0: op0 - 2, OP1: op1, CRN: crn, CRM: crm, OP2: op2, RT: 0 });
    const gadget = this.find(`msr ${name}`, (word) => (word & ~RT_MASK) >>> 0 === forX0);
    return { ...gadget, source: rt(gadget.word) };
  }

  /** The replaced write of a register (HARDENED_*): where it stands, its immediate and the register that it takes. */
  hardened(index: number): Gadget & { imm16: number; source: number } {
    const smc = instruction("SMC");
    const calls = (word: number) => {
      const imm16 = isSmc(word) ? fieldOf(word, smc, "IMM16") : 0;
      const isOfRegister = ((imm16 >>> HARDENED_REGISTER_SHIFT) & HARDENED_REGISTER_MASK) === index;
      return (imm16 & HARDENING_CALL) !== 0 && isOfRegister && (imm16 & HARDENED_RT_MASK) !== ZERO_REGISTER;
    };
    const gadget = this.find(`replaced write of register ${index}`, calls);
    const imm16 = fieldOf(gadget.word, smc, "IMM16");
    return { ...gadget, imm16, source: imm16 & HARDENED_RT_MASK };
  }

  eret(): Gadget {
    return this.find("eret", (word) => isInstruction(word, instruction("ERET")));
  }
}

const LDR: Instruction = {
  name: "LDR",
  assembly: "ldr xt, [xn]",
  mask: 0xfffffc00,
  match: 0xf9400000,
  fields: store("STR_OFFSET").fields,
};
/** Also LDAXR. */
const LDXR: Instruction = {
  name: "LDXR",
  assembly: "ldxr, ldaxr rt, [xn]",
  mask: 0x3fff7c00,
  match: 0x085f7c00,
  fields: store("STXR").fields,
};
/** Signed offset 0. */
const STP_Q: Instruction = {
  name: "STP_Q",
  assembly: "stp qt, qt2, [xn]",
  mask: 0xffff8000,
  match: 0xad000000,
  fields: store("STP_OFFSET").fields,
};

function isSmc(word: number): boolean {
  return isInstruction(word, instruction("SMC"));
}

function rn(word: number): number {
  return fieldOf(word, LDR, "RN");
}

function rt(word: number): number {
  return word & RT_MASK;
}

/** Different general registers, so that each can be chosen. */
function usable(registers: readonly number[]): boolean {
  return new Set(registers).size === registers.length && !registers.includes(ZERO_REGISTER);
}
