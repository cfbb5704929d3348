// One command at a time changes a machine.

import { withLock } from "../file-lock.ts";
import { machineFolder } from "./state.ts";

export function lockPath(name: string): string {
  return `${machineFolder(name)}.lock`;
}

export function withMachineLock<T>(name: string, action: () => Promise<T>): Promise<T> {
  return withLock(lockPath(name), action, { waitMs: 10_000, doing: `changing machine “${name}”` });
}
