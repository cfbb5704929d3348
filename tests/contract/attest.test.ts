// Evidence of a guest (abi/attest-call.ts): el3/monitor/attest and the compartment behind it, verified with the library
// that a relying party uses.

import assert from "node:assert/strict";
import { createHash, hkdfSync } from "node:crypto";
import { suite, test } from "node:test";
import * as abi from "../../abi/attest-call.ts";
import { ATTEST_SIGNING_KEY_INFO } from "../../abi/attest-compartment.ts";
import { DEVICE_PAGE_PA, MONITOR_TEXT_PA } from "../../abi/memory-map.ts";
import { verifyEvidence } from "../../host/attest/index.ts";
import { assertTrapped } from "../drivers/asserts.ts";
import { changesBy } from "../drivers/changes.ts";
import { signerOf } from "../drivers/evidence.ts";
import { EC_SMC64, esrOf, smc } from "../drivers/exceptions.ts";
import { aLab, anImage, FAST_CALL, type Lab } from "../drivers/lab.ts";
import { aNamedGuest, anIdentity } from "../drivers/named-guests.ts";
import type { ForcedEnd } from "../machine/compartments.ts";
import { DEVICE } from "../machine/machine.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { structure } from "../machine/source-words.ts";

const NOT_SUPPORTED = 2n ** 64n - 1n;
const INVALID_PARAMETERS = 2n ** 64n - 2n;
const DENIED = 2n ** 64n - 3n;

const seed = hkdfSync("sha256", DEVICE.secret, DEVICE.identity, ATTEST_SIGNING_KEY_INFO, 32);
const { publicKey: deviceKey } = signerOf(new Uint8Array(seed));
const NONCE = Uint8Array.from({ length: abi.ATTEST_CALL_NONCE_SIZE }, (_, index) => 0xa0 + index);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const identityOf = (slot: number) => anIdentity(0x31 + slot);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const DIGEST_FIELDS = { monitor: "monitor0", identity: "identity0", tee: "tee0" } as const;

/** As if the monitor had found out something else of machine or guest. */
function setFact(lab: Lab, name: keyof typeof DIGEST_FIELDS, value: Uint8Array, slot = 0): void {
  const state = new MonitorState(lab.machine);
  const isMachines = name === "monitor";
  const ptr = isMachines ? state.machineFactsPtr() : state.guestFactsPtr(slot);
  const { offset } = structure(isMachines ? "MachineFacts" : "GuestFacts").get(DIGEST_FIELDS[name])!;
  value.forEach((byte, index) => {
    lab.machine.linear.setUint8(ptr + offset + index, byte);
  });
}

/** Guests that have a name. */
async function aMeasuredLab(guests = 1): Promise<Lab> {
  const lab = await aLab({ cores: 2, guests: 2 });
  for (let slot = 0; slot < guests; slot++) aNamedGuest(lab, identityOf(slot), slot);
  return lab;
}

function callMonitor(lab: Lab, functionId: number, words: readonly bigint[] = [], core = 0): bigint[] {
  const { x } = lab.core(core);
  x[0] = BigInt(functionId);
  words.forEach((value, index) => {
    x[index + 1] = value;
  });
  smc(lab.machine, lab.core(core));
  return [...x.subarray(0, 8)];
}

const nonceWords = (nonce: Uint8Array) => [...new BigUint64Array(nonce.slice().buffer)];
const make = (lab: Lab, nonce = NONCE, core = 0) =>
  callMonitor(lab, abi.ATTEST_MAKE_FID, nonceWords(nonce), core)[0]!;
const read = (lab: Lab, offset: bigint, core = 0) => callMonitor(lab, abi.ATTEST_READ_FID, [offset], core);

function evidence(lab: Lab, nonce = NONCE, core = 0): Uint8Array {
  const size = Number(make(lab, nonce, core));
  assert.ok(size > 0 && size < 0x400, `0x${size.toString(16)}`);
  const bytes = new Uint8Array(Math.ceil(size / abi.ATTEST_CALL_PIECE_SIZE) * abi.ATTEST_CALL_PIECE_SIZE);
  for (let offset = 0; offset < size; offset += abi.ATTEST_CALL_PIECE_SIZE) {
    const [status, ...words] = read(lab, BigInt(offset), core);
    assert.equal(status, 0n);
    bytes.set(new Uint8Array(BigUint64Array.from(words).buffer), offset);
  }
  assert.ok(bytes.subarray(size).every((byte) => byte === 0));
  return bytes.slice(0, size);
}

for (const world of ["a guest", "its TEE"] as const) {
  suite(`evidence that ${world} asks for`, () => {
    test("is accepted, and says what the monitor knows", async () => {
      const lab = await aMeasuredLab();
      if (world === "its TEE") lab.guestCalls(0, FAST_CALL);

      const verdict = verifyEvidence(evidence(lab), { deviceKey, nonce: NONCE, guest: identityOf(0) });

      assert.ok(verdict.isAccepted);
      const { claims } = verdict;
      assert.equal(claims.device, hex(DEVICE.identity));
      assert.equal(claims.components.tee.measurement, sha256(anImage()));
      assert.equal(claims.components.tee.name, "test-tee");
      assert.equal(claims.components.hypervisor.measurement, lab.status.protection.measurement);
      assert.equal(claims.packageVersion, BigInt(lab.machine.bootPackage.version));
      const flash = lab.machine.memory.bytes(MONITOR_TEXT_PA, DEVICE_PAGE_PA - MONITOR_TEXT_PA);
      assert.equal(claims.components.monitor.measurement, sha256(flash));
      assert.deepEqual([claims.violations, claims.verifiedBoot, claims.lockedDown], [0n, true, true]);
      assert.equal(claims.debug, "enabled");
    });
  });
}

test("evidence tells what the hypervisor has attempted since", async () => {
  const lab = await aMeasuredLab();
  lab.hypervisor.issues(lab.core(1), 0x1234);

  const verdict = verifyEvidence(evidence(lab), { deviceKey, nonce: NONCE });
  assert.ok(verdict.isAccepted);
  assert.equal(verdict.claims.violations, 1n);
});

test("each guest has its own: neither's is about the other", async () => {
  const lab = await aMeasuredLab(2);
  const [first, second] = [evidence(lab, NONCE, 0), evidence(lab, NONCE, 1)];

  assert.ok(verifyEvidence(first, { deviceKey, nonce: NONCE, guest: identityOf(0) }).isAccepted);
  assert.ok(verifyEvidence(second, { deviceKey, nonce: NONCE, guest: identityOf(1) }).isAccepted);
  const verdict = verifyEvidence(second, { deviceKey, nonce: NONCE, guest: identityOf(0) });
  assert.equal(verdict.isAccepted || verdict.code, "guest");
});

test("a new question makes it anew; what is read is the last one", async () => {
  const lab = await aMeasuredLab();
  const other = NONCE.map((byte) => byte ^ 0xff);
  evidence(lab, NONCE);

  const verdict = verifyEvidence(evidence(lab, other), { deviceKey, nonce: NONCE });
  assert.equal(verdict.isAccepted || verdict.code, "nonce");
});

const ZEROS = new Uint8Array(32);
const MISSING: [what: string, forget: (lab: Lab) => void][] = [
  ["a guest without an identity", (lab) => setFact(lab, "identity", ZEROS)],
  ["a TEE that was not measured", (lab) => setFact(lab, "tee", ZEROS)],
  ["a monitor that was not measured", (lab) => setFact(lab, "monitor", ZEROS)],
];

for (const [what, forget] of MISSING) {
  test(`of ${what} there is none, and none of before is left`, async () => {
    const lab = await aMeasuredLab();
    evidence(lab);
    forget(lab);

    assert.equal(make(lab), DENIED);
    assert.equal(read(lab, 0n)[0], INVALID_PARAMETERS);
  });
}

test("a piece begins at a word of it", async () => {
  const lab = await aMeasuredLab();
  assert.equal(read(lab, 0n)[0], INVALID_PARAMETERS);
  const size = make(lab);
  const behind = ((size + 7n) / 8n) * 8n;

  for (const offset of [1n, 4n, behind, behind + 8n, 1n << 32n, 1n << 63n])
    assert.equal(read(lab, offset)[0], INVALID_PARAMETERS, `${offset}`);
  assert.equal(read(lab, behind - 8n)[0], 0n);
});

for (const end of ["abort", "overrun"] as const satisfies ForcedEnd[]) {
  test(`a compartment that ends by an ${end} answers again afterwards`, async () => {
    const lab = await aMeasuredLab();
    evidence(lab);
    lab.machine.forcedEnd = end;

    assert.equal(make(lab), NOT_SUPPORTED);
    assert.ok(verifyEvidence(evidence(lab), { deviceKey, nonce: NONCE }).isAccepted);
  });
}

test("what a guest was is forgotten with it", async () => {
  const lab = await aLab({ cores: 2, guests: 1 });
  const vm = aNamedGuest(lab, identityOf(0));
  evidence(lab);

  lab.hypervisor.interrupt(lab.core(0));
  lab.hypervisor.destroy(lab.core(0), vm);
  lab.aGuest();

  assert.equal(read(lab, 0n)[0], INVALID_PARAMETERS);
  const verdict = verifyEvidence(evidence(lab), { deviceKey, nonce: NONCE });
  assert.ok(verdict.isAccepted);
  assert.notEqual(verdict.claims.guest, hex(identityOf(0)));
});

test("a guest that ends in the middle of its call gets nothing of the slot's next guest", async () => {
  const lab = await aMeasuredLab();
  const state = new MonitorState(lab.machine);
  const areaPtr = lab.machine.monitor.coreAreaPtr(0) + structure("CoreArea").get("guest")!.offset;
  const guest = state.core(0, "guest");
  lab.machine.interleave = (act) => {
    if (act !== "lock") return;
    lab.machine.interleave = undefined;
    lab.machine.linear.setUint32(areaPtr, 0, true); // as the end of a guest leaves it
  };

  const result = make(lab);

  lab.machine.linear.setUint32(areaPtr, Number(guest), true);
  assert.equal(result, DENIED);
  assert.equal(read(lab, 0n)[0], INVALID_PARAMETERS);
});

test("making changes x0, reading x0 to x7, and nothing else", async () => {
  const lab = await aMeasuredLab();
  const registersOf = (act: () => void) => {
    const { registers } = changesBy(lab, act);
    return registers.filter((name) => !name.endsWith(".CNTPS_CVAL_EL1")).sort();
  };
  const { x } = lab.core(0);
  x.set(nonceWords(NONCE), 1);
  x.set([5n, 6n, 7n, 8n], 5);
  x[0] = BigInt(abi.ATTEST_MAKE_FID);
  assert.deepEqual(
    registersOf(() => smc(lab.machine, lab.core(0))),
    ["0.PC", "0.X0"],
  );

  x[0] = BigInt(abi.ATTEST_READ_FID);
  x[1] = 0n;
  const changed = registersOf(() => smc(lab.machine, lab.core(0)));
  assert.deepEqual(changed, ["0.PC", ...Array.from({ length: 8 }, (_, index) => `0.X${index}`)]);
});

test("the control domain's call, and one with another immediate than 0, are the hypervisor's", async () => {
  const guests = await aMeasuredLab();
  const at = guests.core(0).pc;
  guests.core(0).x[0] = BigInt(abi.ATTEST_MAKE_FID);
  smc(guests.machine, guests.core(0), 1);
  assertTrapped(guests, at, esrOf(EC_SMC64, 1n));

  const lab = await aLab();
  lab.hypervisor.run(lab.core(0), lab.hypervisor.controlDomain.vcpus[0]!);
  const dom0At = lab.core(0).pc;
  lab.guestCalls(0, abi.ATTEST_READ_FID);
  assertTrapped(lab, dom0At, esrOf(EC_SMC64));
});

test("a guest whose TEE was stopped gets none any more", async () => {
  const lab = await aMeasuredLab();
  assert.notEqual(make(lab), DENIED);

  lab.guestCalls(0, FAST_CALL);
  lab.tee().wfi();

  assert.equal(make(lab), DENIED);
});
