// Why a guest's TEE has stopped, in words: the monitor's event of it, explained.

import * as abi from "../../abi/status.ts";
import { explainRefusal } from "./boot-refusals.ts";
import type { MonitorStatus } from "./status.ts";

const REASONS: Record<number, (detail: string) => string> = {
  [abi.FAULT_ADAPTED_SITES]: (count) =>
    `its image holds ${Number(count)} secure-timer instructions, not the number that its profile says`,
  [abi.FAULT_PANIC]: (elr) => `it has panicked (WFI at ${elr})`,
  [abi.FAULT_MEMORY]: (ipa) => `it touched ${ipa}, where there is nothing`,
  [abi.FAULT_EXCEPTION]: (esr) => `it caused an exception (see \`vtz decode ESR_EL2 ${esr}\`)`,
  [abi.FAULT_CALL]: (x0) => `it made the dispatcher's call ${x0} at the wrong moment`,
  [abi.FAULT_CORE_ON]: (core) => `its core ${Number(core)} did not come up`,
  [abi.FAULT_IMAGE]: (status) => `its image was refused: ${explainRefusal(Number(status))}`,
  [abi.FAULT_STUCK]: (elr) => `it did not leave although interrupts waited (at ${elr})`,
  [abi.FAULT_KEY_SITE]: (ipa) => `its image has other instructions at ${ipa} than where its key is to be put`,
  [abi.FAULT_MEMORY_LOST]: (pa) =>
    `Xen took back memory of the VM that it had turned secure (at ${pa}), as it does when the VM ends`,
  [abi.FAULT_KEY]: (result) => `no key could be derived for its guest (attestation compartment: ${result})`,
};

/** Undefined while the TEE is well. */
export function explainFault(
  status: MonitorStatus | undefined,
  teeId: number | undefined,
): string | undefined {
  const guest = status?.guests.find(({ id }) => id === teeId);
  if (guest?.state !== "faulted") return undefined;
  const event = status?.events.findLast(({ kind, guest: id }) => kind === "tee-faulted" && id === teeId);
  if (event === undefined) return "its TEE has stopped";
  const [code, detail] = event.arguments;
  const reason = REASONS[Number(code)]?.(detail) ?? `fault ${code}, ${detail}`;
  return `its TEE has stopped: ${reason}; see \`vtz logs tee\``;
}
