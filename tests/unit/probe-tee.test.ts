// The probe TEE's own code: it does what its normal world tells it to, and nothing else.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { NORMAL_RAM_IPA, TEE_UART_IPA } from "../../abi/memory-map.ts";
import * as probe from "../../abi/probe.ts";
import { aKernel, type Instruction } from "../drivers/kernel.ts";
import { encodeOrder } from "../probe/encode.ts";
import { SMC } from "../probe/words.ts";

const ORDER = NORMAL_RAM_IPA + probe.PROBE_ORDER_OFFSET;

type Call = (...words: bigint[]) => void;
interface Tee {
  boot(): void;
  fastCall: Call;
  yieldingCall: Call;
  resumedCall: Call;
  interrupt(isFiq: number): void;
  enteredForInterrupt(): void;
}

async function aTee(execute: Instruction = () => undefined, hooks: Parameters<typeof aKernel>[2] = {}) {
  const lab = await aKernel<Tee>("el1/probe-tee/main.ts", execute, hooks);
  const words = (fid: number, args: (number | bigint)[]) =>
    [fid, ...args, 0, 0, 0, 0, 0, 0, 0].slice(0, 8).map(BigInt);
  const answer = () => lab.calls.findLast(([name]) => name === "answer")!.slice(1);
  const call = (command: number, ...args: (number | bigint)[]) => {
    lab.exports.fastCall(...words(probe.PROBE_FAST_CALL + command, args));
    return answer();
  };
  return { ...lab, call, words, answer };
}

suite("the probe TEE", () => {
  test("an unknown command says who answers, and by which entry", async () => {
    const tee = await aTee(() => undefined, { currentCore: () => 2 });
    const fid = 0xbf007777;
    for (const [entry, by] of [
      ["fastCall", probe.PROBE_BY_FAST],
      ["yieldingCall", probe.PROBE_BY_YIELDING],
      ["resumedCall", probe.PROBE_BY_RESUMING],
    ] as const) {
      tee.exports[entry](...tee.words(fid, []));
      assert.deepEqual(tee.answer(), [BigInt(probe.PROBE_HERE), BigInt(fid), BigInt(by), 2n]);
    }
  });

  test("it executes an instruction with x2 to x7, and tells an exception", async () => {
    const tee = await aTee((word, x) => {
      if (word === 9) return 0x2000000n;
      x[0] = x[5]!;
      x[1] = x[2]!;
      return undefined;
    });

    assert.deepEqual(tee.call(probe.PROBE_EXECUTE, 8, 1, 2, 3, 4, 5, 6), [0n, 6n, 3n, 0n]);
    assert.deepEqual(tee.call(probe.PROBE_EXECUTE, 9, 1, 2), [1n, 1n, 2n, 0x2000000n]);
  });

  test("it counts interrupts, ends them, and yields to foreign ones", async () => {
    let intid = 29n;
    const tee = await aTee(() => undefined, {
      timerIntid: () => 29n,
      readICC_IAR1_EL1: () => intid,
    });

    tee.exports.interrupt(0);
    intid = 40n;
    tee.exports.interrupt(0);
    tee.exports.interrupt(1);
    intid = 1023n;
    tee.exports.interrupt(0);
    tee.exports.enteredForInterrupt();

    assert.deepEqual(tee.call(probe.PROBE_COUNTERS), [1n, 2n, 1n, 40n]);
    assert.deepEqual(tee.call(probe.PROBE_COUNTERS), [0n, 0n, 0n, 0n]);
    const made = tee.calls.filter(([name]) => /EOIR|yieldCall|writeTimer/.test(name)).map(([name]) => name);
    assert.deepEqual(made, [
      "writeTimer",
      "writeICC_EOIR1_EL1",
      "writeICC_EOIR1_EL1",
      "yieldCall",
      "yieldCall",
    ]);
  });

  test("it loops for as long as it is told, and lets through what it is told", async () => {
    let now = 100n;
    const tee = await aTee(() => undefined, { readCNTPCT_EL0: () => now++ });

    const [outcome, ticks] = tee.call(probe.PROBE_LOOP, 50, 2);

    assert.equal(outcome, 0n);
    assert.ok((ticks as bigint) >= 50n && now < 200n);
    assert.deepEqual(
      tee.calls.filter(([name]) => /mask/i.test(name)),
      [["unmask", 2], ["maskAll"]],
    );
  });

  test("a clock that goes wrong is told by its rounds", async () => {
    let remaining = 0n;
    const rounds = async (value: bigint) => {
      remaining = BigInt.asUintN(32, value);
      const tee = await aTee(() => undefined, {
        timerIntid: () => 29n,
        readICC_IAR1_EL1: () => 29n,
        readTimer: (register: number) => (register === 0 ? remaining : 5n),
        unmask: () => void tee.exports.interrupt(0),
      });
      return tee.call(probe.PROBE_ROUNDS, 3, 1000, 0);
    };

    assert.deepEqual(await rounds(-10n), [0n, 3n, 0n, 0n]);
    assert.deepEqual(await rounds(10n), [3n, 3n, 0n, 0n]);
    assert.deepEqual(await rounds(-1001n), [0n, 3n, 0n, 3n]);
  });

  test("at boot it executes what the order in front of its normal world says, if there is one", async () => {
    const executed: [number, bigint, bigint][] = [];
    const tee = await aTee((word, x) => void executed.push([word, x[0]!, x[1]!]));

    tee.exports.boot();
    assert.deepEqual(executed, []);
    tee.physical.place(ORDER, encodeOrder(3, { word: SMC, x0: 0xbe000005n, x1: 1n }));
    tee.exports.boot();

    assert.deepEqual(executed, [[SMC, 0xbe000005n, 1n]]);
  });

  test("what is to be executed at an interrupt is executed once, before the interrupt is let through", async () => {
    const executed: [number, bigint, number][] = [];
    const tee = await aTee((word, x) => {
      executed.push([word, x[0]!, tee.calls.filter(([name]) => name === "unmask").length]);
      return undefined;
    });

    tee.call(probe.PROBE_AT_INTERRUPT, SMC, 0xbe00000f);
    tee.exports.enteredForInterrupt();
    tee.exports.enteredForInterrupt();

    assert.deepEqual(executed, [[SMC, 0xbe00000fn, 0]]);
  });

  test("it prints on its UART", async () => {
    const tee = await aTee();
    tee.call(probe.PROBE_PRINT, 0x6968);
    assert.equal(tee.physical.textAt(TEE_UART_IPA), "hi\n");
  });
});
