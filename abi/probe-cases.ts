// The cases of a probe guest, as they lie behind its image: written by the host (tests/probe/encode.ts) from one table in
// TypeScript, interpreted by the guest (el1/probe-guest). Little-endian, everything a multiple of 8 bytes.
//
//   table   CASES_MAGIC u32, number of cases u32, cases
//   case    CASE_* words, its name in ASCII, padded; steps
//   step    STEP_* words, x0…x7 (STEP_X0 on), checks
//   check   CHECK_* words

/** Of the part of the image that the table lies in. */
export const CASES_SIZE: u32 = 0x00080000;
export const CASES_MAGIC: u32 = 0x45534143; // "CASE"
export const CASES_FIRST: u32 = 0x08;

export const CASE_SIZE: u32 = 0x00; // u32, up to the next one
export const CASE_GROUP: u32 = 0x04; // u32, only those of PROBE_ORDER_GROUP run
export const CASE_STEPS: u32 = 0x08; // u32
export const CASE_NAME_SIZE: u32 = 0x0c; // u32
export const CASE_NAME: u32 = 0x10;

export const STEP_KIND: u32 = 0x00; // u32, STEP_RUN…
export const STEP_WORD: u32 = 0x04; // u32, the instruction
export const STEP_CHECKS: u32 = 0x08; // u32, how many
export const STEP_X0: u32 = 0x10; // u64 × 8; x8…x30 have a pattern of their own
export const STEP_HEADER_SIZE: u32 = 0x50;

export const STEP_RUN: u32 = 0; // executes the instruction
export const STEP_START: u32 = 1; // … on vCPU 1, and goes on meanwhile; checks are those of STEP_JOIN
export const STEP_JOIN: u32 = 2; // waits for vCPU 1: what is checked is its
export const STEP_WAIT: u32 = 3; // x0 ticks of the virtual counter
export const STEP_PERIOD: u32 = 4; // its timer, when it has interrupted, is set again to x0 ticks, 0 = off

export const CHECK_SOURCE: u32 = 0x00; // u32: 0…30 x<n> behind the instruction, or CHECK_OF_*
export const CHECK_MASK: u32 = 0x08; // u64
export const CHECK_LOW: u32 = 0x10; // u64: the masked value is not below this
export const CHECK_HIGH: u32 = 0x18; // u64: … nor above this
export const CHECK_WORDS_SIZE: u32 = 0x20;

export const CHECK_OF_OUTCOME: u32 = 32; // 0, or 1 if the instruction caused an exception
export const CHECK_OF_ESR: u32 = 33;
export const CHECK_OF_FAR: u32 = 34;
export const CHECK_OF_CHANGED: u32 = 35; // bit n: x<n> is not what it was before
export const CHECK_OF_INTERRUPTS: u32 = 36; // taken during this step
export const CHECK_OF_INTERRUPTED: u32 = 37; // … with the instruction itself for their return address
export const CHECK_OF_TICKS: u32 = 38; // that the step took
export const CHECK_OF_INTID: u32 = 39; // the last interrupt's
