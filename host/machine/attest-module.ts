// The kernel module by which a guest asks for evidence of itself once: el1/attest/attest.c with the nonce and a tag by
// which its lines are found in the kernel's log.

import {
  ATTEST_CALL_NONCE_SIZE,
  ATTEST_CALL_PIECE_SIZE,
  ATTEST_MAKE_FID,
  ATTEST_READ_FID,
} from "../../abi/attest-call.ts";
import { ATTEST_EVIDENCE_SIZE_MAX } from "../../abi/attest-compartment.ts";
import { buildModule } from "../kernel-module/build-module.ts";

export const ATTEST_MODULE = "vtz_attest";
const SOURCE = "el1/attest/attest.c";
const WORD_SIZE = 8;

export interface Question {
  /** ATTEST_CALL_NONCE_SIZE bytes. */
  readonly nonce: Uint8Array;
  readonly tag: string;
}

/** For the kernel to which `reference` belongs, any module of it; the work is done in `folder`. */
export async function makeAttestModule(
  question: Question,
  reference: Uint8Array,
  folder: string,
): Promise<Uint8Array> {
  const source = {
    name: ATTEST_MODULE,
    file: SOURCE,
    license: "Apache-2.0",
    description: "Evidence of this guest, once",
    imports: ["_printk"],
    defines: definesOf(question),
  };
  return await buildModule(source, reference, folder);
}

function definesOf({ nonce, tag }: Question): Record<string, string> {
  if (nonce.length !== ATTEST_CALL_NONCE_SIZE) throw new RangeError(`a nonce of ${nonce.length} bytes`);
  const numbers = { ATTEST_MAKE_FID, ATTEST_READ_FID, ATTEST_CALL_PIECE_SIZE, ATTEST_EVIDENCE_SIZE_MAX };
  const view = new DataView(nonce.buffer, nonce.byteOffset, nonce.length);
  const words = Array.from({ length: nonce.length / WORD_SIZE }, (_, index) => [
    `NONCE_${index}`,
    `0x${view.getBigUint64(index * WORD_SIZE, true).toString(16)}`,
  ]);
  return {
    TAG: JSON.stringify(tag),
    ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, String(value)])),
    ...Object.fromEntries(words),
  };
}
