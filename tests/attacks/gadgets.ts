// Instructions in the hypervisor's own text that an attacker who can jump anywhere may use: one is found by its form, its registers are set,
// and it is executed alone.

import { fieldOf, type Instruction, instruction, isInstruction } from "../../arm/instructions.ts";
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
const RT: Instruction["fields"] = instruction("MSR").fields;

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

  has(accepts: (word: number, va: bigint) => boolean): boolean {
    return this.#words.some(({ word, va }) => accepts(word, va));
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

  /** `stxr ws, xt, [xn]` or `stlxr`. */
  stxr(): StoreGadget {
    const form = store("STXR");
    const registersOf = (word: number) => ["RN", "RT", "RS"].map((field) => fieldOf(word, form, field));
    const gadget = this.find("stxr", (word) => isInstruction(word, form) && usable(registersOf(word)));
    const [base, source] = registersOf(gadget.word);
    return { ...gadget, base: base!, sources: [source!], offset: 0n };
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

  /** `msr REGISTER, xt`, by the word for x0. */
  msr(name: string, wordForX0: number): Gadget & { source: number } {
    const gadget = this.find(`msr ${name}`, (word) => (word & ~0x1f) >>> 0 === wordForX0 >>> 0);
    return { ...gadget, source: rt(gadget.word) };
  }
}

const LDR: Instruction = {
  name: "LDR",
  assembly: "ldr xt, [xn]",
  mask: 0xfffffc00,
  match: 0xf9400000,
  fields: store("STR_OFFSET").fields,
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
  return (word >>> RT["RT"]!.low) & ZERO_REGISTER;
}

/** Different general registers, so that each can be chosen. */
function usable(registers: readonly number[]): boolean {
  return new Set(registers).size === registers.length && !registers.includes(ZERO_REGISTER);
}
