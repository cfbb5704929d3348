// Interrupts of both worlds (docs/guest-tee-abi.md, "Interrupts" and "Timer"). Ticks are those of 62.5 MHz.

import { TEE_GICD_IPA } from "../../../abi/memory-map.ts";
import * as probe from "../../../abi/probe.ts";
import * as abi from "../../../abi/probe-cases.ts";
import { PROBE_FOREIGN_INTID } from "../profiles.ts";
import {
  between,
  type Case,
  call,
  fast,
  is,
  low32,
  period,
  readsRegister,
  run,
  type Step,
  type TeeKind,
  teeReadsTimer,
  teeWrites,
  teeWritesTimer,
  timer,
  wait,
  writes,
  writesRegister,
  yielding,
} from "../table.ts";
import { LET_BOTH, LET_IRQ, MASK_IRQ, UNMASK_IRQ } from "../words.ts";
import { deviceOffset } from "./devices.ts";

const MS = 62_500;
const ENABLE = 1;
const IMASK = 2;
const ISTATUS = 4;
const FAR_AWAY = 0x1000_0000;
const NEVER = 0x4000_0000_0000_0000n; // QEMU 7.2 hangs where this and CNTVOFF_EL2 exceed 64 bits
const INTID_VIRTUAL_TIMER = 27;

/** The SPI of a resume TEE's profile, in the TEE's distributor. */
const FOREIGN_BIT = 1 << (PROBE_FOREIGN_INTID % 32);
const foreignWordOf = (name: string) =>
  TEE_GICD_IPA + deviceOffset(name) + Math.floor(PROBE_FOREIGN_INTID / 32) * 4;
const GICD_ISENABLER_IPA = foreignWordOf("GICD_ISENABLER");
const GICD_ICENABLER_IPA = foreignWordOf("GICD_ICENABLER");

// The virtual GIC that the hypervisor gives a guest (xen/include/public/arch-arm.h, GUEST_GICV3_*).
const GICD_CTLR_IPA = 0x03001000;
const GICD_CTLR_ENABLE_GROUP1 = 2;
const GICR_IPA = 0x03020000;
const GICR_WAKER_IPA = GICR_IPA + 0x14;
const GICR_ISENABLER0_IPA = GICR_IPA + 0x10100;

const GUEST_INTERRUPTS_ON: readonly Step[] = [
  writesRegister("ICC_SRE_EL1", 7),
  writes(GICD_CTLR_IPA, GICD_CTLR_ENABLE_GROUP1),
  writes(GICR_WAKER_IPA, 0),
  writes(GICR_ISENABLER0_IPA, 2 ** INTID_VIRTUAL_TIMER),
  writesRegister("ICC_PMR_EL1", 0xff),
  writesRegister("ICC_IGRPEN1_EL1", 1),
];

const guestTimer = (ticks: number): Step[] => [
  writesRegister("CNTV_TVAL_EL0", ticks),
  writesRegister("CNTV_CTL_EL0", ENABLE),
];
const teeTimer = (ticks: number): Step[] => [
  teeWritesTimer(timer.TVAL, ticks),
  teeWritesTimer(timer.CTL, ENABLE),
];
/** Its timer interrupts the guest again and again while `steps` are done. */
const withGuestTimer = (steps: readonly Step[]): Step[] => [
  period(7 * MS),
  ...guestTimer(7 * MS),
  run(UNMASK_IRQ),
  ...steps,
  run(MASK_IRQ),
  period(0),
  writesRegister("CNTV_CTL_EL0", 0),
];
const counters = (...checks: Parameters<typeof call>[2]) => call(fast(probe.PROBE_COUNTERS), [], checks);
const [TIMERS, FOREIGN, ENTRIES] = [0, 1, 2];
const loops = (fid: number, ticks: number, lets: number, ...checks: Parameters<typeof call>[2]) =>
  // The normal world's clock goes on meanwhile, whosever timer the virtual one is.
  call(fid, [ticks, lets], [is(0, 0), between(1, ticks), between(abi.CHECK_OF_TICKS, ticks), ...checks]);

function timerCases(kind: TeeKind): Case[] {
  return [
    {
      name: "the timer's CVAL is what was written, its TVAL what is left",
      steps: [
        teeWritesTimer(timer.CTL, 0),
        teeWritesTimer(timer.CVAL, NEVER),
        teeReadsTimer(timer.CVAL, is(1, NEVER)),
        teeWritesTimer(timer.CVAL, 12345),
        teeReadsTimer(timer.CVAL, is(1, 12345)),
        teeWritesTimer(timer.TVAL, FAR_AWAY),
        teeReadsTimer(timer.TVAL, between(1, FAR_AWAY / 2, FAR_AWAY)),
        teeReadsTimer(timer.CVAL, between(1, FAR_AWAY)),
      ],
    },
    {
      name: "the timer's CTL keeps ENABLE and IMASK, and says whether it is due",
      steps: [
        teeWritesTimer(timer.TVAL, FAR_AWAY),
        teeWritesTimer(timer.CTL, ENABLE),
        teeReadsTimer(timer.CTL, is(1, ENABLE)),
        teeWritesTimer(timer.CTL, ENABLE | IMASK),
        teeReadsTimer(timer.CTL, is(1, ENABLE | IMASK)),
        teeWritesTimer(timer.CVAL, 0),
        teeReadsTimer(timer.CTL, is(1, ENABLE | IMASK | ISTATUS)),
        teeWritesTimer(timer.CTL, 0),
        teeReadsTimer(timer.CTL, is(1, 0, 3n)),
      ],
    },
    {
      name: "the timer interrupts the TEE while it runs",
      steps: [
        counters(),
        call(yielding(probe.PROBE_ROUNDS), [1, MS, 0], [is(0, 0), is(1, 1)]),
        counters(is(TIMERS, 1)),
      ],
    },
    {
      name: "the timer's interrupt waits while the TEE masks it",
      steps: [
        counters(),
        ...teeTimer(0),
        loops(fast(probe.PROBE_LOOP), 2 * MS, 0, is(2, 0)),
        loops(fast(probe.PROBE_LOOP), 2 * MS, LET_IRQ, is(2, kind === "vector" ? 1 : 0)),
        teeWritesTimer(timer.CTL, 0),
      ],
    },
    {
      name: "the timer that is off or masked does not interrupt",
      steps: [
        counters(),
        teeWritesTimer(timer.TVAL, 0),
        teeWritesTimer(timer.CTL, ENABLE | IMASK),
        loops(yielding(probe.PROBE_LOOP), 2 * MS, LET_BOTH, is(2, 0)),
        teeWritesTimer(timer.CTL, 0),
        loops(yielding(probe.PROBE_LOOP), 2 * MS, LET_BOTH, is(2, 0)),
        counters(is(TIMERS, 0), is(ENTRIES, 0)),
      ],
    },
    {
      name: "the TEE is entered for its timer while its normal world runs",
      steps: [
        counters(),
        // The clock of the virtual timer stands still while the TEE is away.
        ...teeTimer(kind === "vector" ? 20 * MS : 0),
        wait(100 * MS),
        counters(is(TIMERS, 1), is(ENTRIES, 1)),
      ],
    },
  ];
}

function foreignCases(kind: TeeKind): Case[] {
  const interrupted = [between(abi.CHECK_OF_INTERRUPTS, 1), between(abi.CHECK_OF_INTERRUPTED, 1)];
  return [
    {
      name: "the interrupts of both worlds are on",
      steps: [...GUEST_INTERRUPTS_ON, teeWrites(GICD_ISENABLER_IPA, FOREIGN_BIT)],
    },
    {
      name: "the normal world's timer is as it was behind a call, whatever the TEE did with its own",
      steps: [
        writesRegister("CNTV_CVAL_EL0", NEVER),
        writesRegister("CNTV_CTL_EL0", ENABLE | IMASK),
        ...teeTimer(0),
        loops(fast(probe.PROBE_LOOP), MS, LET_IRQ),
        readsRegister("CNTV_CVAL_EL0", NEVER),
        readsRegister("CNTV_CTL_EL0", ENABLE | IMASK),
        writesRegister("CNTV_CTL_EL0", 0),
        teeWritesTimer(timer.CTL, 0),
      ],
    },
    {
      name: "the normal world's interrupt is taken during a call that yields to it",
      steps: withGuestTimer([
        loops(yielding(probe.PROBE_LOOP), 50 * MS, LET_BOTH, between(3, 1), ...interrupted),
      ]),
    },
    {
      name: "the normal world's interrupt is taken during a call that does not: the TEE is preempted",
      steps: [
        counters(),
        ...withGuestTimer([loops(fast(probe.PROBE_LOOP), 200 * MS, 0, is(3, 0), ...interrupted)]),
        counters(is(FOREIGN, 0)),
      ],
    },
    {
      name: "a TEE that has its foreign interrupt off hears of none, and is taken off the core",
      steps: [
        // One that was pending when it was switched off still comes.
        teeWrites(GICD_ICENABLER_IPA, FOREIGN_BIT),
        ...withGuestTimer([
          loops(
            yielding(probe.PROBE_LOOP),
            200 * MS,
            kind === "resume" ? LET_BOTH : LET_IRQ, // of the vector kind it is an FIQ
            between(3, 0, 1),
            ...interrupted,
          ),
        ]),
        teeWrites(GICD_ISENABLER_IPA, FOREIGN_BIT),
      ],
    },
    {
      name: "a TEE that waits for its timer again and again has a clock that goes right",
      steps: withGuestTimer([
        call(
          yielding(probe.PROBE_ROUNDS),
          [ROUNDS, 5 * MS, kind === "resume" ? 1 : 0],
          [is(0, 0), is(1, ROUNDS), between(2, 1), ...interrupted],
        ),
      ]),
    },
    {
      name: "the normal world's last interrupt was its timer's",
      steps: [run(MASK_IRQ, [], [low32(abi.CHECK_OF_INTID, INTID_VIRTUAL_TIMER)])],
    },
  ];
}

const ROUNDS = 40;

export function interruptCases(kind: TeeKind): Case[] {
  return [...timerCases(kind), ...foreignCases(kind)];
}
