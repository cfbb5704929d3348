// What the boot tells evidence of the machine (attest/facts.ts): the monitor as it lies in flash, that what boots was
// verified, and who may debug it.

import { DBGSTAT_ENABLED } from "../../../abi/attestation";
import { DEVICE_PAGE_PA, MONITOR_TEXT_PA } from "../../../abi/memory-map";
import { FACTS_MONITOR } from "../attest/facts";
import { beginMeasurement, copyMeasurement, endMeasurement, measureRange } from "../measure/measurement";
import { machineFacts } from "../storage";
import { CoreArea } from "../worlds/core-area";

/** After package and images were accepted. What flash holds before the fuses, the compartments included, is the monitor. */
export function tellMachineFacts(core: CoreArea): void {
  beginMeasurement(core);
  measureRange(core, <u64>MONITOR_TEXT_PA, <u64>(DEVICE_PAGE_PA - MONITOR_TEXT_PA));
  endMeasurement(core);
  const facts = machineFacts();
  copyMeasurement(changetype<usize>(facts) + FACTS_MONITOR);
  facts.isBootVerified = 1;
  facts.debugStatus = DBGSTAT_ENABLED; // whoever owns the process that emulates the machine can stop it and look
}
