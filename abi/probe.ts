// What a probe guest can ask of a probe TEE (el1/probe-tee), and what it finds in front of its own image. A call is an
// SMC of the trusted OS's range, fast or yielding, whose low half names the command; x1…x7 are its arguments, x0…x3 its
// answer.

export const PROBE_FAST_CALL: u32 = 0xb2000000;
export const PROBE_YIELDING_CALL: u32 = 0x32000000;
export const PROBE_COMMAND_MASK: u32 = 0xffff;

// x1 = an instruction's word, which is executed with x2…x7 in its x0…x5. Answers: 0, or 1 if it caused an exception; x0
// and x1 behind it; ESR_EL1 of the exception.
export const PROBE_EXECUTE: u32 = 1;
// x1 = ticks to be spent, x2 = what is let through meanwhile (MSR DAIFClr: 2 IRQ, 1 FIQ). Answers: 0; ticks that it took;
// timer's and foreign interrupts that were taken meanwhile.
export const PROBE_LOOP: u32 = 2;
// x1 = 0 TVAL, 1 CTL, 2 CVAL of the timer that the profile gives it. Answers: 0; the value.
export const PROBE_READ_TIMER: u32 = 3;
export const PROBE_WRITE_TIMER: u32 = 4; // … x2 = value
// x1 = how often it waits for its timer, x2 = ticks of each time, x3 = 1: every other time by WFI. Answers: how often its
// clock said too little; timer's and foreign interrupts; how often its clock said more than twice as much.
export const PROBE_ROUNDS: u32 = 5;
// Answers, and forgets: timer's interrupts, foreign ones, times that it was entered for one; the last INTID.
export const PROBE_COUNTERS: u32 = 6;
// x1 = 0…30: x<n> when it was booted; PROBE_ENTRY_*. Answers: 0; the value.
export const PROBE_ENTRY: u32 = 7;
// x1 = ASCII, lowest byte first: on its UART, a line.
export const PROBE_PRINT: u32 = 8;
// x1 = an instruction's word, x2 = its x0: executed when the TEE is entered for an interrupt the next time.
export const PROBE_AT_INTERRUPT: u32 = 9;
// Anything else answers PROBE_HERE, x0 of the call, PROBE_BY_*, the TEE core.
export const PROBE_HERE: u32 = 0x626f7270; // "prob"

export const PROBE_ENTRY_SCTLR: u32 = 31;
export const PROBE_ENTRY_PSTATE: u32 = 32; // CurrentEL, DAIF and SPSel, or-ed

export const PROBE_BY_YIELDING: u32 = 0;
export const PROBE_BY_FAST: u32 = 1;
export const PROBE_BY_RESUMING: u32 = 2;

// At this offset of the probe guest's image lies its order, which the host fills in: which cases it runs, and what its TEE
// executes when it boots, before the guest has. PROBE_ORDER_VALID must stand there, else the TEE just boots.
export const PROBE_ORDER_OFFSET: u32 = 0x40;
export const PROBE_ORDER_MAGIC: u32 = 0x00; // u32
export const PROBE_ORDER_GROUP: u32 = 0x04; // u32
export const PROBE_ORDER_WORD: u32 = 0x08; // u64, an instruction, 0 = none
export const PROBE_ORDER_X0: u32 = 0x10; // u64
export const PROBE_ORDER_X1: u32 = 0x18; // u64
export const PROBE_ORDER_SIZE: u32 = 0x20;
export const PROBE_ORDER_VALID: u32 = 0x5244524f; // "ORDR"
