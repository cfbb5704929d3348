// The devices of a guest's S world: its secure UART, its secure GIC, its secure timer, and the services of firmware.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TEE_GICD_IPA, TEE_GICR_IPA, TEE_UART_IPA } from "../../abi/memory-map.ts";
import { SMCCC_VERSION_1_1, SMCCC_VERSION_FID } from "../../abi/smccc.ts";
import { NOT_SUPPORTED } from "../drivers/asserts.ts";
import { brokenInvariants } from "../drivers/invariants.ts";
import { aLab, FAST_CALL, type Lab } from "../drivers/lab.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { size, word } from "../machine/source-words.ts";

const gicd = (name: string, offset = 0) => BigInt(TEE_GICD_IPA + size(name) + offset);
const gicr = (core: number, name: string) => BigInt(TEE_GICR_IPA + core * 0x20000 + size(name));
const TIMER_BIT = 1n << word("INTID_SECURE_TIMER");

async function inACall(vcpus = 1): Promise<Lab> {
  const lab = await aLab();
  const vm = lab.aGuest({ vcpus });
  lab.guestCalls(0, FAST_CALL);
  if (vcpus > 1) {
    lab.runVcpu(vm.vcpus[1]!, 1);
    lab.guestCalls(1, FAST_CALL);
    lab.tee(1).coreOnDone();
  }
  return lab;
}

function writes(lab: Lab, text: string, core = 0): void {
  for (const byte of Buffer.from(text)) lab.tee(core).store(BigInt(TEE_UART_IPA), BigInt(byte));
}

suite("the secure UART", () => {
  test("whole lines come out, headed by the guest's number", async () => {
    const lab = await inACall();

    writes(lab, "I/TC: OP-TEE version\r\nno end yet");
    assert.deepEqual(lab.machine.devices.consoleLines, ["[tee 1] I/TC: OP-TEE version"]);
    writes(lab, "\n");

    assert.equal(lab.machine.devices.consoleLines[1], "[tee 1] no end yet");
  });

  test("lines of two guests are not mixed", async () => {
    const lab = await aLab();
    lab.aGuest({ core: 0 });
    lab.aGuest({ core: 1 });
    for (const core of [0, 1]) lab.guestCalls(core, FAST_CALL);

    writes(lab, "aa", 0);
    writes(lab, "bb", 1);
    writes(lab, "AA\n", 0);
    writes(lab, "BB\n", 1);

    assert.deepEqual(lab.machine.devices.consoleLines, ["[tee 1] aaAA", "[tee 2] bbBB"]);
  });

  test("a line longer than its buffer is broken, and nothing beside the buffer is written", async () => {
    const lab = await inACall();

    writes(lab, `${"x".repeat(600)}\n`);

    assert.equal(lab.machine.devices.consoleLines.map((line) => line.slice(8)).join(""), "x".repeat(600));
    assert(lab.machine.devices.consoleLines.every((line) => line.length <= 8 + 256));
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("it is always ready and never has input; its other registers read as zero", async () => {
    const lab = await inACall();
    const ready = word("PL011_FR_TXFE") | word("PL011_FR_RXFE");
    assert.equal(lab.tee().load(BigInt(TEE_UART_IPA + size("PL011_FR"))), ready);
    lab.tee().store(BigInt(TEE_UART_IPA + size("PL011_IMSC")), 0x7ffn);
    assert.equal(lab.tee().load(BigInt(TEE_UART_IPA + size("PL011_IMSC"))), 0n);
    assert.equal(lab.tee().load(BigInt(TEE_UART_IPA + size("PL011_DR"))), 0n);
  });

  test("an access goes on behind its instruction and changes no other register", async () => {
    const lab = await inACall();
    const before = [...lab.core(0).x];
    const pc = lab.core(0).pc;

    lab.tee().accessIpa(BigInt(TEE_UART_IPA + size("PL011_FR")), { rt: 19 });

    assert.equal(lab.core(0).pc, pc + 4n);
    before[19] = word("PL011_FR_TXFE") | word("PL011_FR_RXFE");
    assert.deepEqual([...lab.core(0).x], before);
    lab.tee().accessIpa(BigInt(TEE_UART_IPA + size("PL011_FR")), { rt: 31 });
    assert.deepEqual([...lab.core(0).x], before);
  });
});

suite("the secure GIC", () => {
  test("a GICv3 with affinity routing, 160 interrupts and a redistributor for each core of the TEE", async () => {
    const lab = await inACall();
    const tee = lab.tee();
    assert.equal(tee.load(gicd("GICD_PIDR2")) >> 4n, 3n);
    assert.equal(tee.load(gicd("GICD_TYPER")), 4n);
    assert.notEqual(tee.load(gicd("GICD_CTLR")) & word("GICD_CTLR_ARE_S"), 0n);
    for (let core = 0; core < 4; core++) {
      const typer = tee.load(gicr(core, "GICR_TYPER"));
      assert.equal((typer & word("GICR_TYPER_NUMBER_MASK")) >> 8n, BigInt(core));
      assert.equal((typer & word("GICR_TYPER_LAST")) !== 0n, core === 3);
      assert.equal(tee.load(gicr(core, "GICR_TYPER") + 4n), BigInt(core), "affinity");
    }
  });

  test("a narrow load has zeros or the sign above what it reads, in 32 or 64 bits of its register", async () => {
    const lab = await inACall();
    lab.tee().store(gicd("GICD_ISENABLER", 4), 0x800080f0n);
    const loads = (options: { sas: bigint; sse?: boolean; sf?: boolean }) => {
      lab.tee().accessIpa(gicd("GICD_ISENABLER", 4), options);
      return BigInt.asIntN(64, lab.core(0).x[7]!);
    };

    assert.equal(loads({ sas: 0n }), 0xf0n);
    assert.equal(loads({ sas: 1n }), 0x80f0n);
    assert.equal(loads({ sas: 0n, sse: true }), 0xfffffff0n);
    assert.equal(loads({ sas: 0n, sse: true, sf: true }), -0x10n);
    assert.equal(loads({ sas: 1n, sse: true, sf: true }), -0x7f10n);
    assert.equal(loads({ sas: 2n, sse: true, sf: true }), -0x7fff7f10n);
    assert.equal(loads({ sas: 3n }), 0x800080f0n);
  });

  test("a narrow store writes no more than its width", async () => {
    const lab = await inACall();
    lab.core(0).x[7] = 0xffff_ffff_ffff_fff1n;

    lab.tee().accessIpa(gicd("GICD_ISENABLER", 4), { write: true, sas: 0n });
    assert.equal(lab.tee().load(gicd("GICD_ISENABLER", 4)), 0xf1n);
    lab.core(0).x[7] = 0xffff_ffff_ffff_8000n;
    lab.tee().accessIpa(gicd("GICD_ISENABLER", 4), { write: true, sas: 1n });

    assert.equal(lab.tee().load(gicd("GICD_ISENABLER", 4)), 0x80f1n);
  });

  test("GICR_TYPER read at once, as 64 bits, has the affinity in its upper half", async () => {
    const lab = await inACall();
    lab.tee().accessIpa(gicr(2, "GICR_TYPER"), { sas: 3n });
    assert.equal(lab.core(0).x[7]! >> 32n, 2n);
  });

  test("SPIs are enabled and disabled bit by bit; word 0 belongs to the redistributors", async () => {
    const lab = await inACall();
    const tee = lab.tee();
    tee.store(gicd("GICD_ISENABLER", 8), 0xf0n);
    tee.store(gicd("GICD_ISENABLER", 8), 0x0fn);
    tee.store(gicd("GICD_ICENABLER", 8), 0x81n);
    tee.store(gicd("GICD_ISENABLER", 0), 0xffffffffn);
    assert.equal(tee.load(gicd("GICD_ISENABLER", 8)), 0x7en);
    assert.equal(tee.load(gicd("GICD_ICENABLER", 8)), 0x7en);
    assert.equal(tee.load(gicd("GICD_ISENABLER", 0)), 0n);
    assert.equal(tee.load(gicd("GICD_ISENABLER", 4)), 0n);
  });

  test("enables and groups of a redistributor are that core's alone, and of that guest", async () => {
    const lab = await inACall();
    lab.aGuest({ core: 1 });
    lab.guestCalls(1, FAST_CALL);
    const tee = lab.tee(0);
    const fresh = tee.load(gicr(1, "GICR_ISENABLER0"));

    tee.store(gicr(0, "GICR_ISENABLER0"), 0x3n);
    tee.store(gicr(0, "GICR_IGROUPR0"), 0x1234n);
    tee.store(gicr(0, "GICR_IGRPMODR0"), 0x4321n);
    tee.store(gicr(0, "GICR_ICENABLER0"), TIMER_BIT);

    assert.equal(tee.load(gicr(0, "GICR_ISENABLER0")) & 0x3n, 0x3n);
    assert.equal(tee.load(gicr(0, "GICR_ISENABLER0")) & TIMER_BIT, 0n);
    assert.equal(tee.load(gicr(0, "GICR_IGROUPR0")), 0x1234n);
    assert.equal(tee.load(gicr(0, "GICR_IGRPMODR0")), 0x4321n);
    assert.equal(tee.load(gicr(1, "GICR_ISENABLER0")), fresh);
    assert.equal(lab.tee(1).load(gicr(0, "GICR_ISENABLER0")), fresh);
  });

  test("registers that nobody knows, and those beyond the TEE's cores, read as zero and ignore writes", async () => {
    const lab = await aLab({ profile: { coreCount: 2 } });
    lab.aGuest();
    lab.guestCalls(0, FAST_CALL);
    const state = new MonitorState(lab.machine);
    const beyond = state.teeCore(0, 3, "redistributorEnabled");
    for (const ipa of [
      gicd("GICD_IROUTER", 0x120),
      gicd("GICD_NSACR"),
      gicr(0, "GICR_NSACR"),
      gicr(3, "GICR_ISENABLER0"),
      gicr(2, "GICR_IGROUPR0"),
    ]) {
      lab.tee().store(ipa, 0xffffffffn);
      assert.equal(lab.tee().load(ipa), 0n, ipa.toString(16));
    }
    assert.equal(state.teeCore(0, 3, "redistributorEnabled"), beyond);
    assert.deepEqual(brokenInvariants(lab), []);
  });

  test("the distributor of the machine is not touched", async () => {
    const lab = await inACall();
    const machineWord = lab.machine.devices.read(TEE_GICD_IPA + size("GICD_ISENABLER") + 8);
    lab.tee().store(gicd("GICD_ISENABLER", 8), 0xffffffffn);
    assert.equal(lab.machine.devices.read(TEE_GICD_IPA + size("GICD_ISENABLER") + 8), machineWord);
  });
});

suite("services of firmware", () => {
  test("SMCCC_VERSION is answered, everything else is NOT_SUPPORTED, and the TEE goes on", async () => {
    const lab = await inACall();
    for (const [fid, answer] of [
      [SMCCC_VERSION_FID, BigInt(SMCCC_VERSION_1_1)],
      [0x84000000, NOT_SUPPORTED],
      [0xc4000003, NOT_SUPPORTED],
      [0x80000001, NOT_SUPPORTED],
    ] as const) {
      lab.tee().returns(fid, 1n, 2n, 3n);
      assert.equal(lab.core(0).x[0], answer);
      assert.deepEqual([...lab.core(0).x.slice(1, 4)], [1n, 2n, 3n]);
    }
  });
});
