import assert from "node:assert/strict";
import { test } from "node:test";
import * as abi from "../../abi/status.ts";
import { decodeStatus, formatEvent, STATUS_SIZE } from "./status.ts";

test("the status page says what each guest's TEE does; empty slots are left out", () => {
  const page = aPage();
  putGuest(page, 2, { state: abi.GUEST_READY, vmid: 3, id: 7n, switches: 123456789012n });

  const status = decodeStatus(bytesOf(page))!;

  assert.equal(status.poolFree, 0x3000000);
  assert.equal(status.guests.length, 1);
  const { slot, state, vmid, id, switches } = status.guests[0]!;
  assert.deepEqual(
    { slot, state, vmid, id, switches },
    { slot: 2, state: "ready", vmid: 3, id: 7, switches: 123456789012 },
  );
});

test("the ring gives the latest events in order, also when it has gone round", () => {
  const page = aPage();
  const count = abi.EVENT_SLOTS + 5;
  page.setBigUint64(abi.STATUS_EVENT_COUNT, BigInt(count), true);
  for (let index = 0; index < count; index++) putEvent(page, index, abi.EVENT_GUEST_CREATED, index);

  const { events } = decodeStatus(bytesOf(page))!;

  assert.equal(events.length, abi.EVENT_SLOTS);
  assert.deepEqual([events[0]!.index, events.at(-1)!.index], [5, count - 1]);
  assert.equal(events[0]!.arguments[0], "0x5");
  assert.match(formatEvent(events[0]!), /^ {4}5 .*guest-created +guest 1 +0x5 0x0$/);
});

test("a page that the monitor has not written is no status, and one of nonsense is refused", () => {
  const page = aPage();
  page.setUint32(abi.STATUS_GUEST_SLOTS, 1000, true);

  assert.equal(decodeStatus(new Uint8Array(STATUS_SIZE)), undefined);
  assert.equal(decodeStatus(bytesOf(aPage()).subarray(1)), undefined);
  assert.throws(() => decodeStatus(bytesOf(page)), /1000 guest slots/);
});

function aPage(): DataView {
  const page = new DataView(new ArrayBuffer(STATUS_SIZE));
  page.setUint32(abi.STATUS_MAGIC, abi.STATUS_MAGIC_LOW, true);
  page.setUint32(abi.STATUS_MAGIC + 4, abi.STATUS_MAGIC_HIGH, true);
  page.setUint32(abi.STATUS_GUEST_SLOTS, 8, true);
  page.setUint32(abi.STATUS_EVENT_SLOTS, abi.EVENT_SLOTS, true);
  page.setBigUint64(abi.STATUS_POOL_FREE, 0x3000000n, true);
  return page;
}

function putGuest(
  page: DataView,
  slot: number,
  guest: { state: number; vmid: number; id: bigint; switches: bigint },
): void {
  const base = abi.STATUS_GUEST_BASE + slot * abi.STATUS_GUEST_SIZE;
  page.setUint32(base + abi.GUEST_STATE, guest.state, true);
  page.setUint32(base + abi.GUEST_VMID, guest.vmid, true);
  page.setBigUint64(base + abi.GUEST_ID, guest.id, true);
  page.setBigUint64(base + abi.GUEST_SWITCHES, guest.switches, true);
}

function putEvent(page: DataView, index: number, kind: number, argument: number): void {
  const base = abi.EVENT_BASE + (index % abi.EVENT_SLOTS) * abi.EVENT_SIZE;
  page.setUint32(base + abi.EVENT_KIND, kind, true);
  page.setUint32(base + abi.EVENT_GUEST, 1, true);
  page.setBigUint64(base + abi.EVENT_ARGUMENT_0, BigInt(argument), true);
}

function bytesOf(page: DataView): Uint8Array {
  return new Uint8Array(page.buffer);
}
