// Replaces the hypervisor's writes of translation registers by calls of the monitor. AArch64 instructions are aligned
// words, so the set of sites is exact. The monitor does not trust this: it checks what it is asked.

import { HARDENED_REGISTER_SHIFT, HARDENED_RT_MASK, HARDENING_CALL } from "../../abi/hardening.ts";
import { encode, fieldOf, instruction, isInstruction } from "../../arm/instructions.ts";
import { findRegister } from "../../arm/registers.ts";
import { type HardeningRule, hardeningRules } from "../../el2/rules/translation-registers.ts";
import { UserError } from "../errors.ts";

export interface HardenedSite {
  /** In the image, in bytes. */
  offset: number;
  register: string;
  /** The general register that is written; 31 is XZR. */
  rt: number;
  original: number;
  replacement: number;
}

export interface HardenedXen {
  image: Uint8Array;
  sites: HardenedSite[];
  /** True when the image had been hardened before, and is what it was. */
  wasHardened: boolean;
}

const IMAGE_HEADER_SIZE = 64;
const IMAGE_MAGIC_OFFSET = 56;
const IMAGE_MAGIC = 0x644d5241; // "ARM\x64"
const SMC = instruction("SMC");

/** A copy with every site replaced, and the sites in the order of their offsets. */
export function hardenXen(image: Uint8Array): HardenedXen {
  checkImage(image);
  const hardened = image.slice();
  const words = new DataView(hardened.buffer, hardened.byteOffset, hardened.byteLength);
  const sites: HardenedSite[] = [];
  let replacedCount = 0;
  for (let offset = IMAGE_HEADER_SIZE; offset + 4 <= hardened.length; offset += 4) {
    const word = words.getUint32(offset, true);
    const rule = ruleFor(word);
    if (rule !== undefined) {
      const site = siteOf(offset, rule, word & HARDENED_RT_MASK);
      words.setUint32(offset, site.replacement, true);
      sites.push(site);
      replacedCount++;
    } else if (isCall(word)) {
      sites.push(knownSite(offset, word));
    }
  }
  if (sites.length === 0) {
    throw new UserError(
      "no-sites",
      "the image has no write of a translation register: it is not a hypervisor for AArch64",
      "give the Xen image itself, e.g. /boot/xen-4.20-arm64 of Debian's xen-hypervisor-4.20-arm64",
    );
  }
  return { image: hardened, sites, wasHardened: replacedCount === 0 };
}

function checkImage(image: Uint8Array): void {
  const words = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const isImage =
    image.length >= IMAGE_HEADER_SIZE && words.getUint32(IMAGE_MAGIC_OFFSET, true) === IMAGE_MAGIC;
  if (isImage) return;
  const isGzip = image[0] === 0x1f && image[1] === 0x8b;
  throw new UserError(
    "not-an-image",
    `this is not an arm64 Image${isGzip ? " but a gzip file" : " (its header has no ARM\\x64 at byte 56)"}`,
    isGzip ? "unpack it first: gunzip -c FILE > IMAGE" : "give a raw Image; `file IMAGE` tells what it is",
  );
}

const ruleOfWrite = new Map(hardeningRules.map((rule) => [writeOf(rule, 0), rule]));

function ruleFor(word: number): HardeningRule | undefined {
  return ruleOfWrite.get((word & ~HARDENED_RT_MASK) >>> 0);
}

/** `msr REGISTER, xRT`. */
function writeOf({ register }: HardeningRule, rt: number): number {
  const encoding = findRegister(register)?.encoding;
  if (encoding === undefined) throw new Error(`arm/registers.ts has no ${register}`);
  const { op0, op1, crn, crm, op2 } = encoding;
  return encode("MSR", { O0: op0 - 2, OP1: op1, CRN: crn, CRM: crm, OP2: op2, RT: rt });
}

function siteOf(offset: number, rule: HardeningRule, rt: number): HardenedSite {
  const imm16 = HARDENING_CALL | (rule.index << HARDENED_REGISTER_SHIFT) | rt;
  return {
    offset,
    register: rule.register,
    rt,
    original: writeOf(rule, rt),
    replacement: encode("SMC", { IMM16: imm16 }),
  };
}

function isCall(word: number): boolean {
  return isInstruction(word, SMC) && (fieldOf(word, SMC, "IMM16") & HARDENING_CALL) !== 0;
}

/** A call that stands there already: ours from an earlier run, or an image that nobody should boot. */
function knownSite(offset: number, word: number): HardenedSite {
  const imm16 = fieldOf(word, SMC, "IMM16");
  const index = (imm16 & ~HARDENING_CALL) >> HARDENED_REGISTER_SHIFT;
  const rule = hardeningRules.find((candidate) => candidate.index === index);
  if (rule === undefined) {
    throw new UserError(
      "foreign-call",
      `the image has an SMC of its own with an immediate of ours (#0x${imm16.toString(16)} at 0x${offset.toString(16)})`,
      "the monitor could not tell the two apart; this image cannot be hardened",
    );
  }
  return siteOf(offset, rule, imm16 & HARDENED_RT_MASK);
}
