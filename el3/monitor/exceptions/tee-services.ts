// What a TEE may ask of the monitor, as it would ask firmware on real TrustZone. Answered in registers; an id that is
// not served gets NOT_SUPPORTED, never an undefined-instruction exception (a TEE kernel would halt).

import { RANDOM_WORLD_SECURE } from "../../../abi/random-compartment";
import { SMCCC_VERSION_1_1, SMCCC_VERSION_FID } from "../../../abi/smccc";
import { TEE_HARDWARE_UNIQUE_KEY_FID } from "../../../abi/tee";
import { answerAttest, isAttestCall } from "../attest/evidence-call";
import { Guest } from "../guests/guest";
import { answerKeyCall } from "../guests/key";
import { answerTrng, isTrngCall } from "../random/trng";
import { NOT_SUPPORTED } from "../smccc";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame } from "../worlds/exception-frame";

export function answerTeeService(core: CoreArea, guest: Guest, frame: ExceptionFrame): void {
  const functionId = <u32>frame.x0;
  if (isTrngCall(functionId)) answerTrng(core, guest, frame, RANDOM_WORLD_SECURE);
  else if (isAttestCall(functionId)) answerAttest(core, guest, frame);
  else if (functionId === TEE_HARDWARE_UNIQUE_KEY_FID) answerKeyCall(guest, frame);
  else frame.x0 = functionId === SMCCC_VERSION_FID ? <u64>SMCCC_VERSION_1_1 : NOT_SUPPORTED;
}
