// What the monitor must know of each TEE kernel that a guest can have: data, no code (design, section 5).
// The words are those of abi/boot-package.ts; the host writes them into the boot package as a TEE row.

import {
  CLOCK_STOPS,
  ENTRY_KIND_VECTOR,
  FOREIGN_VFIQ,
  TIMER_CNTPS,
  WFI_FAULTS,
} from "../../abi/boot-package.ts";

/** What Linux finds below /firmware in its device tree. */
export interface TeeNode {
  readonly name: string;
  readonly compatible: string;
  readonly method: string;
}

export interface TeeProfile {
  readonly name: string;
  readonly loadIpa: number;
  readonly entryIpa: number;
  readonly entryKind: number;
  readonly coreCount: number;
  readonly timer: number;
  readonly foreignInterrupt: number;
  readonly foreignIntid: number;
  /** Secure-timer instructions that the monitor must find in the image; any other number refuses it. */
  readonly adaptedSites: number;
  readonly wfi: number;
  readonly clock: number;
  /** Bits cleared in the answer to OPTEE_SMC_EXCHANGE_CAPABILITIES. */
  readonly hiddenCapabilities: number;
  /** Whether it finds a device tree in x2. */
  readonly hasDeviceTree: boolean;
  /** A TEE without one is not looked for by its guest's Linux. */
  readonly node?: TeeNode;
}

/** Linux: Documentation/devicetree/bindings/arm/firmware/linaro,optee-tz.yaml. */
export const OPTEE_NODE: TeeNode = { name: "optee", compatible: "linaro,optee-tz", method: "smc" };

// OPTEE_SMC_SEC_CAP_ASYNC_NOTIF: its interrupt 219 is not an interrupt that a Xen guest has.
const ASYNC_NOTIFICATIONS = 0x20;
// OPTEE_SMC_SEC_CAP_HAVE_RESERVED_SHM: the window at 0x42000000 lies in the middle of a Xen guest's kernel.
const RESERVED_SHARED_MEMORY = 0x01;

const debianOptee = {
  loadIpa: 0x0e100000,
  entryIpa: 0x0e100000,
  entryKind: ENTRY_KIND_VECTOR,
  coreCount: 4,
  timer: TIMER_CNTPS,
  foreignInterrupt: FOREIGN_VFIQ,
  foreignIntid: 0,
  adaptedSites: 3,
  wfi: WFI_FAULTS,
  clock: CLOCK_STOPS,
  hiddenCapabilities: ASYNC_NOTIFICATIONS | RESERVED_SHARED_MEMORY,
  hasDeviceTree: true,
  node: OPTEE_NODE,
} as const;

export const TEE_PROFILES = {
  "optee-4.5": { name: "optee-4.5", ...debianOptee },
  "optee-4.10": { name: "optee-4.10", ...debianOptee },
} as const satisfies Record<string, TeeProfile>;

export type TeeName = keyof typeof TEE_PROFILES;
export const TEE_NAMES = Object.keys(TEE_PROFILES) as TeeName[];
