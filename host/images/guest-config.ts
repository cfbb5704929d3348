// The configuration of a guest for `xl create` (xl.cfg(5)), and the partial device tree that says which
// guest it is. A guest's slot chooses the host's ports that its consoles are connected to.

import { createHash } from "node:crypto";
import { UserError } from "../errors.ts";
import { aDeviceTreeNode } from "../formats/device-tree.ts";
import { encodeDeviceTree } from "../formats/fdt.ts";
import { GUEST_INITRD_PATH, GUEST_KERNEL_PATH } from "./initrds.ts";

export const GUEST_SLOT_COUNT = 8;

export interface GuestSpec {
  name: string;
  /** 0 … GUEST_SLOT_COUNT - 1. */
  slot: number;
  vcpuCount: number;
  memoryMib: number;
  /** Appended to the guest kernel's command line. */
  extra?: string;
  /** The guest's disk, /dev/xvda: a window, in bytes, of dom0's disk. */
  disk?: { start: number; size: number };
  /** A network card, on a bridge with dom0's and the other guests'. */
  hasNetwork?: boolean;
}

/** Paths in dom0 of one guest's files. */
export function guestFilePaths(name: string): { config: string; deviceTree: string } {
  return { config: `/run/vtz/${name}.cfg`, deviceTree: `/run/vtz/${name}.dtb` };
}

/** On QEMU's user network; dom0 is 10.0.2.15, QEMU itself 10.0.2.2. */
export function guestAddress(slot: number): string {
  return `10.0.2.${20 + slot}`;
}

export function guestConfig(spec: GuestSpec): string {
  checkSpec(spec);
  const { name, slot, hasNetwork = false } = spec;
  const kernelWords = ["console=ttyAMA0", `vtz.guest=${name}`];
  if (hasNetwork) kernelWords.push(`vtz.ip=${guestAddress(slot)}`);
  if (spec.extra !== undefined) kernelWords.push(spec.extra);
  const lines = [
    `name = "${spec.name}"`,
    `kernel = "${GUEST_KERNEL_PATH}"`,
    `ramdisk = "${GUEST_INITRD_PATH}"`,
    `vcpus = ${spec.vcpuCount}`,
    `memory = ${spec.memoryMib}`,
    // The kernel's console is the emulated UART; the PV console carries the agent's frames.
    'vuart = "sbsa_uart"',
    `extra = "${kernelWords.join(" ")}"`,
    // Left to itself libxl's `xl mem-set` stops at an assertion: it looks for the word in what it kept of this file.
    "acpi = 0",
    // A new domain would have other consoles than the relay knows.
    'on_reboot = "destroy"',
    'on_crash = "destroy"',
  ];
  // el1/dom0/window.pl makes the partition.
  if (spec.disk !== undefined) lines.push(`disk = ["phy:/dev/vda${slot + 1},xvda,w"]`);
  // 00:16:3e is Xen's own.
  if (hasNetwork)
    lines.push(`vif = ["bridge=xenbr0,mac=00:16:3e:00:00:${slot.toString(16).padStart(2, "0")}"]`);
  lines.push(`device_tree = "${guestFilePaths(spec.name).deviceTree}"`);
  return `${lines.join("\n")}\n`;
}

/** 32 bytes, the same for every guest of this name on every machine. */
export function guestIdentity(name: string): Uint8Array {
  return createHash("sha256").update(`vtz guest ${name}`).digest();
}

/** libxl copies /passthrough, with its properties, into the tree that it makes for the guest, and nothing else but /aliases. */
export function guestPartialDeviceTree(name: string): Uint8Array {
  const passthrough = aDeviceTreeNode("passthrough", { "vtz,guest-identity": guestIdentity(name) });
  const root = aDeviceTreeNode("", {}, [passthrough]);
  return encodeDeviceTree({ root, reservations: [], bootCpu: 0 });
}

function checkSpec(spec: GuestSpec): void {
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(spec.name)) {
    throw new UserError(
      "bad-guest-name",
      `a guest cannot be called ${JSON.stringify(spec.name)}`,
      "use a-z, 0-9 and -, beginning with a letter",
    );
  }
  if (!Number.isInteger(spec.slot) || spec.slot < 0 || spec.slot >= GUEST_SLOT_COUNT) {
    throw new UserError(
      "too-many-guests",
      `there is no slot ${spec.slot} for guest ${spec.name}`,
      `a machine has at most ${GUEST_SLOT_COUNT} guests`,
    );
  }
  if (!Number.isInteger(spec.vcpuCount) || spec.vcpuCount < 1 || spec.vcpuCount > 128) {
    throw new UserError(
      "bad-vcpus",
      `guest ${spec.name} cannot have ${spec.vcpuCount} vCPUs`,
      "give at least 1",
    );
  }
  if (!Number.isInteger(spec.memoryMib) || spec.memoryMib < 128) {
    throw new UserError(
      "bad-memory",
      `guest ${spec.name} cannot run in ${spec.memoryMib} MiB`,
      "give at least 128",
    );
  }
  if (/["\n]/.test(spec.extra ?? "")) {
    throw new UserError(
      "bad-extra",
      `the kernel command line of guest ${spec.name} has a quote or a line break`,
      "leave it out",
    );
  }
}
