// Rows of the dispatch table for the hypervisor: replaced writes of translation registers, PSCI and SMCCC calls.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as smccc from "../../abi/smccc.ts";
import { assertUndefined, NOT_SUPPORTED } from "../drivers/asserts.ts";
import { changesBy } from "../drivers/changes.ts";
import { smc } from "../drivers/exceptions.ts";
import { XEN_HCR, XEN_VBAR } from "../drivers/hypervisor.ts";
import { hypervisorVectorFaults } from "../drivers/hypervisor-vectors.ts";
import { aLab, anUnlockedMachine } from "../drivers/lab.ts";
import { word } from "../machine/source-words.ts";

const INVALID_PARAMETERS = NOT_SUPPORTED - 1n;
const DENIED = NOT_SUPPORTED - 2n;
const ALREADY_ON = NOT_SUPPORTED - 3n;

suite("replaced writes of the hypervisor before lockdown", () => {
  const REGISTERS = ["TTBR0", "TCR", "MAIR", "SCTLR", "VBAR", "VTCR", "HCR"] as const;

  for (const register of REGISTERS) {
    test(`${register}_EL2 takes the value of any Rt, XZR included, and nothing else changes`, async () => {
      const { machine, hypervisor, core } = await anUnlockedMachine();
      for (const rt of [0, 17, 30, 31]) {
        const value = rt === 31 ? 0n : 0x4000n + BigInt(rt);
        const physical = machine.memory.snapshot();

        hypervisor.writes(core, register, value, rt);

        assert.equal(core.get(`${register}_EL2`), value);
        assert.deepEqual(machine.memory.changesSince(physical), []);
      }
    });
  }

  test("HCR_EL2.TSC is never set, every other bit is the hypervisor's", async () => {
    const { hypervisor, core } = await anUnlockedMachine();

    hypervisor.writes(core, "HCR", 0xffffffffffffffffn);

    assert.equal(core.get("HCR_EL2"), 0xffffffffffffffffn & ~word("HCR_EL2_TSC"));
  });
});

suite("replaced writes of the hypervisor after lockdown", () => {
  const FIXED = ["TTBR0", "TCR", "MAIR", "SCTLR", "VBAR", "VTCR"] as const;

  for (const register of FIXED) {
    test(`${register}_EL2 may be written again as it is; another value is undefined`, async () => {
      const lab = await aLab();
      const core = lab.core(0);
      const now = register === "VBAR" ? XEN_VBAR : core.get(`${register}_EL2`);
      const kept = core.get(`${register}_EL2`);

      assert(lab.hypervisor.writes(core, register, now));
      for (const value of [0n, now ^ 1n, now ^ (1n << 63n), 2n ** 64n - 1n]) {
        const at = core.pc;
        assert(!lab.hypervisor.writes(core, register, value), value.toString(16));
        assertUndefined(lab, at, "0x3");
      }

      assert.equal(core.get(`${register}_EL2`), kept);
    });
  }

  test("HCR_EL2 keeps stage 2 on and SMCs untrapped; TGE and E2H are undefined", async () => {
    const lab = await aLab();
    const core = lab.core(0);

    assert(lab.hypervisor.writes(core, "HCR", word("HCR_EL2_TSC") | word("HCR_EL2_RW")));
    assert.equal(core.get("HCR_EL2"), word("HCR_EL2_VM") | word("HCR_EL2_RW"));
    for (const bit of ["TGE", "E2H"]) {
      const at = core.pc;
      assert(!lab.hypervisor.writes(core, "HCR", XEN_HCR | word(`HCR_EL2_${bit}`)));
      assertUndefined(lab, at, "0x4");
    }

    assert.equal(core.get("HCR_EL2"), word("HCR_EL2_VM") | word("HCR_EL2_RW"));
  });

  test("HCR_EL2.CD and ID are never set: stage 2 is walked through the caches, by every way to write it", async () => {
    const bits = word("HCR_EL2_CD") | word("HCR_EL2_ID");
    const lab = await aLab();
    for (const value of [XEN_HCR | bits, XEN_HCR | word("HCR_EL2_CD"), XEN_HCR | word("HCR_EL2_ID")]) {
      assert(lab.hypervisor.writes(lab.core(0), "HCR", value));
      assert.equal(lab.core(0).get("HCR_EL2"), XEN_HCR & ~word("HCR_EL2_TSC"));
    }
    const { hypervisor, core, lockDown } = await anUnlockedMachine();
    hypervisor.writes(core, "HCR", XEN_HCR | bits);
    lockDown();
    assert.equal(core.get("HCR_EL2") & bits, 0n);
  });

  test("VBAR_EL2 written while a VM waits for its TEE takes effect when it need not wait any more", async () => {
    const lab = await aLab();
    lab.hypervisor.run(lab.core(0), lab.aVm().vcpus[0]!);
    lab.hypervisor.interrupt(lab.core(0));

    lab.hypervisor.writes(lab.core(0), "VBAR", XEN_VBAR);
    assert.equal(lab.core(0).get("VBAR_EL2") >> 39n, word("TOP_SLOT"));
    lab.hypervisor.writes(lab.core(0), "VTTBR", lab.hypervisor.controlDomain.vttbr);

    assert.deepEqual(hypervisorVectorFaults(lab, lab.core(0)), []);
  });

  test("a stage-2 root outside of the hypervisor's RAM is undefined, and what was loaded stays", async () => {
    for (const root of [0x0e000000n, 0x0900_0000n, 0x7e00_0000n, 0xffff_ffff_f000n, 0x4000_0800n]) {
      const lab = await aLab();
      const before = lab.core(0).get("VTTBR_EL2");
      const at = lab.core(0).pc;

      assert(!lab.hypervisor.writes(lab.core(0), "VTTBR", (7n << 48n) | root));

      assert.equal(lab.core(0).get("VTTBR_EL2"), before);
      assertUndefined(lab, at, "0x1");
    }
  });

  test("a register that nobody replaces is undefined, before lockdown as well", async () => {
    const { machine, core } = await anUnlockedMachine();
    smc(machine, core, 0x8000 | (8 << 5));
    assert.equal(core.pc, XEN_VBAR + 0x200n);
    const lab = await aLab();
    lab.hypervisor.issues(lab.core(0), 0x8000 | (8 << 5));
    assert.equal(lab.eventKinds.at(-1), "violation");
  });

  test("an immediate that nobody writes is undefined at EL2, and recorded", async () => {
    for (const imm16 of [0x1234, 0x4010, 0x4101, 0x3fff, 0x0001]) {
      const lab = await aLab();
      const at = lab.core(0).pc;

      assert(!lab.hypervisor.issues(lab.core(0), imm16));

      assertUndefined(lab, at, "0x5");
      assert.equal(lab.status.events.at(-1)?.arguments[1], `0x${imm16.toString(16)}`);
    }
  });
});

suite("PSCI and SMCCC calls of the hypervisor", () => {
  const SERVED = Object.entries(smccc).filter(
    ([name]) =>
      name.endsWith("_FID") &&
      !name.startsWith("TRNG") &&
      !name.includes("SYSTEM") &&
      !name.includes("CPU_OFF"),
  );
  const ANSWERS: Record<string, bigint> = {
    SMCCC_VERSION_FID: BigInt(smccc.SMCCC_VERSION_1_1),
    SMCCC_ARCH_FEATURES_FID: NOT_SUPPORTED, // asked for id 0
    PSCI_VERSION_FID: BigInt(smccc.PSCI_VERSION_1_1),
    PSCI_FEATURES_FID: NOT_SUPPORTED,
    PSCI_AFFINITY_INFO_FID: 0n,
    PSCI_AFFINITY_INFO_64_FID: 0n,
    PSCI_MIGRATE_INFO_TYPE_FID: BigInt(smccc.PSCI_MIGRATE_NOT_REQUIRED),
    PSCI_CPU_ON_64_FID: DENIED, // since lockdown
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
    const { machine, hypervisor, core } = await anUnlockedMachine();
    const other = machine.cores[1]!;
    assert.equal(hypervisor.call(core, smccc.PSCI_CPU_ON_64_FID, 1, 0x48000000), 0n);
    assert.equal(hypervisor.call(core, smccc.PSCI_CPU_ON_64_FID, 1, 0x48000000), ALREADY_ON);
    hypervisor.call(other, smccc.PSCI_CPU_OFF_FID);
    assert(other.isParked);
    const off = BigInt(smccc.PSCI_AFFINITY_OFF);
    assert.equal(hypervisor.call(core, smccc.PSCI_AFFINITY_INFO_64_FID, 1), off);

    assert.equal(hypervisor.call(core, smccc.PSCI_CPU_ON_64_FID, 1, 0x48001000, 0x77), 0n);

    assert.equal(other.pc, 0x48001000n);
    assert.equal(other.x[0], 0x77n);
    assert(other.x.slice(1).every((value) => value === 0n));
    assert.equal(other.get("HCR_EL2"), 0n);
  });

  test("after lockdown no core starts any more: it would start without translation, where the caller says", async () => {
    const lab = await aLab();
    lab.hypervisor.call(lab.core(1), smccc.PSCI_CPU_OFF_FID);

    assert.equal(lab.hypervisor.call(lab.core(0), smccc.PSCI_CPU_ON_64_FID, 1, 0x48001000), DENIED);

    assert(lab.core(1).isParked);
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
