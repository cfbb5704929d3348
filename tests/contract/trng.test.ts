// The TRNG firmware interface (Arm DEN0098) for both worlds of a guest: el3/monitor/random and the compartment behind it.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as smccc from "../../abi/smccc.ts";
import { COMPARTMENT_ABORTED, COMPARTMENT_OVERRAN } from "../../abi/status.ts";
import { assertTrapped } from "../drivers/asserts.ts";
import { changesBy } from "../drivers/changes.ts";
import { EC_SMC64, esrOf, smc } from "../drivers/exceptions.ts";
import { aLab, FAST_CALL, type Lab } from "../drivers/lab.ts";
import type { ForcedEnd } from "../machine/compartments.ts";

const INVALID_PARAMETERS = 2n ** 64n - 2n;
const NO_ENTROPY = 2n ** 64n - 3n;
const NOT_SUPPORTED = 2n ** 64n - 1n;

// Registers of the emulated timer in the SMC that its instructions have become.
const TIMER_CALL = 0x2000;
const CTL = 1;
const CVAL = 2;

/** The words of an answer to whoever runs on core 0. */
function answerTo(lab: Lab, functionId: number, argument = 0n): bigint[] {
  const { x } = lab.core(0);
  x[0] = BigInt(functionId);
  x[1] = argument;
  smc(lab.machine, lab.core(0));
  return [...x.subarray(0, 4)];
}

const bits64 = (lab: Lab, bits: bigint) => answerTo(lab, smccc.TRNG_RND_64_FID, bits);

async function aGuestLab(): Promise<Lab> {
  const lab = await aLab({ cores: 1, guests: 2 });
  lab.aGuest();
  return lab;
}

/** The guest's TEE serves a call. */
async function aTeeLab(): Promise<Lab> {
  const lab = await aGuestLab();
  lab.guestCalls(0, FAST_CALL);
  return lab;
}

for (const [world, prepare] of [
  ["a guest", aGuestLab],
  ["its TEE", aTeeLab],
] as const) {
  suite(`TRNG calls of ${world}`, () => {
    test("version, features and a UUID that is one", async () => {
      const lab = await prepare();

      assert.deepEqual(answerTo(lab, smccc.TRNG_VERSION_FID), [0x10000n, 0n, 0n, 0n]);
      for (const offered of [smccc.TRNG_VERSION_FID, smccc.TRNG_RND_FID, smccc.TRNG_RND_64_FID])
        assert.equal(answerTo(lab, smccc.TRNG_FEATURES_FID, BigInt(offered))[0], 0n);
      assert.equal(answerTo(lab, smccc.TRNG_FEATURES_FID, 0x84000054n)[0], NOT_SUPPORTED);
      const uuid = answerTo(lab, smccc.TRNG_GET_UUID_FID);
      const bytes = uuid.flatMap((word) => [0n, 8n, 16n, 24n].map((shift) => (word >> shift) & 0xffn));
      assert.equal(bytes.length, 16);
      assert.equal(bytes[6]! >> 4n, 4n, "version 4");
      assert.equal(bytes[8]! >> 6n, 2n, "the variant of RFC 9562");
    });

    test("as many bits as it asks for, high words first, and none above", async () => {
      for (const bits of [1n, 8n, 63n, 64n, 65n, 127n, 191n, 192n]) {
        const lab = await prepare();
        const [status, high, middle, low] = bits64(lab, bits);
        const value = (high! << 128n) | (middle! << 64n) | low!;
        assert.equal(status, 0n);
        assert.equal(value >> bits, 0n, `${bits} bits`);
        if (bits >= 64n) assert.ok(value >> (bits - 24n) !== 0n, `the upper ones of ${bits} are 0`);
      }
    });

    test("TRNG_RND gives 32 bits a word", async () => {
      const lab = await prepare();
      const words = answerTo(lab, smccc.TRNG_RND_FID, 96n);

      assert.equal(words[0], 0n);
      for (const value of words.slice(1)) assert.ok(value > 0n && value < 1n << 32n, `${value}`);
      assert.deepEqual(answerTo(lab, smccc.TRNG_RND_FID, 32n).slice(1, 3), [0n, 0n]);
    });

    test("no two answers are the same", async () => {
      const lab = await prepare();
      const seen = new Set(Array.from({ length: 50 }, () => bits64(lab, 192n).join()));

      assert.equal(seen.size, 50);
    });

    const wrong: [name: string, functionId: number, bits: bigint][] = [
      ["no bits", smccc.TRNG_RND_64_FID, 0n],
      ["more bits than there are registers", smccc.TRNG_RND_64_FID, 193n],
      ["a size of 64 bits", smccc.TRNG_RND_64_FID, 1n << 32n],
      ["more than 96 bits in words of 32", smccc.TRNG_RND_FID, 97n],
    ];
    for (const [name, functionId, bits] of wrong) {
      test(`${name}: refused, and no register tells anything`, async () => {
        const lab = await prepare();

        assert.deepEqual(answerTo(lab, functionId, bits), [INVALID_PARAMETERS, 0n, 0n, 0n]);
      });
    }

    test("a number that is no call is not supported, nor are 64-bit forms of 32-bit calls", async () => {
      const lab = await prepare();

      for (const functionId of [0xc4000050, 0xc4000051, 0xc4000052])
        assert.deepEqual(answerTo(lab, functionId), [NOT_SUPPORTED, 0n, 0n, 0n]);
    });

    test("a call changes x0 to x3 and nothing else", async () => {
      const lab = await prepare();
      lab.core(0).x[0] = BigInt(smccc.TRNG_RND_64_FID);
      lab.core(0).x[1] = 192n;

      const { registers } = changesBy(lab, () => smc(lab.machine, lab.core(0)));

      // The secure timer is the monitor's own.
      const changed = registers.filter((name) => !name.endsWith(".CNTPS_CVAL_EL1")).sort();
      assert.deepEqual(changed, ["0.PC", "0.X0", "0.X1", "0.X2", "0.X3"]);
    });

    const ends: [ForcedEnd, number][] = [
      ["abort", COMPARTMENT_ABORTED],
      ["overrun", COMPARTMENT_OVERRAN],
    ];
    for (const [end, cause] of ends) {
      test(`a compartment that fails (${end}): no entropy, an event, and the guest goes on`, async () => {
        const lab = await prepare();
        lab.machine.forcedEnd = end;

        assert.deepEqual(bits64(lab, 192n), [NO_ENTROPY, 0n, 0n, 0n]);
        const { kind, arguments: words } = lab.status.events.at(-1)!;
        assert.equal(kind, "compartment-faulted");
        assert.equal(BigInt(words[1]!) >> 32n, BigInt(cause));
        // It has lost its seed: there is none until the machine starts anew.
        assert.deepEqual(bits64(lab, 192n), [NO_ENTROPY, 0n, 0n, 0n]);
        assert.equal(answerTo(lab, smccc.TRNG_VERSION_FID)[0], 0x10000n);
      });
    }
  });
}

suite("random numbers of several", () => {
  test("both worlds of a guest, and two guests, get different ones from the same state of the machine", async () => {
    const answers = new Set<string>();
    for (const prepare of [aGuestLab, aTeeLab]) answers.add(bits64(await prepare(), 192n).join());
    const lab = await aLab({ cores: 2, guests: 2 });
    lab.aGuest();
    lab.hypervisor.interrupt(lab.core(0));
    lab.aGuest();
    answers.add(bits64(lab, 192n).join());

    assert.equal(answers.size, 3);
  });

  test("a guest that comes after another in its slot does not go on where that one was", async () => {
    const lab = await aLab({ cores: 2, guests: 1 });
    const same = await aLab({ cores: 2, guests: 1 });
    same.aGuest();
    bits64(same, 192n);
    const second = bits64(same, 192n).join();
    const vm = lab.aGuest();
    bits64(lab, 192n);

    lab.hypervisor.interrupt(lab.core(0));
    lab.hypervisor.destroy(lab.core(0), vm);
    lab.aGuest();

    assert.notEqual(bits64(lab, 192n).join(), second);
  });

  test("nothing of an answer is left in the compartment's message", async () => {
    const lab = await aGuestLab();
    const [, , , low] = bits64(lab, 64n);

    const found = [...lab.machine.memory.pagesOutside(0, 0x0e200000)].some(([, view]) => {
      for (let offset = 0; offset < 0x1000; offset += 8)
        if (view.getBigUint64(offset, true) === low) return true;
      return false;
    });
    assert.equal(found, false);
  });

  test("a TEE's timer that the core waits for is still armed, whatever the compartment's bound was", async () => {
    const lab = await aTeeLab();
    const due = lab.machine.ticks + 1000n;
    for (const [register, value] of [
      [CVAL, due],
      [CTL, 1n],
    ] as const) {
      lab.core(0).x[12] = value;
      smc(lab.machine, lab.core(0), TIMER_CALL | (register << 5) | 12);
    }
    lab.tee().callDone(0n);
    assert.equal(lab.core(0).get("CNTPS_CVAL_EL1"), due);

    bits64(lab, 64n);

    assert.equal(lab.core(0).get("CNTPS_CVAL_EL1"), due);
    assert.equal(lab.core(0).get("CNTPS_CTL_EL1") & 1n, 1n);
  });

  test("the control domain's call is the hypervisor's", async () => {
    const lab = await aLab();
    lab.hypervisor.run(lab.core(0), lab.hypervisor.controlDomain.vcpus[0]!);
    const at = lab.core(0).pc;

    lab.guestCalls(0, smccc.TRNG_VERSION_FID);

    assertTrapped(lab, at, esrOf(EC_SMC64));
  });
});
