// The function of the hardware unique key is found in Debian's images for QEMU, nowhere in those of platforms with one of
// their own, and in made-up images exactly where all of its marks are.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { suite, test } from "node:test";
import { encode, instruction, isInstruction } from "../../arm/instructions.ts";
import { debianFolder } from "../debian/fetch.ts";
import { findKeySite } from "./tee-key-site.ts";

const PACIASP = encode("PACIASP", {});
const AUTIASP = encode("AUTIASP", {});
const BTI_C = encode("BTI_C", {});
const PUSH = encode("STP_X_PRE", { RT: 29, RT2: 30, RN: 31, IMM7: 0x7e });
const POP = encode("LDP_X_POST", { RT: 29, RT2: 30, RN: 31, IMM7: 2 });
const FRAME = encode("MOV_X_FROM_SP", { RD: 29 });
const RET = encode("RET", { RN: 30 });
const NOP = encode("NOP", {});
const size = (value: number) => encode("MOVZ_X", { RD: 2, IMM16: value, HW: 0 });
const zero = (register: number) => encode("MOVZ_W", { RD: register, IMM16: 0, HW: 0 });
const bl = (from: number, to: number) => encode("BL", { IMM26: (to - from) & 0x3ffffff });

/** As GCC writes it. */
const SIGNED = [PACIASP, PUSH, size(16), zero(1), FRAME, bl(5, 100), POP, AUTIASP, zero(0), RET];
const CALLER = [
  encode("MOVZ_W", { RD: 1, IMM16: 4, HW: 0 }),
  NOP,
  encode("MOVK_W", { RD: 1, IMM16: 0x3000, HW: 1 }),
  NOP,
];
const FUNCTION_AT = 20;
const CALLER_AT = 60;

interface Parts {
  readonly body?: readonly number[];
  readonly caller?: readonly number[];
  /** Further calls of the function, by index. */
  readonly calls?: readonly number[];
}

function anImage({ body = SIGNED, caller = CALLER, calls = [] }: Parts = {}): Uint8Array {
  const words = new Uint32Array(128).fill(NOP);
  words.set(body, FUNCTION_AT);
  words.set(caller, CALLER_AT);
  for (const at of [CALLER_AT + caller.length, ...calls]) words[at] = bl(at, FUNCTION_AT);
  return new Uint8Array(words.buffer);
}

const replaced = (index: number, ...words: number[]) => SIGNED.toSpliced(index, 1, ...words);

suite("the function is found", () => {
  const shapes: [name: string, body: number[]][] = [
    ["with signed return addresses", SIGNED],
    ["with a landing pad", [BTI_C, PUSH, size(16), zero(1), FRAME, bl(5, 100), POP, zero(0), RET]],
    ["plain, in another order", [PUSH, FRAME, zero(1), size(16), bl(4, 100), zero(0), POP, RET]],
    ["with zeros taken from WZR", replaced(3, encode("MOV_W", { RD: 1, RM: 31 }))],
  ];
  for (const [name, body] of shapes) {
    test(name, () => {
      const site = findKeySite(anImage({ body }));
      assert.deepEqual(site, { offset: 4 * FUNCTION_AT, words: body.slice(0, 7) });
    });
  }

  test("behind its caller, too", () => {
    const words = new Uint32Array(128).fill(NOP);
    words.set(CALLER, 0);
    words[4] = bl(4, 50);
    words.set(SIGNED, 50);
    assert.equal(findKeySite(new Uint8Array(words.buffer))?.offset, 200);
  });
});

suite("nothing is found where", () => {
  const images: [name: string, parts: Parts][] = [
    ["another size is cleared", { body: replaced(2, size(32)) }],
    ["it is filled with something else", { body: replaced(3, encode("MOVZ_W", { RD: 1, IMM16: 1, HW: 0 })) }],
    ["more is done before", { body: replaced(2, NOP, size(16)) }],
    ["more is done after", { body: replaced(8, NOP, zero(0)) }],
    ["an error is returned", { body: replaced(8, encode("MOVZ_W", { RD: 0, IMM16: 1, HW: 0 })) }],
    ["nothing is called", { body: replaced(5, NOP) }],
    ["it does not return", { body: replaced(9, NOP) }],
    ["its return address is signed and not authenticated", { body: replaced(7, NOP) }],
    ["two places call it", { calls: [90] }],
    ["its caller has named no algorithm", { caller: [NOP, NOP, NOP, NOP] }],
    ["its caller has named another one", { caller: CALLER.with(2, NOP) }],
    ["the algorithm was named far away", { caller: [...CALLER, ...new Array(32).fill(NOP)] }],
  ];
  for (const [name, parts] of images) test(name, () => assert.equal(findKeySite(anImage(parts)), undefined));

  test("nobody calls it", () => {
    const words = new Uint32Array(anImage().buffer);
    words[CALLER_AT + CALLER.length] = NOP;
    assert.equal(findKeySite(new Uint8Array(words.buffer)), undefined);
  });

  test("there is nothing", () => {
    for (const length of [0, 3, 4, 39]) assert.equal(findKeySite(new Uint8Array(length)), undefined);
  });
});

test("an image in which two functions could be it is refused, both are named", () => {
  const words = new Uint32Array(256).fill(NOP);
  words.set(new Uint32Array(anImage().buffer), 0);
  words.set(SIGNED, 128);
  words.set(CALLER, 160);
  words[164] = bl(164, 128);
  assert.throws(() => findKeySite(new Uint8Array(words.buffer)), /^RangeError: 2 functions .*0x50 0x200$/);
});

const images = globSync("trees/optee-os_*/usr/lib/optee/*/tee-{pager_v2,raw}.bin", { cwd: debianFolder() });
const skip = images.length === 0 && "no OP-TEE of Debian's has been fetched: `vtz demo`";
test("Debian's images for QEMU have it, those of boards with a key of their own do not", { skip }, () => {
  for (const image of images) {
    const site = findKeySite(readFileSync(join(debianFolder(), image)));
    const isQemu = basename(dirname(image)).startsWith("vexpress-qemu");
    assert.equal(site !== undefined, isQemu, image);
    if (site === undefined) continue;
    assert(isInstruction(site.words[5]!, instruction("BL")), "the call of memset");
  }
});
