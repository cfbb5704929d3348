// Who reaches what (docs/guest-tee-abi.md, "Memory").

import {
  NORMAL_RAM_IPA,
  TEE_GICD_IPA,
  TEE_GICR_IPA,
  TEE_RAM_IPA,
  TEE_RAM_SIZE,
  TEE_UART_IPA,
} from "../../../abi/memory-map.ts";
import {
  type Case,
  cannot,
  EC_INSTRUCTION_ABORT,
  EC_UNKNOWN,
  failsWith,
  is,
  reads,
  run,
  type TeeKind,
  teeFails,
  teeIsThere,
  teeReads,
  teeRuns,
  teeWrites,
  writes,
} from "../table.ts";
import * as words from "../words.ts";

/** Behind the guest's image, not used by anybody. */
const SHARED_IPA = NORMAL_RAM_IPA + 0x800000;
/** In the TEE's RAM, behind its image. */
const SECRET_IPA = TEE_RAM_IPA + 0x800000;
const LAST_WORD_IPA = TEE_RAM_IPA + TEE_RAM_SIZE - 8;
const PATTERN = 0x1122_3344_5566_7788n;
const OTHER = 0x99aa_bbcc_ddee_ff00n;
const WIDTHS: readonly words.Width[] = [1, 2, 4, 8];
const EC_SVC = 0x15n;

const maskOf = (width: words.Width) => (1n << BigInt(width * 8)) - 1n;

export function memoryCases(_kind: TeeKind): Case[] {
  return [
    {
      name: "a TEE reads and writes its own RAM, up to the last word",
      steps: [SECRET_IPA, LAST_WORD_IPA, TEE_RAM_IPA + 0x80000].flatMap((ipa) => [
        teeReads(ipa, 0, 8),
        teeWrites(ipa, PATTERN, 8),
        teeReads(ipa, PATTERN, 8),
      ]),
    },
    {
      name: "a TEE reads what its normal world has written, in every width",
      steps: WIDTHS.flatMap((width) => [
        writes(SHARED_IPA, PATTERN, 8),
        teeReads(SHARED_IPA, PATTERN & maskOf(width), width),
      ]),
    },
    {
      name: "the normal world reads what its TEE has written, in every width",
      steps: WIDTHS.flatMap((width) => [
        writes(SHARED_IPA, OTHER, 8),
        teeWrites(SHARED_IPA, PATTERN & maskOf(width), width),
        reads(SHARED_IPA, (OTHER & ~maskOf(width)) | (PATTERN & maskOf(width)), 8),
      ]),
    },
    {
      name: "the normal world cannot read its TEE's RAM",
      steps: [TEE_RAM_IPA, TEE_RAM_IPA + 0x100000, SECRET_IPA, LAST_WORD_IPA].flatMap((ipa) =>
        WIDTHS.map((width) => cannot(words.loadWord(width), ipa)),
      ),
    },
    {
      name: "the normal world cannot write its TEE's RAM",
      steps: [
        teeWrites(SECRET_IPA, PATTERN, 8),
        ...WIDTHS.map((width) => cannot(words.storeWord(width), SECRET_IPA)),
        teeReads(SECRET_IPA, PATTERN, 8),
        teeIsThere,
      ],
    },
    {
      name: "the normal world cannot execute its TEE's RAM",
      steps: [run(words.BRANCH_X1, [0, TEE_RAM_IPA + 0x100000], failsWith(EC_INSTRUCTION_ABORT))],
    },
    {
      name: "the normal world cannot reach its TEE's UART and GIC",
      steps: [TEE_UART_IPA, TEE_GICD_IPA, TEE_GICR_IPA].flatMap((ipa) => [
        cannot(words.loadWord(4), ipa),
        cannot(words.storeWord(4), ipa),
      ]),
    },
    {
      name: "a TEE takes its own exceptions",
      steps: [
        teeFails(words.UNDEFINED, [], EC_UNKNOWN),
        teeFails(words.SVC, [], EC_SVC),
        teeRuns(words.NOP, [PATTERN], PATTERN),
      ],
    },
    {
      name: "the normal world takes its own exceptions",
      steps: [run(words.UNDEFINED, [], failsWith(EC_UNKNOWN)), run(words.NOP, [PATTERN], [is(0, PATTERN)])],
    },
  ];
}
