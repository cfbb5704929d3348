// What a TEE may ask of the monitor, as it would ask firmware on real TrustZone. Answered in registers; an id that is
// not served gets NOT_SUPPORTED, never an undefined-instruction exception (a TEE kernel would halt).

import { RANDOM_WORLD_SECURE } from "../../../abi/random-compartment";
import { SMCCC_VERSION_1_1, SMCCC_VERSION_FID } from "../../../abi/smccc";
import { answerAttest, isAttestCall } from "../attest/evidence-call";
import { Guest } from "../guests/guest";
import { answerTrng, isTrngCall } from "../random/trng";
import { NOT_SUPPORTED } from "../smccc";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame } from "../worlds/exception-frame";

export function answerTeeService(core: CoreArea, guest: Guest, frame: ExceptionFrame): void {
  if (isTrngCall(<u32>frame.x0)) answerTrng(core, guest, frame, RANDOM_WORLD_SECURE);
  else if (isAttestCall(<u32>frame.x0)) answerAttest(core, guest, frame);
  else frame.x0 = <u32>frame.x0 === SMCCC_VERSION_FID ? <u64>SMCCC_VERSION_1_1 : NOT_SUPPORTED;
}
