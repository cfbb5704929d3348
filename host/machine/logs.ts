// Where a machine's logs lie in its folder.

import { join } from "node:path";
import { UserError } from "../errors.ts";
import { guestPorts } from "../images/ports.ts";
import { fileName, NORMAL_UART_LOG, SECURE_UART_LOG } from "../qemu/command-line.ts";
import { QEMU_ERROR_LOG } from "../qemu/launch.ts";
import { machineFolder, readState } from "./state.ts";

const FILES: Record<string, string> = {
  xen: NORMAL_UART_LOG,
  dom0: NORMAL_UART_LOG,
  tee: SECURE_UART_LOG,
  qemu: QEMU_ERROR_LOG,
};
export const LOG_NAMES = Object.keys(FILES);

/** The file and the byte in it where the log begins: a slot's file goes on from guest to guest. */
export async function logPlace(machine: string, what: string): Promise<{ path: string; start: number }> {
  const folder = machineFolder(machine);
  const file = FILES[what];
  if (file !== undefined) return { path: join(folder, file), start: 0 };
  // A machine's logs stay until it is started again: also those of one that has ended can be read.
  const guests = (await readState(machine))?.guests ?? [];
  const guest = guests.find(({ name }) => name === what);
  if (guest !== undefined) {
    return { path: join(folder, fileName(guestPorts(guest.slot).log)), start: guest.logStart };
  }
  const known = [...LOG_NAMES, "events", ...guests.map(({ name }) => name)];
  throw new UserError("no-log", `no log “${what}”`, `one of: ${known.join(" ")}`);
}
