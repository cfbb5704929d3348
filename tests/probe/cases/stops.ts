// What ends a TEE (docs/guest-tee-abi.md): a guest each, whose call is answered NOT_SUPPORTED, and every later one.

import {
  NORMAL_RAM_IPA,
  TEE_GICD_IPA,
  TEE_GICR_IPA,
  TEE_RAM_IPA,
  TEE_RAM_SIZE,
  TEE_UART_IPA,
} from "../../../abi/memory-map.ts";
import * as probe from "../../../abi/probe.ts";
import {
  FAULT_CALL,
  FAULT_CORE_ON,
  FAULT_EXCEPTION,
  FAULT_MEMORY,
  FAULT_PANIC,
} from "../../../abi/status.ts";
import * as tee from "../../../abi/tee.ts";
import {
  call,
  fast,
  is,
  MINUS_ONE,
  type Step,
  type StopCase,
  type TeeKind,
  teeIsGone,
  teeIsThere,
  teeRuns,
  teeWritesTimer,
  timer,
  type Value,
  wait,
} from "../table.ts";
import * as words from "../words.ts";

const MS = 62_500; // of the counter
const GICD_END_IPA = TEE_GICD_IPA + 0x10000;
const GICR_END_IPA = TEE_GICR_IPA + 4 * 0x20000;
const UART_END_IPA = TEE_UART_IPA + 0x1000;
const RAM_END_IPA = TEE_RAM_IPA + TEE_RAM_SIZE;
/** Far behind the memory of a guest as small as the probe. */
const NO_NORMAL_IPA = NORMAL_RAM_IPA + 0x20000000;

const stopsBy = (word: number, ...args: readonly Value[]): Step[] => [
  teeIsThere,
  call(fast(probe.PROBE_EXECUTE), [word, ...args], [is(0, MINUS_ONE)]),
  teeIsGone,
];

const memory = (name: string, word: number, ipa: number): StopCase => ({
  name,
  steps: stopsBy(word, 0, ipa),
  fault: { reason: FAULT_MEMORY, detail: BigInt(ipa) },
});
const exception = (name: string, word: number): StopCase => ({
  name,
  steps: stopsBy(word),
  fault: { reason: FAULT_EXCEPTION },
});
/** `x1` of the SMC is not 0, else a TEE core would count as up. */
const wrongCall = (name: string, x0: number, reason = FAULT_CALL): StopCase => ({
  name: `${name} during a call stops the TEE`,
  steps: stopsBy(words.SMC, x0, 1),
  fault: { reason, detail: reason === FAULT_CALL ? BigInt(x0) : 0n },
});
const wrongBoot = (name: string, x0: number, x1 = 1n, reason = FAULT_CALL): StopCase => ({
  name: `${name} before it is booted stops the TEE`,
  boot: { word: words.SMC, x0: BigInt(x0), x1 },
  steps: [teeIsGone],
  fault: { reason, detail: reason === FAULT_CALL ? BigInt(x0) : 0n },
});

/** Its timer is due while the normal world runs; there the clock of the virtual one stands still. */
const entersForTimer = (kind: TeeKind): Step[] => [
  teeWritesTimer(timer.TVAL, kind === "vector" ? 20 * MS : 0),
  teeWritesTimer(timer.CTL, 1),
  wait(100 * MS),
];
const atInterrupt = (kind: TeeKind, x0: number): Step[] => [
  call(fast(probe.PROBE_AT_INTERRUPT), [words.SMC, x0], [is(0, 0)]),
  ...entersForTimer(kind),
];
const wrongAtInterrupt = (kind: TeeKind, name: string, x0: number): StopCase => ({
  name: `${name} when it was entered for an interrupt stops the TEE`,
  steps: [...atInterrupt(kind, x0), teeIsGone],
  fault: { reason: FAULT_CALL, detail: BigInt(x0) },
});

export function stopCases(kind: TeeKind): StopCase[] {
  const load = words.loadWord(4);
  const store = words.storeWord(4);
  return [
    memory("a load from address 0 stops the TEE", load, 0),
    memory("a store behind its distributor stops the TEE", store, GICD_END_IPA),
    memory("a load behind its redistributors stops the TEE", load, GICR_END_IPA),
    memory("a store behind its UART stops the TEE", store, UART_END_IPA),
    memory("a load below its RAM stops the TEE", load, TEE_RAM_IPA - 4),
    memory("a store behind its RAM stops the TEE", store, RAM_END_IPA),
    memory("a load where the normal world has no memory stops the TEE", load, NO_NORMAL_IPA),
    memory("a load of a pair from a device stops the TEE", words.LOAD_PAIR, TEE_GICD_IPA),
    memory(
      "a store with a base that changes to a device stops the TEE",
      words.STORE_POST_INDEX,
      TEE_UART_IPA,
    ),
    {
      ...exception("a jump to where nothing is stops the TEE", words.BRANCH_X1),
      steps: stopsBy(words.BRANCH_X1, 0, 0),
    },
    exception("HVC stops the TEE", words.HVC),
    exception("an SGI of a TEE stops it", words.writeRegisterWord("ICC_SGI1R_EL1")),
    kind === "vector"
      ? { name: "WFI does what the profile says", steps: stopsBy(words.WFI), fault: { reason: FAULT_PANIC } }
      : {
          name: "WFI does what the profile says",
          steps: [teeRuns(words.WFI, []), teeIsThere],
          fault: undefined,
        },
    wrongCall("ENTRY_DONE", tee.TEE_ENTRY_DONE),
    wrongCall("CPU_ON_DONE", tee.TEE_CPU_ON_DONE, FAULT_CORE_ON),
    wrongCall("INTERRUPT_DONE", tee.TEE_INTERRUPT_DONE),
    wrongCall("a return that has no meaning", tee.TEE_RETURN_VALUE + 2),
    wrongCall("the last return that has no meaning", tee.TEE_RETURN_VALUE + 0xe),
    wrongAtInterrupt(kind, "CALL_DONE", tee.TEE_CALL_DONE),
    wrongAtInterrupt(kind, "ENTRY_DONE", tee.TEE_ENTRY_DONE),
    {
      name: "a TEE that yields when it was entered for an interrupt goes on serving it",
      steps: [
        ...atInterrupt(kind, tee.TEE_YIELD),
        call(fast(probe.PROBE_COUNTERS), [], [is(0, 1), is(2, 1)]),
      ],
      fault: undefined,
    },
    wrongBoot("CALL_DONE", tee.TEE_CALL_DONE),
    wrongBoot("CPU_ON_DONE", tee.TEE_CPU_ON_DONE, 1n, FAULT_CORE_ON),
    wrongBoot("INTERRUPT_DONE", tee.TEE_INTERRUPT_DONE),
    wrongBoot("an ENTRY_DONE of the other kind", tee.TEE_ENTRY_DONE, kind === "vector" ? 0n : 1n),
    {
      name: "a load from address 0 before it is booted stops the TEE",
      boot: { word: load, x0: 0n, x1: 0n },
      steps: [teeIsGone],
      fault: { reason: FAULT_MEMORY, detail: 0n },
    },
    {
      name: "a TEE that yields before it is booted goes on booting",
      boot: { word: words.SMC, x0: BigInt(tee.TEE_YIELD) },
      steps: [teeIsThere],
      fault: undefined,
    },
  ];
}
