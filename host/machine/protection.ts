// What the monitor says of the hypervisor: whether it is deprivileged, and what it has attempted since.

import type { Machine } from "./machine.ts";
import type { MonitorStatus, ProtectionStatus } from "./status.ts";

/** Undefined before lockdown, and on a machine without the monitor. */
export async function protectionOf(machine: Machine): Promise<ProtectionStatus | undefined> {
  const status = await machine.status();
  return isLockedDown(status) ? status.protection : undefined;
}

function isLockedDown(status: MonitorStatus | undefined): status is MonitorStatus {
  return status !== undefined && status.protection.textPages > 0;
}

export function describeProtection(protection: ProtectionStatus): string {
  const { hardenedSites, textPages, stage1Tables } = protection;
  return `hypervisor deprivileged: ${hardenedSites} sites, ${textPages} executable pages, ${stage1Tables} table pages`;
}

/** Debian's Xen attempts nothing that is refused: an attempt is a fault of the monitor's, or an attack. */
export function protectionProblem(protection: ProtectionStatus | undefined): string | undefined {
  if (protection === undefined) return "the hypervisor is not deprivileged";
  if (protection.violations === 0) return undefined;
  return `the monitor refused ${protection.violations} acts of the hypervisor (vtz logs events)`;
}
