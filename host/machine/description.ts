// A machine as `vtz ps` lists it: what the host has recorded, and what the monitor says of each guest's TEE.

import { UserError } from "../errors.ts";
import { GUEST_TEE_SIZE } from "./ram-layout.ts";
import { type GuestState, type MachineState, machineFolder } from "./state.ts";
import type { GuestStatus, MonitorStatus } from "./status.ts";

export interface MachineDescription extends Omit<MachineState, "version" | "process" | "guests"> {
  readonly pid: number;
  readonly folder: string;
  readonly poolFree?: number;
  readonly guests: readonly GuestDescription[];
}

export interface GuestDescription extends GuestState {
  /** What the monitor says of the guest's TEE. */
  readonly tee?: GuestStatus;
}

export function describeMachine(state: MachineState, status: MonitorStatus | undefined): MachineDescription {
  const { version: _, process: identity, guests, ...rest } = state;
  const described = guests.map((guest) => {
    const tee = status?.guests.find(({ id }) => id === guest.teeId);
    return tee === undefined ? guest : { ...guest, tee };
  });
  const pool = status === undefined ? {} : { poolFree: status.poolFree };
  return { ...rest, pid: identity.pid, folder: machineFolder(state.name), ...pool, guests: described };
}

export function refuseFullPool(status: MonitorStatus | undefined): void {
  if (status === undefined || status.poolFree >= GUEST_TEE_SIZE) return;
  const count = status.poolTotal / GUEST_TEE_SIZE;
  throw new UserError(
    "pool-full",
    `the pool holds the TEEs of ${count} guests, and all are taken`,
    "end a guest with `vtz down GUEST`, or start the machine with a larger --pool",
  );
}
