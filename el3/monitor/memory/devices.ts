// Device pages that no translation of the hypervisor or of a guest may name, since whoever programs them reaches memory past every table.

import { FW_CFG_PA, FW_CFG_SIZE, SMMU_PA, SMMU_SIZE } from "../../../abi/memory-map";

function overlaps(pa: u64, size: u64, devicePa: u64, deviceSize: u64): bool {
  return pa < devicePa + deviceSize && devicePa < pa + size;
}

export function isForbiddenDevice(pa: u64, size: u64): bool {
  return (
    overlaps(pa, size, <u64>FW_CFG_PA, <u64>FW_CFG_SIZE) || overlaps(pa, size, <u64>SMMU_PA, <u64>SMMU_SIZE)
  );
}
