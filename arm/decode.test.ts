// Values seen on the machine, read back; and every description survives a round trip.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, decodeText, describedNames, UnknownRegister } from "./decode.ts";

test("an SMC from AArch64 shows its immediate", () => {
  const { fields } = decode("ESR_EL3", 0x5e0080a1n);

  const iss = fields.find(({ field }) => field === "ISS")!;
  assert.equal(fields[0]!.named, "SMC64");
  assert.deepEqual(
    iss.parts!.map(({ field, value }) => [field, value]),
    [["IMM16", 0x80a1n]],
  );
});

test("a data abort of a lower level shows access and fault", () => {
  const text = decodeText("esr_el2", 0x93830047n);

  assert.match(text, /EC = 0x24 DATA_ABORT_LOWER/);
  assert.match(text, /SAS = 0x2 WORD/);
  assert.match(text, /SRT = 0x3 /);
  assert.match(text, /WNR +a write/);
  assert.match(text, /FSC = 0x7 TRANSLATION_L3/);
});

test("a trapped access names the register", () => {
  // msr ICC_SGI1R_EL1, x2: op0 3, op1 0, CRn 12, CRm 11, op2 5
  const iss = (3n << 20n) | (5n << 17n) | (0n << 14n) | (12n << 10n) | (2n << 5n) | (11n << 1n);

  assert.equal(decode("ESR_EL2", (0x18n << 26n) | (1n << 25n) | iss).note, "msr ICC_SGI1R_EL1, x2");
});

test("the states of the boot recipe", () => {
  assert.match(decodeText("SPSR_EL3", 0x3c9n), /M = 0x9 EL2H/);
  const scr = decode("SCR_EL3", 0x531n);
  const set = scr.fields.filter(({ value }) => value !== 0n).map(({ field }) => field);
  assert.deepEqual(set, ["RW", "HCE", "RES1", "NS"]);
  assert.match(decodeText("VTCR_EL2", 0x80043594n), /T0SZ = 0x14/);
});

test("bits without a description are said, not dropped", () => {
  assert.match(decodeText("SCR_EL3", 1n << 60n), /0x1000000000000000 are bits without/);
});

test("every description reads all ones and zero", () => {
  for (const name of describedNames()) {
    const { register } = decode(name, 0n);
    const ones = (1n << BigInt(register.width)) - 1n;
    for (const { high, low, value } of decode(name, ones).fields) {
      assert.equal(value, (1n << BigInt(high - low + 1)) - 1n, name);
    }
  }
});

test("mistakes are answered", () => {
  assert.throws(
    () => decode("ESR", 0n),
    (error) => error instanceof UnknownRegister && error.suggestions.includes("ESR_EL2"),
  );
  assert.throws(() => decode("GICD_CTLR", 1n << 32n), RangeError);
});
