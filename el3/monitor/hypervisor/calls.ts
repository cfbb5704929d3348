// The hypervisor's own SMCs: PSCI and the SMCCC discovery calls.

import {
  PSCI_AFFINITY_INFO_64_FID,
  PSCI_AFFINITY_INFO_FID,
  PSCI_CPU_OFF_FID,
  PSCI_CPU_ON_64_FID,
  PSCI_FEATURES_FID,
  PSCI_MIGRATE_INFO_TYPE_FID,
  PSCI_MIGRATE_NOT_REQUIRED,
  PSCI_SYSTEM_OFF_FID,
  PSCI_SYSTEM_RESET_FID,
  PSCI_VERSION_1_1,
  PSCI_VERSION_FID,
  SMCCC_ARCH_FEATURES_FID,
  SMCCC_VERSION_1_1,
  SMCCC_VERSION_FID,
} from "../../../abi/smccc";
import { NOT_SUPPORTED, PSCI_SUCCESS } from "../smccc";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame } from "../worlds/exception-frame";
import { affinityInfo, cpuOff, cpuOn, resetSystem, turnSystemOff } from "./power";

export function handleHypervisorCall(core: CoreArea, frame: ExceptionFrame): void {
  switch (<u32>frame.x0) {
    case SMCCC_VERSION_FID:
      frame.x0 = <u64>SMCCC_VERSION_1_1;
      break;
    case PSCI_VERSION_FID:
      frame.x0 = <u64>PSCI_VERSION_1_1;
      break;
    case PSCI_FEATURES_FID:
    case SMCCC_ARCH_FEATURES_FID:
      frame.x0 = isServed(<u32>frame.x1) ? PSCI_SUCCESS : NOT_SUPPORTED;
      break;
    case PSCI_CPU_ON_64_FID:
      frame.x0 = cpuOn(frame.x1, frame.x2, frame.x3);
      break;
    case PSCI_AFFINITY_INFO_FID:
    case PSCI_AFFINITY_INFO_64_FID:
      frame.x0 = affinityInfo(frame.x1);
      break;
    case PSCI_MIGRATE_INFO_TYPE_FID:
      frame.x0 = <u64>PSCI_MIGRATE_NOT_REQUIRED;
      break;
    case PSCI_CPU_OFF_FID:
      cpuOff(core);
      break;
    case PSCI_SYSTEM_OFF_FID:
      turnSystemOff();
      break;
    case PSCI_SYSTEM_RESET_FID:
      resetSystem();
      break;
    default:
      frame.x0 = NOT_SUPPORTED;
  }
}

function isServed(fid: u32): bool {
  switch (fid) {
    case SMCCC_VERSION_FID:
    case SMCCC_ARCH_FEATURES_FID:
    case PSCI_VERSION_FID:
    case PSCI_FEATURES_FID:
    case PSCI_CPU_ON_64_FID:
    case PSCI_CPU_OFF_FID:
    case PSCI_AFFINITY_INFO_FID:
    case PSCI_AFFINITY_INFO_64_FID:
    case PSCI_MIGRATE_INFO_TYPE_FID:
    case PSCI_SYSTEM_OFF_FID:
    case PSCI_SYSTEM_RESET_FID:
      return true;
    default:
      return false;
  }
}
