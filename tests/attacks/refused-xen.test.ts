// Hypervisors that do not get past lockdown: what they could execute is looked at on the machine, whoever has prepared the image. They stop before
// dom0, and whoever started them is told why at once.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { encode, instruction } from "../../arm/instructions.ts";
import type { UserError } from "../../host/errors.ts";
import { prepareImages } from "../../host/images/prepare-images.ts";
import { Machine } from "../../host/machine/machine.ts";
import { machineFolder } from "../../host/machine/state.ts";
import { hardenXen } from "../../host/rewriter/harden.ts";
import { timeScale } from "../boots/rows.ts";

const name = `test-refused-${process.pid}`;
/** `msr TTBR1_EL2, x7`: no register of Xen's, and none that its rewriter knows; with E2H it would count. */
const APPENDED = encode("MSR", { O0: 1, OP1: 4, CRN: 2, CRM: 0, OP2: 1, RT: 7 });
const RETURN = encode("RET", { RN: 30 });
const NOP = instruction("NOP").match;

interface Row {
  readonly name: string;
  readonly image: (stock: Uint8Array) => Uint8Array;
  /** What its epitaph names. */
  readonly instruction: RegExp;
}

const ROWS: readonly Row[] = [
  {
    name: "Xen as Debian ships it",
    image: (stock) => stock,
    instruction: /`msr \w+_EL2, x\d+` \(0xd51c[0-9a-f]{4}\)/,
  },
  {
    name: "a hardened Xen of which one site was put back",
    image: (stock) => {
      const { image, sites } = hardenXen(stock);
      const site = sites.findLast(({ register }) => register === "VTTBR_EL2")!;
      viewOf(image).setUint32(site.offset, site.original, true);
      return image;
    },
    instruction: /`msr VTTBR_EL2, x\d+`/,
  },
  {
    name: "a hardened Xen with an instruction in the padding behind a function",
    image: (stock) => {
      const { image } = hardenXen(stock);
      viewOf(image).setUint32(paddingOf(viewOf(image)), APPENDED, true);
      return image;
    },
    instruction: /`msr \w+, x7` \(0xd51c2027\)/,
  },
];

describe("a hypervisor that could change translation by itself", { timeout: 600_000 * timeScale }, () => {
  let folder: string;
  let stock: Uint8Array;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "vtz-xen-"));
    stock = await readFile((await prepareImages({ tee: "optee-4.5" })).xen);
  });

  after(() => rm(folder, { recursive: true, force: true }));

  for (const { name: what, image, instruction: named } of ROWS)
    test(`${what} is stopped at lockdown, by name of the instruction`, async () => {
      const hypervisor = join(folder, "xen.bin");
      await writeFile(hypervisor, image(stock.slice()));
      try {
        const start = Machine.start({ name, tee: "optee-4.5", lifetime: "attached", hypervisor });

        await assert.rejects(start, (error: UserError) => {
          assert.equal(error.code, "monitor-stopped");
          assert.match(error.message, named);
          assert.match(error.hint ?? "", /vtz harden/);
          return true;
        });
        const console = await readFile(join(machineFolder(name), "uart-normal.log"), "latin1");
        assert.doesNotMatch(console, /Linux version/);
      } finally {
        await Machine.remove(name);
      }
    });
});

function viewOf(image: Uint8Array): DataView {
  return new DataView(image.buffer, image.byteOffset, image.byteLength);
}

/** A NOP behind a return: nobody executes it. */
function paddingOf(words: DataView): number {
  for (let offset = 0; offset + 8 <= words.byteLength; offset += 4)
    if (words.getUint32(offset, true) === RETURN && words.getUint32(offset + 4, true) === NOP)
      return offset + 4;
  throw new Error("the image has no padding between functions");
}
