// Rows of the dispatch table for the hypervisor: replaced writes of translation registers, PSCI and SMCCC calls.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { POOL_EMPTY_ROOT_OFFSET } from "../../abi/memory-map.ts";
import * as smccc from "../../abi/smccc.ts";
import { assertFatal, NOT_SUPPORTED } from "../drivers/asserts.ts";
import { changesBy } from "../drivers/changes.ts";
import { smc } from "../drivers/exceptions.ts";
import { XEN_VBAR } from "../drivers/hypervisor.ts";
import { aLab } from "../drivers/lab.ts";
import { word } from "../machine/source-words.ts";

const INVALID_PARAMETERS = NOT_SUPPORTED - 1n;
const ALREADY_ON = NOT_SUPPORTED - 3n;

suite("replaced writes of the hypervisor", () => {
  const REGISTERS = ["TTBR0", "TCR", "MAIR", "SCTLR", "VBAR", "VTCR", "HCR"] as const;

  for (const register of REGISTERS) {
    test(`${register}_EL2 takes the value of any Rt, XZR included, and nothing else changes`, async () => {
      const lab = await aLab();
      const core = lab.core(0);
      for (const rt of [0, 17, 30, 31]) {
        // A root keeps its address: the monitor maps its vectors there.
        const value =
          rt === 31 ? 0n : register === "TTBR0" ? BigInt(lab.hypervisor.rootPa) : 0x4000n + BigInt(rt);
        if (register === "TTBR0" && rt === 31) continue;
        const physical = lab.machine.memory.snapshot();

        lab.hypervisor.writes(core, register, value, rt);

        assert.equal(core.get(`${register}_EL2`), value);
        assert.deepEqual(lab.machine.memory.changesSince(physical), []);
      }
    });
  }

  test("HCR_EL2.TSC is never set, every other bit is the hypervisor's", async () => {
    const lab = await aLab();

    lab.hypervisor.writes(lab.core(0), "HCR", 0xffffffffffffffffn);

    assert.equal(lab.core(0).get("HCR_EL2"), 0xffffffffffffffffn & ~word("HCR_EL2_TSC"));
  });

  test("VBAR_EL2 written while a VM waits for its TEE takes effect when it need not wait any more", async () => {
    const lab = await aLab();
    lab.hypervisor.run(lab.core(0), lab.aVm().vcpus[0]!);
    lab.hypervisor.interrupt(lab.core(0));

    lab.hypervisor.writes(lab.core(0), "VBAR", XEN_VBAR);
    assert.equal(lab.core(0).get("VBAR_EL2") >> 39n, word("TOP_SLOT"));
    lab.hypervisor.writes(lab.core(0), "VTTBR", lab.hypervisor.controlDomain.vttbr);

    assert.equal(lab.core(0).get("VBAR_EL2"), XEN_VBAR);
  });

  test("a stage-2 root outside of RAM is a violation, and its VMID has no memory", async () => {
    for (const root of [0x0e000000n, 0x0900_0000n, 0x7e00_0000n, 0xffff_ffff_f000n, 0x4000_0800n]) {
      const lab = await aLab();
      lab.hypervisor.writes(lab.core(0), "VTTBR", (7n << 48n) | root);

      const empty = BigInt(lab.machine.bootPackage.poolPa + POOL_EMPTY_ROOT_OFFSET);
      assert.equal(lab.core(0).get("VTTBR_EL2"), (7n << 48n) | empty);
      assert.equal(lab.eventKinds.at(-1), "violation", root.toString(16));
    }
  });

  test("a register that nobody replaces is a broken image: fatal", async () => {
    const lab = await aLab();
    assertFatal(() => smc(lab.machine, lab.core(0), 0x8000 | (8 << 5)), "FATAL_HYPERVISOR_CALL");
  });

  test("an immediate that nobody writes is fatal", async () => {
    const lab = await aLab();
    assertFatal(() => smc(lab.machine, lab.core(0), 0x1234), "FATAL_HYPERVISOR_CALL");
  });
});

suite("PSCI and SMCCC calls of the hypervisor", () => {
  const SERVED = Object.entries(smccc).filter(
    ([name]) => name.endsWith("_FID") && !name.includes("SYSTEM") && !name.includes("CPU_OFF"),
  );
  const ANSWERS: Record<string, bigint> = {
    SMCCC_VERSION_FID: BigInt(smccc.SMCCC_VERSION_1_1),
    SMCCC_ARCH_FEATURES_FID: NOT_SUPPORTED, // asked for id 0
    PSCI_VERSION_FID: BigInt(smccc.PSCI_VERSION_1_1),
    PSCI_FEATURES_FID: NOT_SUPPORTED,
    PSCI_AFFINITY_INFO_FID: 0n,
    PSCI_AFFINITY_INFO_64_FID: 0n,
    PSCI_MIGRATE_INFO_TYPE_FID: BigInt(smccc.PSCI_MIGRATE_NOT_REQUIRED),
    PSCI_CPU_ON_64_FID: ALREADY_ON,
  };

  for (const [name, fid] of SERVED) {
    test(`${name} answers in x0 and changes nothing else`, async () => {
      const lab = await aLab();
      assert(name in ANSWERS, "a call without a row here");

      const changes = changesBy(lab, () => {
        assert.equal(lab.hypervisor.call(lab.core(0), fid, 0, 0, 0), ANSWERS[name]);
      });

      const words = ["0.X0", "0.X1", "0.X2", "0.X3", "0.PC"]; // x1 to x3 are the call's own
      assert.deepEqual(
        changes.registers.filter((register) => !words.includes(register)),
        [],
      );
      assert.deepEqual([changes.linear, changes.physical], [[], []]);
    });

    test(`${name} is offered by PSCI_FEATURES`, async () => {
      const lab = await aLab();
      assert.equal(lab.hypervisor.call(lab.core(0), smccc.PSCI_FEATURES_FID, fid), 0n);
    });
  }

  test("what is not served is NOT_SUPPORTED and not offered", async () => {
    const lab = await aLab();
    for (const fid of [0x84000001, 0xc4000001, 0x80008000, 0x84000050, 0x84000003, 0xbf00ff01]) {
      assert.equal(lab.hypervisor.call(lab.core(0), fid), NOT_SUPPORTED);
      assert.equal(lab.hypervisor.call(lab.core(0), smccc.PSCI_FEATURES_FID, fid), NOT_SUPPORTED);
    }
  });

  test("CPU_ON refuses cores that are not there and entry points that are no instruction's", async () => {
    const lab = await aLab();
    const rows = [
      [2, 0x48000000],
      [0x100, 0x48000000],
      [0x100000000n, 0x48000000],
      [1, 0x48000002],
    ] as const;
    for (const [target, entry] of rows)
      assert.equal(
        lab.hypervisor.call(lab.core(0), smccc.PSCI_CPU_ON_64_FID, target, entry),
        INVALID_PARAMETERS,
      );
    assert.equal(lab.hypervisor.call(lab.core(0), smccc.PSCI_AFFINITY_INFO_64_FID, 2), INVALID_PARAMETERS);
  });

  test("a core goes off, is seen off, and comes back at the entry point that CPU_ON names", async () => {
    const lab = await aLab();
    lab.hypervisor.call(lab.core(1), smccc.PSCI_CPU_OFF_FID);
    assert(lab.core(1).isParked);
    const off = BigInt(smccc.PSCI_AFFINITY_OFF);
    assert.equal(lab.hypervisor.call(lab.core(0), smccc.PSCI_AFFINITY_INFO_64_FID, 1), off);

    assert.equal(lab.hypervisor.call(lab.core(0), smccc.PSCI_CPU_ON_64_FID, 1, 0x48001000, 0x77), 0n);

    assert.equal(lab.core(1).pc, 0x48001000n);
    assert.equal(lab.core(1).x[0], 0x77n);
    assert(
      lab
        .core(1)
        .x.slice(1)
        .every((value) => value === 0n),
    );
    assert.equal(lab.core(1).get("HCR_EL2"), 0n);
  });

  test("SYSTEM_OFF and SYSTEM_RESET pull the board's lines", async () => {
    for (const [fid, power] of [
      [smccc.PSCI_SYSTEM_OFF_FID, "off"],
      [smccc.PSCI_SYSTEM_RESET_FID, "reset"],
    ] as const) {
      const lab = await aLab();
      lab.hypervisor.call(lab.core(0), fid);
      assert.equal(lab.machine.devices.power, power);
    }
  });
});
