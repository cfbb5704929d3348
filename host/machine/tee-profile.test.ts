// Profiles from files: what is taken, and that each wrong word is named in a line.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import * as abi from "../../abi/boot-package.ts";
import {
  GUEST_BOOT_COMPATIBLE,
  GUEST_BOOT_METHOD,
  GUEST_BOOT_METHOD_SIZE,
  GUEST_BOOT_NODE_NAME,
} from "../../abi/guest-boot-compartment.ts";
import { OPTEE_NODE } from "../../el1/tees/profiles.ts";
import { someRamImages } from "../../tests/drivers/packages.ts";
import { UserError } from "../errors.ts";
import { projectFolder } from "../paths.ts";
import { decodeBootPackage, encodeBootPackage } from "./boot-package.ts";
import { readTee } from "./flash.ts";
import { parseTeeProfile, readTeeProfile } from "./tee-profile.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-profile-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const SEL4 = {
  name: "sel4",
  load: "0x0e000000",
  entry: "0x0e000100",
  kind: "resume",
  timer: "cntv",
  foreignInterrupts: 40,
  wfi: "leaves",
  node: false,
};
const OPTEE = {
  name: "my-optee",
  load: 0x0e100000,
  kind: "vector",
  cores: 4,
  timer: "cntps",
  foreignInterrupts: "fiq",
  adaptedSites: 3,
  hiddenCapabilities: "0x21",
  deviceTree: true,
};

test("the example of a profile is one", async () => {
  const { name, entryKind } = await readTeeProfile(join(projectFolder, "el1/tees/sel4.json"));
  assert.deepEqual([name, entryKind], ["sel4", abi.ENTRY_KIND_RESUME]);
});

test("a resume kernel's profile is data, and reaches the monitor as it stands in the file", async () => {
  const path = join(folder, "sel4.json");
  writeFileSync(path, JSON.stringify(SEL4));
  writeFileSync(join(folder, "sel4.bin"), new Uint8Array(0x200));

  const tee = await readTee(join(folder, "sel4.bin"), await readTeeProfile(path));
  const [decoded] = decodeBootPackage(encodeBootPackage({ ...someRamImages(), tees: [tee] })).tees;

  assert.deepEqual(decoded!.profile, {
    name: "sel4",
    loadIpa: 0x0e000000,
    entryIpa: 0x0e000100,
    entryKind: abi.ENTRY_KIND_RESUME,
    coreCount: 1,
    timer: abi.TIMER_CNTV,
    foreignInterrupt: abi.FOREIGN_VIRQ,
    foreignIntid: 40,
    adaptedSites: 0,
    wfi: abi.WFI_LEAVES,
    clock: abi.CLOCK_STOPS,
    hiddenCapabilities: 0,
    hasDeviceTree: false,
  });
  assert.equal(decoded!.deviceTree, undefined);
});

test("a vector kernel's: the entry is the load address, if nothing else is said", () => {
  const profile = parseTeeProfile(OPTEE);
  assert.equal(profile.entryIpa, 0x0e100000);
  assert.equal(profile.hiddenCapabilities, 0x21);
  assert.equal(profile.wfi, abi.WFI_FAULTS);
});

test("its node is OP-TEE's, none, or another", () => {
  const node = { name: "trusty", compatible: "android,trusty-smc-v1", method: "smc" };

  assert.deepEqual(parseTeeProfile(OPTEE).node, OPTEE_NODE);
  assert.equal(parseTeeProfile({ ...OPTEE, node: false }).node, undefined);
  assert.deepEqual(parseTeeProfile({ ...OPTEE, node }).node, node);
});

test("its node reaches the monitor, its texts as in the request that they are copied to", () => {
  const tee = { profile: parseTeeProfile(OPTEE), image: new Uint8Array(16), version: "" };
  const [decoded] = decodeBootPackage(encodeBootPackage({ ...someRamImages(), tees: [tee] })).tees;
  const row = [abi.TEE_NODE_NAME, abi.TEE_NODE_COMPATIBLE, abi.TEE_NODE_METHOD, abi.TEE_NODE_END];
  const end = GUEST_BOOT_METHOD + GUEST_BOOT_METHOD_SIZE;
  const request = [GUEST_BOOT_NODE_NAME, GUEST_BOOT_COMPATIBLE, GUEST_BOOT_METHOD, end];

  assert.deepEqual(decoded!.profile.node, OPTEE_NODE);
  assert.deepEqual(
    row.map((offset) => offset - abi.TEE_NODE_NAME),
    request.map((offset) => offset - GUEST_BOOT_NODE_NAME),
  );
});

const refused: [string, object, RegExp][] = [
  ["an unknown word", { ...SEL4, colour: 1 }, /no word “colour”; known: name load/],
  ["no name", { ...SEL4, name: undefined }, /“name” must be a text/],
  ["a name that is too long", { ...SEL4, name: "a-name-of-sixteen" }, /“name” must be a text/],
  ["no load address", { ...SEL4, load: undefined }, /“load” must be a number from 0xe000000 .*missing/],
  ["a load address outside its RAM", { ...SEL4, load: "0x40000000" }, /“load” .*not "0x40000000"/],
  ["a load address between words", { ...SEL4, load: "0x0e000010" }, /a multiple of 4096/],
  ["an entry before the image", { ...SEL4, load: "0x0e200000" }, /“entry” must be a number from 0xe200000/],
  ["an entry that is no instruction", { ...SEL4, entry: "0x0e000102" }, /a multiple of 4/],
  ["an unknown kind", { ...SEL4, kind: "wait" }, /“kind” must be vector or resume, not "wait"/],
  ["no timer", { ...SEL4, timer: undefined }, /“timer” must be cntps or cntv; it is missing/],
  ["a name of JavaScript's", { ...SEL4, timer: "toString" }, /“timer” must be cntps or cntv/],
  ["a private interrupt", { ...SEL4, foreignInterrupts: 27 }, /“foreignInterrupts” .*32 to 159, not 27/],
  [
    "an unknown way",
    { ...SEL4, foreignInterrupts: "irq" },
    /fiq or none, or the number of an SPI, not "irq"/,
  ],
  ["too many cores", { ...OPTEE, cores: 5 }, /“cores” must be a number from 1 to 4/],
  ["half a core", { ...OPTEE, cores: 1.5 }, /“cores”/],
  ["resume with cores", { ...SEL4, timer: "cntps", cores: 2 }, /resume needs “cores” 1/],
  ["cntv with cores", { ...OPTEE, timer: "cntv", adaptedSites: 0 }, /cntv needs “cores” 1/],
  ["an unknown clock", { ...SEL4, clock: 1 }, /“clock” must be stops or runs, not 1/],
  ["a clock that it does not have", { ...OPTEE, clock: "runs" }, /“clock” runs needs “timer” cntv/],
  ["sites with cntv", { ...SEL4, adaptedSites: 1 }, /with cntv it must be 0/],
  ["a tree under the image", { ...SEL4, deviceTree: true }, /“load” must be behind it/],
  ["a tree that is a text", { ...OPTEE, deviceTree: "yes" }, /true or false/],
  ["a node that is a text", { ...OPTEE, node: "optee" }, /“node” must be false, or have name, compatible/],
  ["a node without a method", { ...OPTEE, node: { name: "a", compatible: "b" } }, /“node”/],
  ["a node with more", { ...OPTEE, node: { name: "a", compatible: "b", method: "c", d: "e" } }, /“node”/],
  ["a node's name that is a path", { ...OPTEE, node: { ...OPTEE_NODE, name: "a/b" } }, /“node”/],
  ["a node's name that is too long", { ...OPTEE, node: { ...OPTEE_NODE, name: "n".repeat(16) } }, /“node”/],
  ["nothing as a node", { ...OPTEE, node: null }, /“node”/],
  ["a list", [SEL4], /one object/],
];
for (const [name, value, message] of refused) {
  test(`refused: ${name}`, () => {
    assert.throws(() => parseTeeProfile(value), { name: "RangeError", message });
  });
}

test("a file that is not there, is not JSON, or is wrong, is a user's error with its path", async () => {
  const path = join(folder, "bad.json");
  await assert.rejects(readTeeProfile(join(folder, "none.json")), /cannot be read \(ENOENT\)/);
  for (const [text, message] of [
    ["{", /bad\.json: it is not JSON/],
    ["{}", /bad\.json: “load” must be/],
  ] as const) {
    writeFileSync(path, text);
    await assert.rejects(readTeeProfile(path), (error) => {
      assert(error instanceof UserError && error.hint !== undefined);
      assert.match(error.message, message);
      return true;
    });
  }
});

test("an image that is empty, or ends before its entry, is refused", async () => {
  const profile = parseTeeProfile(SEL4);
  const path = join(folder, "short.bin");
  for (const [size, message] of [
    [0, /is empty/],
    [0x100, /ends before its entry at 0xe000100/],
  ] as const) {
    writeFileSync(path, new Uint8Array(size));
    await assert.rejects(readTee(path, profile), message);
  }
});
