// COSE_Sign1 against the examples of the COSE working group (github.com/cose-wg/Examples: eddsa-examples, sign1-tests).

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { CborMap } from "./cbor.ts";
import { decodeCbor } from "./cbor-decode.ts";
import { checkHeaders, checkSignature, keyThumbprint, parseSign1, toBeSigned } from "./cose-sign1.ts";

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (value: Uint8Array) => Buffer.from(value).toString("hex").toUpperCase();

// eddsa-sig-01: RFC 8032's first key, and what it has signed.
const KEY = bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
const CONTENT = new TextEncoder().encode("This is the content.");
const CONTENT_HEX = hex(CONTENT);
const SIGNATURE =
  "7142FD2FF96D56DB85BEE905A76BA1D0B7321A95C8C4D3607C5781932B7AFB8711497DFA751BF40B58B3BCC32300B1487F3DB34085EEF013BF08F4A44D6FEF0D";
const message = ({
  tag = "D2",
  header = "45A201270300",
  unprotected = "A104423131",
  content = CONTENT_HEX,
}) => bytes(`${tag}84${header}${unprotected}54${content}5840${SIGNATURE}`);

// The signature that ES256 examples of sign1-tests share.
const ES256_SIGNATURE =
  "8EB33E4CA31D1C465AB05AAC34CC6B23D58FEF5C083106C4D25A91AEF0B0117E2AF9A291AA32E14AB834DC56ED2A223444547E01F11D3B0916E5A4C345CACB36";
const es256 = (tag: string, header: string, unprotected = "A104423131") =>
  bytes(`${tag}84${header}${unprotected}54${CONTENT_HEX}5840${ES256_SIGNATURE}`);

test("eddsa-sig-01 is signed, and carries its content", () => {
  const parsed = parseSign1(message({}));

  checkHeaders(parsed);
  checkSignature(parsed, KEY);
  assert.deepEqual(parsed.payload, CONTENT);
});

const CHANGES: [what: string, changed: Uint8Array, code: string][] = [
  ["another content", message({ content: CONTENT_HEX.replace(/2E$/, "2F") }), "signature"],
  ["a header added (as sign-fail-06)", message({ header: "46A2012703182A" }), "signature"],
  ["a header taken away (as sign-fail-07)", message({ header: "43A10127" }), "signature"],
  ["sign-fail-01: another tag", es256("D903E6", "43A10126"), "not-cose"],
  ["sign-fail-03: an algorithm that nobody has", es256("D2", "45A1013903E6"), "wrong-algorithm"],
  ["sign-fail-04: an algorithm by a name", es256("D2", "4AA10167756E6B6E6F776E"), "wrong-algorithm"],
  ["sign-pass-01: the algorithm not protected", es256("D2", "41A0", "A2012604423131"), "wrong-algorithm"],
  ["an algorithm that is not protected", es256("D2", "40", "A2012704423131"), "wrong-algorithm"],
  ["another algorithm: ES256", es256("D2", "43A10126"), "wrong-algorithm"],
  ["sign-pass-03: no tag", es256("", "43A10126"), "not-cose"],
  ["a label in both headers", message({ unprotected: "A10127" }), "not-cose"],
  ["a critical header", message({ header: "48A301270281030300" }), "not-cose"],
  ["a header that is no map", message({ header: "4101" }), "not-cose"],
  ["a header that is no string", message({ header: "A0" }), "not-cose"],
  ["an unprotected header that is no map", message({ unprotected: "80" }), "not-cose"],
  ["headers that are cut off", message({ header: "44A2012703" }), "not-cbor"],
  ["three parts", bytes("D28340A040"), "not-cose"],
  ["no content", bytes(`D28443A10127A0F65840${SIGNATURE}`), "not-cose"],
  ["no signature", bytes("D28443A10127A040F6"), "not-cose"],
  ["a short signature", bytes("D28443A10127A0404100"), "signature"],
];

for (const [what, changed, code] of CHANGES) {
  test(`${what}: ${code}`, () => {
    assert.throws(
      () => {
        const parsed = parseSign1(changed);
        checkHeaders(parsed);
        checkSignature(parsed, KEY);
      },
      { name: "Refusal", code },
    );
  });
}

// ToBeSign_hex of the examples: Sig_structure, whatever the algorithm.
const TO_BE_SIGNED: [example: string, header: string, externalAad: string, expected: string][] = [
  ["eddsa-sig-01", "A201270300", "", "846A5369676E61747572653145A2012703004054"],
  ["eddsa-sig-02", "A10127", "", "846A5369676E61747572653143A101274054"],
  ["sign-pass-01", "A0", "", "846A5369676E617475726531404054"],
  [
    "sign-pass-02",
    "A10126",
    "11AA22BB33CC44DD55006699",
    "846A5369676E61747572653143A101264C11AA22BB33CC44DD5500669954",
  ],
];

for (const [example, header, externalAad, expected] of TO_BE_SIGNED) {
  test(`${example}: what is signed`, () => {
    const decoded = decodeCbor(bytes(header)) as CborMap;
    assert.equal(hex(toBeSigned(decoded, CONTENT, bytes(externalAad))), expected + CONTENT_HEX);
  });
}

test("a thumbprint is SHA-256 of the key's required parameters, in order", () => {
  const key = bytes(`A301012006215820${hex(KEY)}`);

  assert.equal(hex(keyThumbprint(KEY)), createHash("sha256").update(key).digest("hex").toUpperCase());
});

test("a key of another length is no key", () => {
  const parsed = parseSign1(message({}));
  assert.throws(() => checkSignature(parsed, KEY.subarray(1)), RangeError);
});

test("a header without parameters is signed as an empty string", () => {
  assert.equal(hex(toBeSigned(new CborMap([]), CONTENT)).slice(24, 28), "4040");
});
