// The state in which a core of a TEE starts: EL1h, MMU and caches off, everything masked, as a trusted OS is started
// by firmware.

import { ICH_VMCR_EL2_VENG1, ICH_VMCR_EL2_VPMR_SHIFT, SCTLR_EL1_RES1 } from "../arm/registers.gen";
import { SPSR_EL1H_MASKED } from "../arm/values";
import { initialiseRedistributor } from "../devices/secure-gic";
import { Guest } from "../guests/guest";
import { El1Context } from "./el1-context";
import { clearRegisters } from "./exception-frame";
import { gicContextOf } from "./gic-interface";
import { TEE_CORE_OFF, TEE_CORE_STARTING, TeeCore } from "./tee-core";
import { frameOf, WORLD_EL1 } from "./world-context";

const VPMR_ALL: u64 = 0xf8;

/** The record is zero. Firmware leaves the CPU interface open: group 1 enabled, no priority masked. */
export function initialiseTeeCore(teeCore: TeeCore, guest: Guest, index: u32): void {
  teeCore.guest = guest;
  teeCore.index = index;
  teeCore.activity = TEE_CORE_OFF;
  gicContextOf(teeCore).vmcr = ICH_VMCR_EL2_VENG1 | (VPMR_ALL << ICH_VMCR_EL2_VPMR_SHIFT);
  initialiseRedistributor(guest, teeCore);
}

/** `entryVa` is an address with the MMU off. x2 carries the device tree, or 0. */
export function startTeeCore(teeCore: TeeCore, entryVa: u64, deviceTreeIpa: u64): void {
  const frame = frameOf(changetype<usize>(teeCore));
  clearRegisters(frame);
  frame.x2 = deviceTreeIpa;
  frame.elrEl3 = entryVa;
  frame.spsrEl3 = SPSR_EL1H_MASKED;
  changetype<El1Context>(changetype<usize>(teeCore) + WORLD_EL1).sctlrEl1 = SCTLR_EL1_RES1;
  teeCore.activity = TEE_CORE_STARTING;
}
