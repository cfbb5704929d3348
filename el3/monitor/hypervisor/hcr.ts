// What HCR_EL2 must be while a normal world may run. Arm ARM, D19.2.48.

import {
  HCR_EL2_CD,
  HCR_EL2_E2H,
  HCR_EL2_ID,
  HCR_EL2_TGE,
  HCR_EL2_TSC,
  HCR_EL2_VM,
} from "../arm/registers.gen";

/** EL1 as a guest of EL2, and EL2 itself without VHE: else other registers and other tables would count. */
export const HCR_FORBIDDEN: u64 = HCR_EL2_TGE | HCR_EL2_E2H;

/** SMCs of a guest trapped by the hypervisor; walks, loads and fetches past the caches through which EL3 writes the tables. */
const HCR_CLEARED: u64 = HCR_EL2_TSC | HCR_EL2_CD | HCR_EL2_ID;

/** Stage 2 is never off, nor past the caches, and a guest's SMC is one exception, straight to EL3. */
export function enforcedHcr(value: u64): u64 {
  return (value & ~HCR_CLEARED) | HCR_EL2_VM;
}
