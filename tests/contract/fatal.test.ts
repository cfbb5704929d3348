// What stops the machine, and that it does: FATAL_* of el3/monitor/trace/epitaph.ts. Nothing that a guest or a TEE does is among it.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { assertFatal, isFatal } from "../drivers/asserts.ts";
import { esrOf } from "../drivers/exceptions.ts";
import { Hypervisor } from "../drivers/hypervisor.ts";
import { aBootPackage, aLab, taggedValues } from "../drivers/lab.ts";
import type { Core } from "../machine/core.ts";
import { Machine } from "../machine/machine.ts";
import { monitorModule } from "../machine/monitor.ts";

suite("what must never happen stops the machine", () => {
  const boot = async (change: (machine: Machine) => void) => {
    const machine = new Machine(await monitorModule(), aBootPackage());
    change(machine);
    machine.reset();
  };

  test("no boot package in flash", async () => {
    await assert.rejects(
      boot((machine) => machine.memory.write(0x100000, 4, 0n)),
      (error) => isFatal(error, "FATAL_BOOT_PACKAGE"),
    );
  });

  test("a boot package without a TEE, or with too many", async () => {
    for (const count of [0n, 9n])
      await assert.rejects(
        boot((machine) => machine.memory.write(0x100044, 4, count)),
        (error) => isFatal(error, "FATAL_BOOT_PACKAGE"),
      );
  });

  test("a TEE image that does not fit its RAM: behind it lies the next guest's", async () => {
    const sizePa = 0x100100 + 0x18; // TEE_IMAGE_SIZE of the first row
    await assert.rejects(
      boot((machine) => machine.memory.write(sizePa, 8, 0xf0_0001n)), // loaded 1 MiB into 16 MiB
      (error) => isFatal(error, "FATAL_BOOT_PACKAGE"),
    );
  });

  test("more cores than the monitor has room for, or none", async () => {
    for (const count of [0n, 9n])
      await assert.rejects(
        boot((machine) => machine.memory.write(0x100040, 4, count)),
        (error) => isFatal(error, "FATAL_CORES"),
      );
  });

  test("an exception class that EL3 does not take", async () => {
    const lab = await aLab();
    assertFatal(() => lab.machine.synchronous(lab.core(0), esrOf(0x18n)), "FATAL_EXCEPTION_CLASS");
  });

  test("a hypervisor whose last top-level slot is taken", async () => {
    const lab = await aLab();
    const rootPa = lab.hypervisor.allocate();
    lab.machine.memory.zero(rootPa, 0x1000);
    lab.machine.memory.write64(rootPa + 511 * 8, 3n);
    assertFatal(() => lab.hypervisor.writes(lab.core(0), "TTBR0", BigInt(rootPa)), "FATAL_VECTORS");
  });

  /** A hypervisor that has done one thing differently, at the moment it runs its first VM. */
  const lockDown = async (change: (hypervisor: Hypervisor, core: Core) => void) => {
    const machine = new Machine(await monitorModule(), aBootPackage());
    machine.reset();
    const hypervisor = new Hypervisor(machine, taggedValues(0x1111n));
    const core = machine.cores[0]!;
    hypervisor.bootCore(core);
    change(hypervisor, core);
    hypervisor.run(core, hypervisor.controlDomain.vcpus[0]!);
  };

  test("a hypervisor without write-back memory", async () => {
    await assert.rejects(
      lockDown((hypervisor, core) => hypervisor.writes(core, "MAIR", 0x4444n)),
      (error) => isFatal(error, "FATAL_MAIR"),
    );
  });

  test("a hypervisor whose stage 2 does not start at level 0", async () => {
    await assert.rejects(
      lockDown((hypervisor, core) => hypervisor.writes(core, "VTCR", 0x80043558n)),
      (error) => isFatal(error, "FATAL_STAGE2_FORMAT"),
    );
  });
});
