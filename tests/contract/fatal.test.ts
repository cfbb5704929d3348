// What stops the machine, and that it does: FATAL_* of abi/epitaph.ts. Nothing that a guest or a TEE does is among it.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as abi from "../../abi/boot-package.ts";
import * as images from "../../abi/compartment-images.ts";
import {
  BOOT_PACKAGE_PA,
  COMPARTMENT_IMAGES_PA,
  DEVICE_PAGE_PA,
  TEE_RAM_IPA,
  TEE_RAM_SIZE,
} from "../../abi/memory-map.ts";
import { assertFatal, isFatal } from "../drivers/asserts.ts";
import { esrOf } from "../drivers/exceptions.ts";
import { aBootPackage, aLab, anUnlockedMachine } from "../drivers/lab.ts";
import { signAnew } from "../drivers/packages.ts";
import { Machine } from "../machine/machine.ts";
import { monitorModule } from "../machine/monitor.ts";

suite("what must never happen stops the machine", () => {
  const boot = async (change: (machine: Machine) => void) => {
    const machine = new Machine(await monitorModule(), aBootPackage());
    change(machine);
    signAnew(machine);
    machine.reset();
  };

  const ROW_PA = BOOT_PACKAGE_PA + abi.TEE_ROW_BASE; // the first TEE's

  test("no boot package in flash", async () => {
    await assert.rejects(
      boot((machine) => machine.memory.write(BOOT_PACKAGE_PA, 4, 0n)),
      (error) => isFatal(error, "FATAL_BOOT_REFUSED"),
    );
  });

  test("no device page in flash", async () => {
    await assert.rejects(
      boot((machine) => machine.memory.write(DEVICE_PAGE_PA, 8, 0n)),
      (error) => isFatal(error, "FATAL_BOOT_DEVICE"),
    );
  });

  test("compartments that are not there, are too many, or do not fit into secure RAM", async () => {
    const damages: [offset: number, value: bigint][] = [
      [images.COMPARTMENT_IMAGES_MAGIC, 0n],
      [images.COMPARTMENT_IMAGES_COUNT, BigInt(images.COMPARTMENT_ROWS_MAX + 1)],
      [images.COMPARTMENT_ROW_BASE + images.COMPARTMENT_MEMORY_PAGES, 512n],
      [images.COMPARTMENT_ROW_BASE + images.COMPARTMENT_WINDOW_TABLES, 0x1000n],
    ];
    for (const [offset, value] of damages)
      await assert.rejects(
        boot((machine) => {
          const pa = COMPARTMENT_IMAGES_PA + offset;
          machine.memory.write(COMPARTMENT_IMAGES_PA + images.COMPARTMENT_IMAGES_COUNT, 4, 1n);
          machine.memory.write(pa, 4, value);
        }),
        (error) => isFatal(error, "FATAL_COMPARTMENTS"),
      );
  });

  test("a boot package without a TEE, or with too many", async () => {
    for (const count of [0n, 9n])
      await assert.rejects(
        boot((machine) => machine.memory.write(BOOT_PACKAGE_PA + abi.BOOT_TEE_COUNT, 4, count)),
        (error) => isFatal(error, "FATAL_BOOT_REFUSED"),
      );
  });

  test("a TEE image that does not fit its RAM, or does not begin a page: behind it lies the next guest's", async () => {
    for (const loadIpa of [
      TEE_RAM_IPA + TEE_RAM_SIZE - 0x2000,
      TEE_RAM_IPA - 0x1000,
      TEE_RAM_IPA + 0x10_0010,
    ])
      await assert.rejects(
        boot((machine) => machine.memory.write(ROW_PA + abi.TEE_LOAD_IPA, 8, BigInt(loadIpa))),
        (error) => isFatal(error, "FATAL_BOOT_PACKAGE"),
      );
  });

  const badRows: [string, Record<number, number>][] = [
    ["an entry kind that there is not", { [abi.TEE_ENTRY_KIND]: 2 }],
    ["a timer that there is not", { [abi.TEE_TIMER]: 2 }],
    ["a kind of foreign interrupt that there is not", { [abi.TEE_FOREIGN_INTERRUPT]: 3 }],
    ["a foreign interrupt that is no SPI", { [abi.TEE_FOREIGN_INTERRUPT]: 1, [abi.TEE_FOREIGN_INTID]: 27 }],
    [
      "a foreign interrupt beyond the distributor",
      { [abi.TEE_FOREIGN_INTERRUPT]: 1, [abi.TEE_FOREIGN_INTID]: 160 },
    ],
    ["a meaning of WFI that there is not", { [abi.TEE_WFI]: 2 }],
    ["a clock that there is not", { [abi.TEE_CLOCK]: 2 }],
    ["no core", { [abi.TEE_CORE_COUNT]: 0 }],
    ["five cores", { [abi.TEE_CORE_COUNT]: 5 }],
    ["several cores that are entered behind their SMC", { [abi.TEE_ENTRY_KIND]: 1, [abi.TEE_CORE_COUNT]: 2 }],
    ["several cores whose clock stands still", { [abi.TEE_TIMER]: 1, [abi.TEE_CORE_COUNT]: 2 }],
    ["a key site between two instructions", { [abi.TEE_KEY_SITE]: 0x802 }],
    ["a key site that ends behind its image", { [abi.TEE_KEY_SITE]: 0x3000 - 0x18 }],
    ["a key site far behind its image", { [abi.TEE_KEY_SITE]: 0xffff_fffc }],
    ["memory before the first value of its device tree", { [abi.TEE_DEVICE_TREE_MEMORY]: 7 }],
    ["memory beyond the end of its device tree", { [abi.TEE_DEVICE_TREE_MEMORY]: 0x10000 }],
  ];
  for (const [name, words] of badRows) {
    test(`a profile with ${name}`, async () => {
      await assert.rejects(
        boot((machine) => {
          for (const [at, word] of Object.entries(words))
            machine.memory.write(ROW_PA + Number(at), 4, BigInt(word));
        }),
        (error) => isFatal(error, "FATAL_BOOT_PACKAGE"),
      );
    });
  }

  test("a profile of every kind that there is", async () => {
    await boot((machine) => {
      const words: [number, number][] = [
        [abi.TEE_ENTRY_KIND, 1],
        [abi.TEE_TIMER, 1],
        [abi.TEE_KEY_SITE, 0x3000 - 0x1c], // its last words
        [abi.TEE_FOREIGN_INTERRUPT, 1],
        [abi.TEE_FOREIGN_INTID, 159],
        [abi.TEE_WFI, 1],
        [abi.TEE_CLOCK, 1],
        [abi.TEE_CORE_COUNT, 1],
      ];
      for (const [at, word] of words) machine.memory.write(ROW_PA + at, 4, BigInt(word));
    });
  });

  test("more cores than the monitor has room for, or none", async () => {
    for (const count of [0n, 9n])
      await assert.rejects(
        boot((machine) => machine.memory.write(BOOT_PACKAGE_PA + abi.BOOT_CORE_COUNT, 4, count)),
        (error) => isFatal(error, "FATAL_CORES"),
      );
  });

  test("an exception class that EL3 does not take", async () => {
    const lab = await aLab();
    assertFatal(() => lab.machine.synchronous(lab.core(0), esrOf(0x18n)), "FATAL_EXCEPTION_CLASS");
  });

  test("a hypervisor whose last top-level slot is taken", async () => {
    const { machine, hypervisor, lockDown } = await anUnlockedMachine();
    machine.memory.write64(hypervisor.rootPa + 511 * 8, machine.memory.read64(hypervisor.rootPa + 20 * 8));
    machine.memory.write64(hypervisor.rootPa + 20 * 8, 0n);
    assertFatal(lockDown, "FATAL_VECTORS");
  });

  test("a hypervisor without write-back memory", async () => {
    const { hypervisor, core, lockDown } = await anUnlockedMachine();
    hypervisor.writes(core, "MAIR", 0x4444n);
    assertFatal(lockDown, "FATAL_MAIR");
  });

  test("a hypervisor whose stage 2 does not start at level 0", async () => {
    const { hypervisor, core, lockDown } = await anUnlockedMachine();
    hypervisor.writes(core, "VTCR", 0x80043558n);
    assertFatal(lockDown, "FATAL_STAGE2_FORMAT");
  });
});
