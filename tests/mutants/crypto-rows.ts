// The checks of what compartments compute with (sel0/crypto), each taken away once.

import type { Mutant } from "./mutate.ts";

export type Row = Omit<Mutant, "folder" | "testFile">;

const ED25519: readonly Row[] = [
  {
    name: "an S from L on is accepted",
    file: "crypto/ed25519.ts",
    text: "  if (!scalarIsCanonical(signaturePtr + S)) return false;\n",
    replacement: "",
    test: "S is below L",
  },
  {
    name: "a key that is no point is accepted",
    file: "crypto/ed25519.ts",
    text: "  if (!pointDecode(FIRST_POINT, publicKeyPtr)) return false;",
    replacement: "  pointDecode(FIRST_POINT, publicKeyPtr);",
    test: "a key that is no point is refused",
  },
  {
    name: "a key of small order is accepted",
    file: "crypto/ed25519.ts",
    text: "  if (pointHasSmallOrder(FIRST_POINT)) return false;\n",
    replacement: "",
    test: "a key of small order is refused",
  },
  {
    name: "of R only the first half is compared",
    file: "crypto/ed25519.ts",
    text: "return isEqual(signaturePtr, ED25519_SIGNATURE, S);",
    replacement: "return isEqual(signaturePtr, ED25519_SIGNATURE, S / 2);",
    test: "R has one encoding",
  },
  {
    name: "of R the sign is not compared",
    file: "crypto/ed25519.ts",
    text: "return isEqual(signaturePtr, ED25519_SIGNATURE, S);",
    replacement: "return isEqual(signaturePtr, ED25519_SIGNATURE, S - 1);",
    test: "R has one encoding",
  },
  {
    name: "R is not in the hash",
    file: "crypto/ed25519.ts",
    text: "  sha512Update(ED25519_STATE, rPtr, S);\n",
    replacement: "",
    test: "the standard's vector",
  },
  {
    name: "the key is not in the hash",
    file: "crypto/ed25519.ts",
    text: "  sha512Update(ED25519_STATE, publicKeyPtr, ED25519_PUBLIC_KEY_SIZE);\n",
    replacement: "",
    test: "the standard's vector",
  },
  {
    name: "a signature is made for another's key",
    file: "crypto/ed25519.ts",
    text: "if (isKeyOfSeed) {",
    replacement: "if (true) {",
    test: "nothing is signed with another's public key",
  },
  {
    name: "secrets stay behind after signing",
    file: "crypto/ed25519.ts",
    text: "  eraseScratch25519();\n  return isKeyOfSeed;",
    replacement: "  return isKeyOfSeed;",
    test: "after signing no secret is left",
  },
  {
    name: "the message schedule of a secret stays behind",
    file: "crypto/sha512.ts",
    text: "  memory.fill(W, 0, SCHEDULE_SIZE);\n",
    replacement: "",
    test: "after signing no secret is left",
  },
];

const CURVE: readonly Row[] = [
  {
    name: "a y from p on is decoded",
    file: "crypto/point25519.ts",
    text: "  if (!isCanonical(pointPtr + Y, bytesPtr)) return false;\n",
    replacement: "",
    test: "no y from p on is decoded",
  },
  {
    name: "a y without an x is decoded",
    file: "crypto/point25519.ts",
    text: "  if (!findX(pointPtr, pointPtr + Y)) return false;",
    replacement: "  findX(pointPtr, pointPtr + Y);",
    test: "a y is decoded if there is an x",
  },
  {
    name: "x = 0 has two signs",
    file: "crypto/point25519.ts",
    text: "  if (sign === 1 && fieldIsEqual(pointPtr, H)) return false;\n",
    replacement: "",
    test: "a point with x = 0 has one sign",
  },
  {
    name: "the sign of x is lost",
    file: "crypto/point25519.ts",
    text: "  if (fieldSign(pointPtr) !== sign) fieldNegate(pointPtr, pointPtr);\n",
    replacement: "",
    test: "a y is decoded if there is an x",
  },
  {
    name: "of small orders 8 is forgotten",
    file: "crypto/point25519.ts",
    text: "  pointDouble(POINT_TIMES_4, POINT_TIMES_4);\n",
    replacement: "",
    test: "eight points have a small order",
  },
  {
    name: "what is between p and 2^255 is not reduced",
    file: "crypto/field25519.ts",
    text: "  subtractModulus(ptr);\n  let pending",
    replacement: "  let pending",
    test: "what is encoded is below p",
  },
  {
    name: "the last carry of a product is lost",
    file: "crypto/field25519.ts",
    text: "load<i64>(resultPtr) + carry * FOLD_260",
    replacement: "load<i64>(resultPtr)",
    test: "products of elements with the largest limbs",
  },
  {
    name: "L is taken for a number below L",
    file: "crypto/scalar25519.ts",
    text: "  let borrow: u64 = 0;",
    replacement: "  let borrow: u64 = 1;",
    test: "numbers of 64 bytes are reduced",
  },
];

const HMAC: readonly Row[] = [
  {
    name: "more than 255 blocks are expanded",
    file: "crypto/hkdf-sha256.ts",
    text: "  if (outputSize > BLOCK_COUNT_MAX * HMAC_SHA256_SIZE) return false;\n",
    replacement: "",
    test: "HKDF: any lengths have Node's output",
  },
  {
    name: "a generator is made of too little entropy",
    file: "crypto/hmac-drbg.ts",
    text: "  if (entropySize < DRBG_ENTROPY_SIZE_MIN) return false;\n",
    replacement: "",
    test: "HMAC_DRBG: what it refuses changes nothing",
  },
  {
    name: "a generator is reseeded with too little entropy",
    file: "crypto/hmac-drbg.ts",
    text: "  if (!drbgExists(statePtr) || entropySize < DRBG_ENTROPY_SIZE_MIN) return false;",
    replacement: "  if (!drbgExists(statePtr)) return false;",
    test: "HMAC_DRBG: what it refuses changes nothing",
  },
  {
    name: "what is no generator generates",
    file: "crypto/hmac-drbg.ts",
    text: "if (!drbgExists(statePtr) || drbgIsWorn(statePtr) ||",
    replacement: "if (drbgIsWorn(statePtr) ||",
    test: "HMAC_DRBG: a forgotten generator is gone",
  },
  {
    name: "a worn generator generates",
    file: "crypto/hmac-drbg.ts",
    text: "if (!drbgExists(statePtr) || drbgIsWorn(statePtr) ||",
    replacement: "if (!drbgExists(statePtr) ||",
    test: "HMAC_DRBG: after 2^48 requests",
  },
  {
    name: "a request may be of any size",
    file: "crypto/hmac-drbg.ts",
    text: " || outputSize > DRBG_REQUEST_SIZE_MAX) return false;",
    replacement: ") return false;",
    test: "HMAC_DRBG: what it refuses changes nothing",
  },
];

/** Of compartments, with the file of their tests. */
export const guardedBy = (testFile: string, rows: readonly Row[]): Mutant[] =>
  rows.map((row) => ({ ...row, folder: "sel0", testFile }));

export const CRYPTO_MUTANTS: readonly Mutant[] = [
  ...guardedBy("unit/ed25519.test.ts", ED25519),
  ...guardedBy("unit/crypto-curve25519.test.ts", CURVE),
  ...guardedBy("unit/crypto-hmac.test.ts", HMAC),
];
