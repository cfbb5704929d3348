// The virtio-serial ports of dom0, by name: one for its agent, three for each guest slot.

import { GUEST_SLOT_COUNT } from "./guest-config.ts";

export const DOM0_AGENT_PORT = "vtz.dom0";

export function guestPorts(slot: number): { agent: string; console: string; log: string } {
  return { agent: `vtz.agent.${slot}`, console: `vtz.console.${slot}`, log: `vtz.log.${slot}` };
}

export interface PortSpec {
  name: string;
  /** `socket`: a client may come and go; `file`: QEMU appends what the guest's console says. */
  kind: "socket" | "file";
}

export function allPorts(slotCount = GUEST_SLOT_COUNT): PortSpec[] {
  const ports: PortSpec[] = [{ name: DOM0_AGENT_PORT, kind: "socket" }];
  for (let slot = 0; slot < slotCount; slot++) {
    const { agent, console, log } = guestPorts(slot);
    ports.push(
      { name: agent, kind: "socket" },
      { name: console, kind: "socket" },
      { name: log, kind: "file" },
    );
  }
  return ports;
}
