// The second vCPU of the probe guest: started when it is first needed, executes one instruction at a time for the first one.

import { PSCI_CPU_ON_64_FID } from "../../abi/smccc";
import { FRAME_SIZE, runWith, setRegister } from "../kernel/frame";
import { loadAcquire32, run, sendEvent, storeRelease32, waitForEvent } from "../kernel/hw";
import { secondEntry } from "./hw";

const FRAME: usize = memory.data(FRAME_SIZE, 16);
const START_FRAME: usize = memory.data(FRAME_SIZE, 16);
const STATE: usize = memory.data(4, 4);

const OFF: u32 = 0;
const IDLE: u32 = 1;
const BUSY: u32 = 2;

const SMC_0: u32 = 0xd4000003;
const SECOND_VCPU: u64 = 1;

export function secondFrame(): usize {
  return FRAME;
}

/** Executes what stands in its frame. */
export function startSecond(): void {
  if (loadAcquire32(STATE) === OFF) {
    setRegister(START_FRAME, 2, secondEntry());
    setRegister(START_FRAME, 3, 0);
    storeRelease32(STATE, BUSY);
    runWith(START_FRAME, SMC_0, <u64>PSCI_CPU_ON_64_FID, SECOND_VCPU);
    return;
  }
  storeRelease32(STATE, BUSY);
  sendEvent();
}

/** Without a bound: the host has one for the whole run. */
export function joinSecond(): void {
  while (loadAcquire32(STATE) === BUSY) waitForEvent();
}

export function second(): void {
  for (;;) {
    while (loadAcquire32(STATE) !== BUSY) waitForEvent();
    run(FRAME);
    storeRelease32(STATE, IDLE);
    sendEvent();
  }
}
