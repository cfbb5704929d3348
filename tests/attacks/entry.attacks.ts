// Xen jumps to where the monitor is entered, with whatever it likes in ELR_EL2 and SPSR_EL2, and to where nothing may execute. Classes C and J of
// the threat model.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { suite, test } from "node:test";
import {
  HARDENED_HCR_EL2,
  HARDENED_REGISTER_COUNT,
  HARDENED_REGISTER_MASK,
  HARDENED_REGISTER_SHIFT,
  HARDENING_CALL,
} from "../../abi/hardening.ts";
import { VIOLATION_STORE } from "../../abi/status.ts";
import { word } from "../machine/source-words.ts";
import { type AttackLab, assertTranslationFault, syndromeOf } from "./attack-lab.ts";
import type { Outcome, Registers } from "./hostile-xen.ts";
import { aimedAt, isTable, outputPa, PAGE_SIZE } from "./live-tables.ts";

const VECTORS = 16;
const VECTOR_SIZE = word("VECTOR_SIZE");
const SYNCHRONOUS_EL2 = word("VECTOR_CURRENT_SPX_SYNCHRONOUS") * VECTOR_SIZE;
const LOWER_SYNCHRONOUS = word("VECTOR_LOWER") * VECTOR_SIZE;
/** The last slot of level 0. */
const TRAPPING_VECTORS_VA = word("TOP_SLOT") << word("LEVEL_SHIFT_0");
const SPSR_MASKED = 0x3c0n;
const SPSR_EL1H = SPSR_MASKED | word("SPSR_EL3_M_EL1H");
const SPSR_EL2H = SPSR_MASKED | word("SPSR_EL3_M_EL2H");
/** EL3 with its own stack pointer, EL1, EL0, EL2 on SP_EL0, AArch32 Hyp and Supervisor, and a mode that is none. */
const FORGED_MODES = [0xdn, 0x5n, 0x0n, 0x8n, 0x1an, 0x13n, 0xfn];
/** QEMU calls it by its AArch32 name. */
const SCTLR_EL1_OF_QEMU = "SCTLR";
/** ICC_PMR_EL1: no interrupt of the normal world, and all of them, which is what Xen has. */
const PRIORITY_NONE = 0n;
const PRIORITY_ALL = 0xffn;
const MODE_MASK = 0x1fn;

export function entryAttacks(labOf: () => AttackLab): void {
  const setRegister = async (core: number, name: string, value: bigint) => {
    const { xen } = labOf();
    const { va, source } = xen.gadgets.msr(name);
    assert.equal((await xen.jump(core, va, { [source]: value })).end, "done");
  };

  const forgeReturn = async (core: number, elr: bigint, spsr: bigint) => {
    await setRegister(core, "ELR_EL2", elr);
    await setRegister(core, "SPSR_EL2", spsr);
  };

  const jumpTo = (core: number, va: bigint, registers: Registers = {}) => {
    const ends = Array.from(
      { length: VECTORS },
      (_, vector) => labOf().xen.vectorsVa + BigInt(vector) * VECTOR_SIZE,
    );
    return labOf().xen.jump(core, va, registers, ends);
  };

  /** One look at everything for many steps. */
  const harmlessAtAll = (
    core: number,
    places: readonly bigint[],
    step: (place: bigint) => Promise<Outcome>,
  ): Promise<Outcome> =>
    labOf().harmless(core, async () => {
      const outcomes: Outcome[] = [];
      for (const place of places) outcomes.push(await step(place));
      return outcomes.at(-1)!;
    });

  const assertAtEl2 = ({ registers }: Outcome) =>
    assert.equal(registers.cpsr & MODE_MASK, word("SPSR_EL3_M_EL2H"));

  /** ESR_EL2 and FAR_EL2 of a store to a table that was refused: what the monitor's vector looks at first. */
  const leaveStoreFault = async (core: number): Promise<{ pa: number; bad: bigint }> => {
    const { pa } = await labOf().freeStage1Entry(3);
    const bad = aimedAt(await labOf().dataMapping(), labOf().victimPa);
    await labOf().refusedStore(core, pa, bad);
    return { pa, bad };
  };

  suite("Xen and the entries of the monitor", () => {
    test("jumps to each of the monitor's vectors: it arrives at its own, at EL2", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const own = await xen.gdb.readSystemRegister(core, "VBAR_EL2");
        const offsets = Array.from({ length: VECTORS }, (_, vector) => BigInt(vector) * VECTOR_SIZE);
        for (const page of [own, TRAPPING_VECTORS_VA])
          await harmlessAtAll(core, offsets, async (offset) => {
            await forgeReturn(core, xen.vectorsVa, SPSR_EL1H);
            const outcome = await jumpTo(core, page + offset);
            assert.equal(outcome.registers.pc, xen.vectorsVa + offset);
            assertAtEl2(outcome);
            return outcome;
          });
      });
    });

    test("jumps between the monitor's vectors: there is no instruction", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const own = await xen.gdb.readSystemRegister(core, "VBAR_EL2");
        const offsets = [0x4n, SYNCHRONOUS_EL2 + 0x4n, 0x7fcn, 0xffcn];
        for (const page of [own, TRAPPING_VECTORS_VA])
          await harmlessAtAll(core, offsets, async (offset) => {
            const outcome = await jumpTo(core, page + offset);
            assert.equal(outcome.registers.pc, xen.vectorsVa + SYNCHRONOUS_EL2);
            assert.equal(outcome.elr, page + offset);
            assert.equal(syndromeOf(outcome).exceptionClass, word("ESR_EL2_EC_UNKNOWN"));
            return outcome;
          });
      });
    });

    test("enters by the store fault with another level in SPSR_EL2: no store, and EL2 again", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const own = await xen.gdb.readSystemRegister(core, "VBAR_EL2");
        const gadget = xen.gadgets.str(8);
        const { pa } = await leaveStoreFault(core);
        const allowed = aimedAt(await labOf().dataMapping(), (await labOf().scratchPages(1))[0]!);

        await harmlessAtAll(core, FORGED_MODES, async (mode) => {
          await forgeReturn(core, gadget.va, SPSR_MASKED | mode);
          const registers = { [gadget.base]: xen.directMapVa(pa), [gadget.sources[0]!]: allowed };
          const outcome = await jumpTo(core, own + SYNCHRONOUS_EL2, registers);
          assert.equal(outcome.registers.pc, xen.vectorsVa + SYNCHRONOUS_EL2);
          assertAtEl2(outcome);
          return outcome;
        });
      });
    });

    test("enters by the store fault with a store of its choice in ELR_EL2: checked like any other", async () => {
      const { xen } = labOf();
      await xen.attack(async (core) => {
        const own = await xen.gdb.readSystemRegister(core, "VBAR_EL2");
        const gadget = xen.gadgets.str(8);
        const { pa, bad } = await leaveStoreFault(core);
        const registers = { [gadget.base]: xen.directMapVa(pa), [gadget.sources[0]!]: bad };
        await forgeReturn(core, gadget.va, SPSR_EL2H);

        const outcome = await labOf().refused(core, VIOLATION_STORE, xen.directMapVa(pa), () =>
          jumpTo(core, own + SYNCHRONOUS_EL2, registers),
        );

        assertAtEl2(outcome);
      });
    });

    test("enters by the store fault with ELR_EL2 where no text is: data, a TEE, nothing, between instructions", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        const own = await xen.gdb.readSystemRegister(core, "VBAR_EL2");
        const { pa } = await leaveStoreFault(core);
        const data = await labOf().dataMapping();
        const places = [
          data.address,
          xen.directMapVa(victimPa),
          0n,
          xen.text[0]!.address + 2n,
          (1n << 63n) | own,
        ];

        for (const elr of places) {
          await forgeReturn(core, elr, SPSR_EL2H);
          await labOf().refused(core, VIOLATION_STORE, xen.directMapVa(pa), () =>
            jumpTo(core, own + SYNCHRONOUS_EL2),
          );
        }
      });
    });

    test("jumps into a TEE, and into data of its own: nothing there executes", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        const secretVa = xen.directMapVa(victimPa);
        const data = await labOf().dataMapping();

        const intoTee = await labOf().harmless(core, () => jumpTo(core, secretVa));
        const intoData = await labOf().harmless(core, () => jumpTo(core, data.address));

        assertTranslationFault(intoTee, "INSTRUCTION_ABORT", secretVa);
        assert.equal(syndromeOf(intoData).exceptionClass, word("ESR_EL2_EC_INSTRUCTION_ABORT"));
        assert.equal(intoData.far, data.address);
      });
    });

    test("asks for stage 2 off and returns to EL1, MMU off, at a TEE's address: stage 2 is there", async () => {
      const { xen, victimPa } = labOf();
      await xen.attack(async (core) => {
        const sctlr = await xen.gdb.readSystemRegister(core, SCTLR_EL1_OF_QEMU);
        const hcr = await xen.gdb.readSystemRegister(core, "HCR_EL2");
        const { va, source } = xen.gadgets.hardened(HARDENED_HCR_EL2);
        await setRegister(core, "ICC_PMR_EL1", PRIORITY_NONE); // else an interrupt that waits comes first
        await setRegister(core, "SCTLR_EL1", sctlr & ~word("SCTLR_EL1_M"));
        await xen.jump(core, va, { [source]: hcr & ~word("HCR_EL2_VM") });
        await forgeReturn(core, BigInt(victimPa), SPSR_EL1H);

        const outcome = await labOf().harmless(core, () => jumpTo(core, xen.gadgets.eret().va));
        await setRegister(core, "SCTLR_EL1", sctlr);
        await setRegister(core, "ICC_PMR_EL1", PRIORITY_ALL);

        assert.equal(outcome.registers.pc, xen.vectorsVa + LOWER_SYNCHRONOUS);
        assert.equal(syndromeOf(outcome).exceptionClass, word("ESR_EL2_EC_INSTRUCTION_ABORT_LOWER"));
        assert.equal(outcome.elr, BigInt(victimPa));
      });
    });

    test("has no SMC in its text but those that the monitor serves", async () => {
      const { xen } = labOf();
      const unknown = [...xen.gadgets.smcImmediates()].filter((imm16) => {
        const index = (imm16 >>> HARDENED_REGISTER_SHIFT) & HARDENED_REGISTER_MASK;
        return imm16 !== 0 && ((imm16 & HARDENING_CALL) === 0 || index >= HARDENED_REGISTER_COUNT);
      });
      assert.deepEqual(unknown, []);
    });

    test("has in its text what lockdown has measured", async () => {
      const { xen, machine } = labOf();
      const hash = createHash("sha256");
      await xen.attack(async () => {
        for await (const pa of textPages()) hash.update(await xen.gdb.readPhysical(pa, PAGE_SIZE));
      });

      assert.equal(hash.digest("hex"), (await machine.status())!.protection.measurement);
    });
  });

  /** As EL2's tables have it now, in the order of the addresses, without the monitor's own pages. */
  async function* textPages(): AsyncGenerator<number> {
    const found = [];
    for await (const entry of labOf().stage1().valid(labOf().poolPa))
      if (!isTable(entry) && (entry.value & word("STAGE1_XN")) === 0n) found.push(entry);
    for (const entry of found.sort((a, b) => Number(a.address - b.address))) yield outputPa(entry);
  }
}
