// Xen jumps to the calls that have replaced its writes of translation registers, with values of its choice; and it asks PSCI for cores that start
// where it likes. Classes B, C and E of the threat model.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as hardening from "../../abi/hardening.ts";
import { POOL_STAGE2_OFFSET, POOL_STAGE2_SIZE } from "../../abi/memory-map.ts";
import { PSCI_CPU_ON_64_FID } from "../../abi/smccc.ts";
import { VIOLATION_HCR, VIOLATION_REGISTER, VIOLATION_STAGE2_ROOT } from "../../abi/status.ts";
import { word } from "../machine/source-words.ts";
import { type AttackLab, rootPaOf, syndromeOf, vmidOf, withVmid } from "./attack-lab.ts";
import type { Outcome } from "./hostile-xen.ts";
import { outputPa } from "./live-tables.ts";

const BLOCK = word("STAGE2_BLOCK_NORMAL_RWX");
const TABLE = word("DESCRIPTOR_TABLE");
const CNP = word("VTTBR_EL2_CNP");
/** An N world may have it, and none has. */
const UNUSED_VMID = 77n;
const LAST_VMID = 255n;
const LAST_VMID_OF_NORMAL_WORLDS = 239n;

const FIXED: readonly {
  readonly what: string;
  readonly register: string;
  readonly index: number;
  readonly wrong: (value: bigint) => bigint;
}[] = [
  {
    what: "other tables in TTBR0_EL2",
    register: "TTBR0_EL2",
    index: hardening.HARDENED_TTBR0_EL2,
    wrong: (value) => value + 0x1000n,
  },
  {
    what: "another size of addresses in TCR_EL2",
    register: "TCR_EL2",
    index: hardening.HARDENED_TCR_EL2,
    wrong: (value) => value + 9n,
  },
  {
    what: "other memory types in MAIR_EL2",
    register: "MAIR_EL2",
    index: hardening.HARDENED_MAIR_EL2,
    wrong: () => 0n,
  },
  {
    what: "the MMU off in SCTLR_EL2",
    register: "SCTLR_EL2",
    index: hardening.HARDENED_SCTLR_EL2,
    wrong: (value) => value & ~word("SCTLR_EL2_M"),
  },
  {
    what: "writable pages executable in SCTLR_EL2 (WXN off)",
    register: "SCTLR_EL2",
    index: hardening.HARDENED_SCTLR_EL2,
    wrong: (value) => value & ~word("SCTLR_EL2_WXN"),
  },
  {
    what: "vectors of its own in VBAR_EL2",
    register: "VBAR_EL2",
    index: hardening.HARDENED_VBAR_EL2,
    wrong: (value) => value + 0x800n,
  },
  {
    what: "16-bit VMIDs in VTCR_EL2",
    register: "VTCR_EL2",
    index: hardening.HARDENED_VTCR_EL2,
    wrong: (value) => value ^ word("VTCR_EL2_VS"),
  },
];

const SUSPEND_64 = 0xc4000001n;
const SYSTEM_SUSPEND_64 = 0xc400000en;
const SYSTEM_RESET2_64 = 0xc4000012n;
const MIGRATE_64 = 0xc4000005n;
const CPU_ON_32 = 0x84000003n;

export function registerAttacks(labOf: () => AttackLab): void {
  /** Jumps to the call for a register with a value. */
  const writeRegister = (core: number, index: number, value: bigint): Promise<Outcome> => {
    const { va, source } = labOf().xen.gadgets.hardened(index);
    return labOf().xen.jump(core, va, { [source]: value });
  };

  /** The call is undefined, as seen from Xen. */
  const assertUndefined = (outcome: Outcome, index: number) => {
    assert.equal(syndromeOf(outcome).exceptionClass, word("ESR_EL2_EC_UNKNOWN"));
    assert.equal(outcome.elr, labOf().xen.gadgets.hardened(index).va);
  };

  const refusedRoot = async (core: number, value: bigint) => {
    const index = hardening.HARDENED_VTTBR_EL2;
    const step = () => writeRegister(core, index, value);
    assertUndefined(await labOf().refused(core, VIOLATION_STAGE2_ROOT, value, step), index);
  };

  suite("Xen and the registers of translation", () => {
    for (const { what, register, index, wrong } of FIXED)
      test(`writes, through the call that has replaced its write, ${what}: undefined`, async () => {
        const { xen } = labOf();
        await xen.attack(async (core) => {
          const { imm16 } = xen.gadgets.hardened(index);
          const value = wrong(await xen.gdb.readSystemRegister(core, register));

          const outcome = await labOf().refused(core, VIOLATION_REGISTER, BigInt(imm16), () =>
            writeRegister(core, index, value),
          );

          assertUndefined(outcome, index);
        });
      });

    test("loads a root that it has made by hand, with a TEE in it", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        const [rootPa, level1Pa] = await labOf().scratchPages(2);
        await labOf().storeOwn(core, rootPa!, BigInt(level1Pa!) | TABLE);
        await labOf().storeOwn(
          core,
          level1Pa!,
          (BigInt(victimPa) & word("BLOCK_L1_OUTPUT_ADDRESS_MASK")) | BLOCK,
        );

        await refusedRoot(core, withVmid(UNUSED_VMID, rootPa!));

        await labOf().storeOwn(core, rootPa!, 0n);
        await labOf().storeOwn(core, level1Pa!, 0n);
      });
    });

    test("loads the root of one VM under the VMID of another, or under one of no VM", async () => {
      const { xen, guests } = labOf();
      await xen.attack(async (core) => {
        const [first, second] = guests.map(({ vttbr }) => vttbr);
        await refusedRoot(core, withVmid(vmidOf(first!), rootPaOf(second!)));
        await refusedRoot(core, withVmid(UNUSED_VMID, rootPaOf(first!)));
        await refusedRoot(core, withVmid(vmidOf(first!), rootPaOf(labOf().controlDomainVttbr)));
      });
    });

    test("loads the root of an S world, under its VMID and under the guest's", async () => {
      const { xen, guests, poolPa } = labOf();
      await xen.attack(async (core) => {
        for (const [slot, { vttbr }] of guests.entries()) {
          const rootPa = poolPa + POOL_STAGE2_OFFSET + slot * POOL_STAGE2_SIZE;
          await refusedRoot(core, withVmid(LAST_VMID - BigInt(slot), rootPa));
          await refusedRoot(core, withVmid(vmidOf(vttbr), rootPa));
        }
      });
    });

    test("loads a guest's root under a VMID of the S worlds, and one beyond 8 bits", async () => {
      const { xen, guests } = labOf();
      await xen.attack(async (core) => {
        const rootPa = rootPaOf(guests[0]!.vttbr);
        for (const vmid of [LAST_VMID, LAST_VMID_OF_NORMAL_WORLDS + 1n, vmidOf(guests[0]!.vttbr) + 0x100n])
          await refusedRoot(core, withVmid(vmid, rootPa));
      });
    });

    test("loads a guest's root by another name: CnP, an address that is not aligned", async () => {
      const { xen, guests } = labOf();
      await xen.attack(async (core) => {
        const { vttbr } = guests[0]!;
        for (const value of [vttbr | CNP, vttbr | 0x800n]) await refusedRoot(core, value);
      });
    });

    test("loads as a root what is none: a lower table, a stage-1 table, text, a device, nothing", async () => {
      const { xen, guests } = labOf();
      await xen.attack(async (core) => {
        const [, level1] = await labOf().stage2(guests[0]!.vttbr).walk(0n);
        const lowerPa = level1!.pa - (level1!.pa % 0x1000);
        const { ramPa, ramSize } = labOf().machine.state.ram;
        const places = [lowerPa, xen.stage1.rootPa, outputPa(xen.text[0]!), 0x08000000, ramPa + ramSize];
        for (const pa of places) await refusedRoot(core, withVmid(UNUSED_VMID, pa));
      });
    });

    test("takes stage 2 away from what runs below it: HCR_EL2.VM stays, TSC stays off", async () => {
      const { xen } = labOf();
      const index = hardening.HARDENED_HCR_EL2;
      await xen.attack(async (core) => {
        const hcr = await xen.gdb.readSystemRegister(core, "HCR_EL2");
        const wanted = (hcr & ~word("HCR_EL2_VM")) | word("HCR_EL2_TSC");

        const outcome = await labOf().harmless(core, () => writeRegister(core, index, wanted));

        assert.equal(outcome.end, "done");
        assert.notEqual(hcr & word("HCR_EL2_VM"), 0n);
        assert.equal(hcr & word("HCR_EL2_TSC"), 0n);
      });
    });

    test("makes EL2 another regime: HCR_EL2.TGE and E2H are undefined", async () => {
      const { xen } = labOf();
      const index = hardening.HARDENED_HCR_EL2;
      await xen.attack(async (core) => {
        const hcr = await xen.gdb.readSystemRegister(core, "HCR_EL2");
        for (const bit of ["HCR_EL2_TGE", "HCR_EL2_E2H"]) {
          const value = hcr | word(bit);
          const step = () => writeRegister(core, index, value);
          assertUndefined(await labOf().refused(core, VIOLATION_HCR, value, step), index);
        }
      });
    });

    test("all cores have stage 2 on, whatever they run", async () => {
      const { xen } = labOf();
      await xen.attack(async () => {
        for (const thread of await xen.gdb.threads())
          assert.notEqual((await xen.gdb.readSystemRegister(thread, "HCR_EL2")) & word("HCR_EL2_VM"), 0n);
      });
    });
  });

  suite("Xen and PSCI", () => {
    const call = async (core: number, ...words: readonly bigint[]): Promise<bigint> => {
      const { va } = labOf().xen.gadgets.smc(0);
      const outcome = await labOf().harmless(core, () => labOf().xen.jump(core, va, { ...words }));
      assert.equal(outcome.end, "done");
      return outcome.registers.x[0]!;
    };

    test("turns on a core, on already or not there, at an address of its own: denied", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const [entryPa] = await labOf().scratchPages(1);
        for (const target of [0n, 1n])
          assert.equal(await call(core, BigInt(PSCI_CPU_ON_64_FID), target, BigInt(entryPa!), 0n), DENIED);
        assert.notEqual(await call(core, BigInt(PSCI_CPU_ON_64_FID), 7n, BigInt(entryPa!), 0n), 0n);
      });
    });

    test("suspends with a wake-up address, resets, migrates: no such call", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const [entryPa] = await labOf().scratchPages(1);
        for (const fid of [SUSPEND_64, SYSTEM_SUSPEND_64, SYSTEM_RESET2_64, MIGRATE_64, CPU_ON_32])
          assert.equal(await call(core, fid, 0n, BigInt(entryPa!), 0n), NOT_SUPPORTED);
      });
    });
  });
}

const NOT_SUPPORTED = BigInt.asUintN(64, -1n);
const DENIED = BigInt.asUintN(64, -3n);
