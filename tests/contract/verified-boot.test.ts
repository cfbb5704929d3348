// Nothing runs that was not signed: the monitor with the boot compartment on the model machine, with a package and
// images that somebody has changed.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { suite, test } from "node:test";
import * as refusal from "../../abi/boot-compartment.ts";
import * as format from "../../abi/boot-package.ts";
import { DEVICE_MINIMUM_VERSION, DEVICE_ROOT_KEY } from "../../abi/device.ts";
import { BOOT_PACKAGE_PA, DEVICE_PAGE_PA, DOM0_INITRD_PA, XEN_PA } from "../../abi/memory-map.ts";
import { FAULT_IMAGE } from "../../abi/status.ts";
import { encodeBootPackage } from "../../host/machine/boot-package.ts";
import { decodeImageRows } from "../../host/machine/image-rows.ts";
import { aBootPackage, aLab, anUnlockedMachine, statusOf } from "../drivers/lab.ts";
import { signAnew } from "../drivers/packages.ts";
import { IMAGE_PAGES, imagePa } from "../drivers/xen-memory.ts";
import { ramContents } from "../machine/boot-images.ts";
import { Epitaph, fatalCodes } from "../machine/errors.ts";
import { Machine } from "../machine/machine.ts";
import { monitorModule } from "../machine/monitor.ts";
import { aKey } from "../machine/root-key.ts";

const fatalCode = (name: string) => fatalCodes().get(name)!;
const rows = decodeImageRows(encodeBootPackage(aBootPackage()), 1);

/** The epitaph of a machine that was changed before its reset, and that nothing of the normal world has run on. */
async function refusalOf(change: (machine: Machine) => void): Promise<Epitaph> {
  const machine = new Machine(await monitorModule(), aBootPackage());
  const { pc } = machine.cores[0]!;
  change(machine);
  try {
    machine.reset();
  } catch (error) {
    if (!(error instanceof Epitaph)) throw error;
    assert.equal(machine.cores[0]!.pc, pc);
    return error;
  }
  throw new Error("the machine boots");
}

const flip = (pa: number) => (machine: Machine) =>
  machine.memory.write(pa, 1, machine.memory.read(pa, 1) ^ 1n);

suite("a package that is not to be believed stops the machine before anything else runs", () => {
  const CASES: [string, number, (machine: Machine) => void][] = [
    ["no magic", refusal.BOOT_REFUSED_MAGIC, flip(BOOT_PACKAGE_PA)],
    ["a size beyond flash", refusal.BOOT_REFUSED_SIZE, flip(BOOT_PACKAGE_PA + format.BOOT_SIZE + 7)],
    [
      "a size below a page",
      refusal.BOOT_REFUSED_SIZE,
      ({ memory }) => memory.write(BOOT_PACKAGE_PA + format.BOOT_SIZE, 8, 0n),
    ],
    ["a flipped byte", refusal.BOOT_REFUSED_SIGNATURE, flip(BOOT_PACKAGE_PA + format.BOOT_POOL_PA + 3)],
    [
      "a flipped byte of the signature",
      refusal.BOOT_REFUSED_SIGNATURE,
      flip(BOOT_PACKAGE_PA + format.BOOT_SIGNATURE + 63),
    ],
    [
      "another root key in the fuses",
      refusal.BOOT_REFUSED_SIGNATURE,
      ({ memory }) => memory.load(DEVICE_PAGE_PA + DEVICE_ROOT_KEY, aKey(0x12).publicKey),
    ],
    [
      "a minimum version above it",
      refusal.BOOT_REFUSED_VERSION,
      ({ memory }) => memory.write(DEVICE_PAGE_PA + DEVICE_MINIMUM_VERSION, 8, 2n),
    ],
    [
      "something between images",
      refusal.BOOT_REFUSED_PADDING,
      flip(BOOT_PACKAGE_PA + rows.at(-1)!.place + rows.at(-1)!.size),
    ],
  ];
  for (const [name, status, change] of CASES)
    test(name, async () => {
      const epitaph = await refusalOf(change);
      assert.deepEqual([epitaph.code, epitaph.a], [fatalCode("FATAL_BOOT_REFUSED"), BigInt(status)]);
    });

  test("a boot compartment that does not answer", async () => {
    const { code } = await refusalOf((machine) => {
      machine.forcedEnd = "overrun";
    });
    assert.equal(code, fatalCode("FATAL_BOOT_REFUSED"));
  });
});

suite("an image that is not what was signed stops the machine before anything else runs", () => {
  for (const [row, { name, place, size }] of rows.entries()) {
    if (size === 0) continue;
    const pa = row < format.IMAGE_TEE_FIRST ? place : BOOT_PACKAGE_PA + place;
    for (const offset of [0, size - 1])
      test(`${name} (row ${row}), byte ${offset}`, async () => {
        const epitaph = await refusalOf(flip(pa + offset));
        assert.deepEqual(
          [epitaph.code, epitaph.a, epitaph.b],
          [fatalCode("FATAL_BOOT_IMAGE"), BigInt(row), BigInt(refusal.BOOT_REFUSED_IMAGE_HASH)],
        );
      });
  }

  test("an image that is missing in RAM", async () => {
    const { a } = await refusalOf(({ memory }) => memory.load(XEN_PA, new Uint8Array(0xff0)));
    assert.equal(a, BigInt(format.IMAGE_HYPERVISOR));
  });

  test("it is hashed as the hypervisor reads it: in memory, not in the caches", async () => {
    const machine = new Machine(await monitorModule(), aBootPackage());
    const cleaned: number[] = [];
    const { memory } = machine;
    const clean = memory.clean.bind(memory);
    memory.clean = (pa, size) => {
      cleaned.push(pa);
      clean(pa, size);
    };

    machine.reset();

    for (const pa of ramContents().keys()) assert(cleaned.includes(pa));
  });

  test("an image of more than one part is verified to its end", async () => {
    const { memory, ...machine } = new Machine(await monitorModule(), aBootPackage());
    assert(machine.bootPackage.dom0Initrd.pa === DOM0_INITRD_PA && memory.read(DOM0_INITRD_PA, 1) !== 0n);
    const size = 0x40_0010; // two blocks and a bit
    const bytes = new Uint8Array(size).fill(7);
    const large = (value: number) => (it: Machine) => {
      const row = BOOT_PACKAGE_PA + format.IMAGE_ROW_BASE + format.IMAGE_DOM0_INITRD * format.IMAGE_ROW_SIZE;
      it.memory.write(row + format.IMAGE_SIZE, 8, BigInt(size));
      it.memory.load(row + format.IMAGE_HASH, createHash("sha256").update(bytes).digest());
      it.memory.load(DOM0_INITRD_PA, bytes);
      it.memory.write(DOM0_INITRD_PA + size - 1, 1, BigInt(value));
      signAnew(it);
    };
    assert.equal((await refusalOf(large(8))).a, BigInt(format.IMAGE_DOM0_INITRD));
    await assert.rejects(refusalOf(large(7)), /the machine boots/);
  });
});

suite("a TEE is verified in each guest's RAM", () => {
  const imagePa = BOOT_PACKAGE_PA + rows[format.IMAGE_TEE_FIRST]!.place;
  const treePa = BOOT_PACKAGE_PA + rows[format.IMAGE_TEE_FIRST + 1]!.place;

  for (const [what, pa] of [
    ["image", imagePa],
    ["device tree", treePa],
  ] as const)
    test(`one whose ${what} is another than at boot never runs; its guest does, and so does its neighbour`, async () => {
      const lab = await aLab();
      const neighbour = lab.aGuest({ core: 1 });
      flip(pa)(lab.machine);

      lab.runVcpu(lab.aVm().vcpus[0]!);

      const [, second] = lab.status.guests;
      assert.equal(second?.state, "faulted");
      const { arguments: words } = lab.status.events.findLast(({ kind }) => kind === "tee-faulted")!;
      assert.deepEqual(words.map(Number), [FAULT_IMAGE, refusal.BOOT_REFUSED_IMAGE_HASH]);
      assert.equal(lab.status.guests[0]?.state, "ready");
      assert(neighbour.vttbr !== 0n);
    });

  test("also when the boot compartment has begun anew since the machine's boot", async () => {
    const lab = await aLab();
    lab.machine.forcedEnd = "abort";
    lab.runVcpu(lab.aVm().vcpus[0]!);
    assert.equal(lab.status.guests[0]?.state, "faulted");

    lab.runVcpu(lab.aVm().vcpus[0]!, 1);

    assert.equal(lab.status.guests[1]?.state, "booting");
  });
});

test("the measurement is SHA-256 of the executable pages in the order of their addresses", async () => {
  const { machine, lockDown } = await anUnlockedMachine();

  lockDown();

  const hash = createHash("sha256");
  for (const pa of textPages()) hash.update(machine.memory.bytes(pa, 0x1000));
  assert.equal(statusOf(machine).protection.measurement, hash.digest("hex"));
});

/** What of the hypervisor's image may be executed. */
function textPages(): number[] {
  const ranges = [IMAGE_PAGES.text, IMAGE_PAGES.initText];
  return ranges.flatMap(([first, end]) =>
    Array.from({ length: end - first }, (_, index) => imagePa(first + index)),
  );
}
