// Guests that a toolstack has given a name: their identity stands in their device tree.

import { encodeDeviceTree } from "../../host/formats/fdt.ts";
import { MachineCheck } from "../machine/errors.ts";
import { aGuestTree } from "./guest-trees.ts";
import type { Lab } from "./lab.ts";
import type { VirtualMachine } from "./virtual-machine.ts";

const RAM_IPA = 0x40000000;
const RAM_MIB = 4;
const TREE_OFFSET = 0x300000;

/** 32 bytes that begin with a number. */
export function anIdentity(value: number): Uint8Array {
  return new Uint8Array(32).fill(value, 0, 1).fill(0x1d, 1);
}

/** A VM with that name that has not run. */
export function aNamedVm(lab: Lab, identity: Uint8Array): VirtualMachine {
  const vm = lab.aVm({ ramMib: RAM_MIB });
  const memory = [BigInt(RAM_IPA), BigInt(RAM_MIB) << 20n];
  const passthrough = { "vtz,guest-identity": Buffer.from(identity) };
  const tree = encodeDeviceTree(aGuestTree({ chosen: {}, memory, passthrough }));
  lab.machine.memory.load(vm.ramPa + TREE_OFFSET, tree);
  vm.vcpus[0]!.x[0] = BigInt(RAM_IPA + TREE_OFFSET);
  return vm;
}

/** Its TEE has booted on `core`; it is at its first instruction. */
export function aNamedGuest(lab: Lab, identity: Uint8Array, core = 0): VirtualMachine {
  const vm = aNamedVm(lab, identity);
  lab.runVcpu(vm.vcpus[0]!, core);
  lab.tee(core).entryDone();
  if (!lab.fetch(lab.core(core))) throw new MachineCheck("the guest does not start");
  return vm;
}
