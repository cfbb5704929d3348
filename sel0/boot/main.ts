// The boot compartment: verifies the signed boot package and every image that it names, before anything of them runs,
// and a TEE's image again whenever a guest gets one. Operations and answers: abi/boot-compartment.ts.

import {
  BOOT_IMAGE,
  BOOT_IMAGE_BEGIN,
  BOOT_IMAGE_END,
  BOOT_IMAGE_PART,
  BOOT_MEASURE_BEGIN,
  BOOT_MEASURE_END,
  BOOT_MEASURE_PART,
  BOOT_OPEN,
  BOOT_REFUSED_OPERATION,
} from "../../abi/boot-compartment";
import { beginImage, checkImage, continueImage, endImage } from "./image";
import { beginMeasurement, continueMeasurement, endMeasurement } from "./measure";
import { openPackage } from "./package";

export function call(operation: u32, a: u64, b: u64, _c: u64): u64 {
  switch (operation) {
    case BOOT_OPEN:
      return openPackage(a);
    case BOOT_IMAGE:
      return checkImage(a, b);
    case BOOT_IMAGE_BEGIN:
      return beginImage(a);
    case BOOT_IMAGE_PART:
      return continueImage(a);
    case BOOT_IMAGE_END:
      return endImage();
    case BOOT_MEASURE_BEGIN:
      return beginMeasurement();
    case BOOT_MEASURE_PART:
      return continueMeasurement(a);
    case BOOT_MEASURE_END:
      return endMeasurement();
    default:
      return BOOT_REFUSED_OPERATION;
  }
}
