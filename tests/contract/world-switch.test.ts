// The world switch loses nothing and shows nothing: distinct values in every register of both worlds, N → S → N, and the same with the
// TEE taken off its core at every kind of exit.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { FOREIGN_NONE, FOREIGN_VIRQ, WFI_LEAVES } from "../../abi/boot-package.ts";
import { TEE_YIELD } from "../../abi/tee.ts";
import { advance, useFp, useGicInterface } from "../drivers/exceptions.ts";
import { brokenInvariants, placesWith } from "../drivers/invariants.ts";
import { aLab, FAST_CALL, type Lab, type LabOptions, taggedValues, YIELDING_CALL } from "../drivers/lab.ts";
import { teeRuns } from "../drivers/tee.ts";
import { EL1_REGISTERS } from "../machine/contexts.ts";

const PREEMPTION_TICKS = 1_250_000n;
const FOREIGN_INTID = 40;
const SECRET = 0x5ec5n;
const isSecret = (value: bigint) => value >> 48n === SECRET;

const WORLD = [
  ...EL1_REGISTERS.values(),
  "VTTBR_EL2",
  "HCR_EL2",
  "VBAR_EL2",
  "VMPIDR_EL2",
  "CPTR_EL2",
  "ICC_PMR_EL1",
  "ICH_HCR_EL2",
  "ICH_VMCR_EL2",
  "ICH_AP0R0_EL2",
  "ICH_AP1R0_EL2",
  "ICH_LR0_EL2",
  "ICH_LR1_EL2",
  "ICH_LR2_EL2",
  "ICH_LR3_EL2",
  "FPCR",
  "FPSR",
] as const;

/** All that a world can see of itself. */
function worldOf(lab: Lab, core = 0): Map<string, bigint> {
  const it = lab.core(core);
  const world = new Map<string, bigint>(WORLD.map((name) => [name, it.get(name)]));
  it.x.forEach((value, index) => {
    world.set(`X${index}`, value);
  });
  it.v.forEach((value, index) => {
    world.set(`V${index >> 1}.${index & 1}`, value);
  });
  return world.set("PC", it.pc).set("PSTATE", it.pstate);
}

function changed(before: ReadonlyMap<string, bigint>, after: ReadonlyMap<string, bigint>): string[] {
  return [...before].filter(([name, value]) => after.get(name) !== value).map(([name]) => name);
}

async function aCallUnderWay(options: LabOptions = {}) {
  const lab = await aLab(options);
  lab.aGuest();
  lab.core(0).x[0] = BigInt(YIELDING_CALL);
  const normal = worldOf(lab);
  lab.guestCalls(0);
  if (options.profile?.foreignInterrupt === FOREIGN_VIRQ) lab.tee().enablesSpi(FOREIGN_INTID);
  lab.tee().fillRegisters(taggedValues(SECRET));
  return { lab, normal };
}

suite("a call and its answer", () => {
  test("the normal world finds its registers, but for the answer in x0 to x3", async () => {
    const { lab, normal } = await aCallUnderWay();

    lab.tee().callDone(1n, 2n, 3n, 4n);

    assert.deepEqual(changed(normal, worldOf(lab)), ["X0", "X1", "X2", "X3", "PC"]);
    assert.equal(lab.core(0).pc, normal.get("PC")! + 4n);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("no register of the TEE is left anywhere", async () => {
    const { lab } = await aCallUnderWay();
    assert(placesWith(lab, isSecret).length > 100, "the search finds them while the TEE runs");

    lab.tee().callDone(1n, 2n, 3n, 4n);

    assert.deepEqual(placesWith(lab, isSecret), []);
  });

  test("the TEE finds its own registers at the next call, x0 to x7 the caller's", async () => {
    const { lab } = await aCallUnderWay();
    lab.tee().callDone(1n, 2n, 3n, 4n);
    const left = taggedValues(SECRET);

    lab.guestCalls(0, FAST_CALL, 21, 22, 23, 24, 25, 26, 27);

    const expected = Array.from({ length: 31 }, () => left("X"));
    assert.deepEqual([...lab.core(0).x.slice(0, 8)], [BigInt(FAST_CALL), 21n, 22n, 23n, 24n, 25n, 26n, 27n]);
    assert.deepEqual([...lab.core(0).x.slice(8)], expected.slice(8));
    for (const name of EL1_REGISTERS.values()) assert.equal(lab.core(0).get(name), left(name), name);
  });

  test("FP and the interrupt interface come back to the TEE when it uses them, and are zero before", async () => {
    const { lab } = await aCallUnderWay();
    const vmcr = lab.core(0).get("ICH_VMCR_EL2");
    const v = [...lab.core(0).v];
    lab.tee().callDone(1n);
    lab.guestCalls(0, FAST_CALL);

    useFp(lab.machine, lab.core(0));
    useGicInterface(lab.machine, lab.core(0));

    assert.deepEqual([...lab.core(0).v], v);
    assert.equal(lab.core(0).get("ICH_VMCR_EL2"), vmcr);
  });

  test("no exit of a TEE leaves its syndrome, its address or its state where the hypervisor reads", async () => {
    const { lab } = await aCallUnderWay();
    const core = lab.core(0);
    core.pc = 0x5ec5000000001234n;
    lab.tee().accessIpa(0x09040018n);
    lab.tee().callDone(1n, 2n, 3n, 4n);
    for (const register of ["ESR_EL2", "ELR_EL2", "SPSR_EL2", "FAR_EL2", "HPFAR_EL2"])
      assert.equal(core.get(register), 0n, register);
  });

  test("a TEE that first uses FP finds zeros, not the normal world's values", async () => {
    const lab = await aLab();
    lab.aGuest();
    lab.guestCalls(0, FAST_CALL);

    useFp(lab.machine, lab.core(0));

    assert(lab.core(0).v.every((value) => value === 0n));
  });

  test("a TEE that uses neither FP nor its interrupt interface leaves the normal world's on the core", async () => {
    const lab = await aLab();
    lab.aGuest();
    lab.core(0).x[0] = BigInt(FAST_CALL);
    const normal = worldOf(lab);

    lab.guestCalls(0);
    lab.tee().fillRegisters(taggedValues(SECRET), { fp: false, gic: false });
    lab.tee().callDone(1n, 2n, 3n, 4n);

    assert.deepEqual(changed(normal, worldOf(lab)), ["X0", "X1", "X2", "X3", "PC"]);
  });
});

/** Ways off the core without an answer: what makes the TEE leave, and the options it needs. */
const PREEMPTIONS: {
  name: string;
  options?: LabOptions;
  /** It goes on behind the instruction by which it left. */
  isBehind?: boolean;
  leave: (lab: Lab) => void;
}[] = [
  {
    name: "an interrupt waits and the TEE does not leave in time",
    leave(lab) {
      lab.hypervisor.interrupt(lab.core(0));
      assert(teeRuns(lab.core(0)), "it is given time");
      advance(lab.machine, PREEMPTION_TICKS);
    },
  },
  {
    name: "the same with interrupts shown as IRQ",
    options: { profile: { foreignInterrupt: FOREIGN_VIRQ, foreignIntid: FOREIGN_INTID } },
    leave(lab) {
      lab.hypervisor.interrupt(lab.core(0));
      advance(lab.machine, PREEMPTION_TICKS);
    },
  },
  {
    name: "a TEE that knows no foreign interrupts is taken off at once",
    options: { profile: { foreignInterrupt: FOREIGN_NONE } },
    leave: (lab) => lab.hypervisor.interrupt(lab.core(0)),
  },
  {
    name: "a TEE that idles in WFI",
    options: { profile: { wfi: WFI_LEAVES } },
    isBehind: true,
    leave: (lab) => lab.tee().wfi(),
  },
  {
    name: "a TEE that yields",
    isBehind: true,
    leave: (lab) => lab.tee().returns(TEE_YIELD),
  },
];

for (const { name, options = {}, isBehind = false, leave } of PREEMPTIONS) {
  suite(`preempted: ${name}`, () => {
    test("the normal world stands at its SMC, everything else as it was, nothing of the TEE left", async () => {
      const { lab, normal } = await aCallUnderWay(options);

      leave(lab);

      assert(!teeRuns(lab.core(0)));
      assert.deepEqual(changed(normal, worldOf(lab)), []);
      assert.deepEqual(placesWith(lab, isSecret), []);
      assert.deepEqual(brokenInvariants(lab), []);
    });

    test("executing the SMC again resumes the TEE where it was", async () => {
      const { lab } = await aCallUnderWay(options);
      if (isBehind) lab.core(0).x[0] = BigInt(TEE_YIELD);
      const before = [...lab.core(0).x];
      const pc = lab.core(0).pc;
      const el1 = [...EL1_REGISTERS.values()].map((register) => lab.core(0).get(register));

      leave(lab);
      lab.guestCalls(0);

      assert(teeRuns(lab.core(0)));
      assert.deepEqual([...lab.core(0).x], before);
      assert.equal(lab.core(0).pc, isBehind ? pc + 4n : pc);
      assert.deepEqual(
        [...EL1_REGISTERS.values()].map((register) => lab.core(0).get(register)),
        el1,
      );
    });
  });
}
