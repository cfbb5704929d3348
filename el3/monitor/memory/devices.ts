// Device pages that no translation of the hypervisor or of a guest may name, since whoever programs them reaches memory past every table
// (abi/memory-map.ts says how), or since a TEE has taken them (partition/peripherals.ts).

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
import { hasTaken } from "../partition/peripherals";
import { machine } from "../storage";

function overlaps(pa: u64, size: u64, devicePa: u32, deviceSize: u32): bool {
  return pa < <u64>devicePa + <u64>deviceSize && <u64>devicePa < pa + size;
}

export function isForbiddenDevice(pa: u64, size: u64): bool {
  return (
    overlaps(pa, size, SMMU_PA, SMMU_SIZE) ||
    overlaps(pa, size, FW_CFG_PA, FW_CFG_SIZE) ||
    overlaps(pa, size, ITS_PA, ITS_SIZE) ||
    overlaps(pa, size, VIRTIO_MMIO_PA, VIRTIO_MMIO_SIZE) ||
    (machine().takenDevices !== 0 && isTakenDevice(pa, size))
  );
}

/** Whether a TEE has taken a page of it for itself. */
function isTakenDevice(pa: u64, size: u64): bool {
  for (let slot: u32 = 0; slot < machine().guestSlots; slot++) if (hasTaken(slot, pa, size)) return true;
  return false;
}
