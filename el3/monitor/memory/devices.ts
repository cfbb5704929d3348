// Device pages that no translation of the hypervisor or of a guest may name, since whoever programs them reaches memory past every table
// (abi/memory-map.ts says how).

import {
  FW_CFG_PA,
  FW_CFG_SIZE,
  ITS_PA,
  ITS_SIZE,
  SMMU_PA,
  SMMU_SIZE,
  VIRTIO_MMIO_PA,
  VIRTIO_MMIO_SIZE,
} from "../../../abi/memory-map";

function overlaps(pa: u64, size: u64, devicePa: u32, deviceSize: u32): bool {
  return pa < <u64>devicePa + <u64>deviceSize && <u64>devicePa < pa + size;
}

export function isForbiddenDevice(pa: u64, size: u64): bool {
  return (
    overlaps(pa, size, SMMU_PA, SMMU_SIZE) ||
    overlaps(pa, size, FW_CFG_PA, FW_CFG_SIZE) ||
    overlaps(pa, size, ITS_PA, ITS_SIZE) ||
    overlaps(pa, size, VIRTIO_MMIO_PA, VIRTIO_MMIO_SIZE)
  );
}
