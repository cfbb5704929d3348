// What a TEE may ask of the monitor, as it would ask firmware on real TrustZone. Answered in registers; an id that is
// not served gets NOT_SUPPORTED, never an undefined-instruction exception (a TEE kernel would halt).

import { SMCCC_VERSION_1_1, SMCCC_VERSION_FID } from "../../../abi/smccc";
import { NOT_SUPPORTED } from "../smccc";
import { ExceptionFrame } from "../worlds/exception-frame";

export function answerTeeService(frame: ExceptionFrame): void {
  frame.x0 = <u32>frame.x0 === SMCCC_VERSION_FID ? <u64>SMCCC_VERSION_1_1 : NOT_SUPPORTED;
}
