// Where the new tree of a guest can lie: where the old one did, or at a place that is certainly free.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as abi from "../../abi/guest-boot-compartment.ts";
import { aDeviceTreeNode } from "../../host/formats/device-tree.ts";
import { encodeDeviceTree } from "../../host/formats/fdt.ts";
import { anImageHeader, type BootRequest, showTee } from "../drivers/guest-boot.ts";
import { aGuestTree, type GuestTree } from "../drivers/guest-trees.ts";

const PAGE = 0x1000;
const BANK = 0x4000_0000n;
const BANK_END = 0x5000_0000n;

/** A tree of exactly `size` bytes. */
function blobOf(size: number, guest: GuestTree = {}): Uint8Array {
  const withFiller = (length: number) => {
    const filler = aDeviceTreeNode("filler", { filler: Buffer.alloc(length) });
    return encodeDeviceTree(aGuestTree({ ...guest, more: [...(guest.more ?? []), filler] }));
  };
  const blob = withFiller(size - withFiller(0).length);
  assert.equal(blob.length, size);
  return blob;
}

const initrd = (start: bigint, end: bigint) => ({ "linux,initrd-start": [start], "linux,initrd-end": [end] });

function placeOf(blob: Uint8Array, request: BootRequest): bigint | undefined {
  const { code, placeIpa, flags } = showTee(blob, request);
  if (code === abi.GUEST_BOOT_NO_PLACE) return undefined;
  assert.equal(code, abi.GUEST_BOOT_DONE);
  const isInPlace = (flags & abi.GUEST_BOOT_IN_PLACE) !== 0;
  assert.equal(isInPlace, placeIpa === request.treeIpa);
  return placeIpa;
}

describe("the place of the new tree", () => {
  test("is that of the old one if that page has room", () => {
    const treeIpa = 0x4800_0000n;

    assert.equal(placeOf(blobOf(PAGE - 0x100, { chosen: {} }), { treeIpa }), treeIpa);
  });

  test("is that of the old one if it has free space, however full the page is", () => {
    const blob = Buffer.concat([blobOf(2 * PAGE - 0x100, { chosen: {} }), Buffer.alloc(0x100)]);
    blob.writeUInt32BE(2 * PAGE, 4);
    const treeIpa = 0x4800_0000n;

    assert.equal(placeOf(blob, { treeIpa, entryBytes: new Uint8Array(64) }), treeIpa);
  });

  test("is that of the old one only as far as nothing is known to be behind it", () => {
    const treeIpa = 0x4800_0000n;
    const start = treeIpa + BigInt(PAGE) - 0xc0n;
    const blob = blobOf(PAGE - 0x100, { chosen: initrd(start, start + 0x100n) });

    assert.equal(
      placeOf(blob, { treeIpa, entryIpa: BANK, entryBytes: anImageHeader(0x20_0000n) }),
      BANK + 0x20_0000n,
    );
  });

  test("is behind the old one if that fills its page", () => {
    const treeIpa = 0x4800_0000n;

    assert.equal(placeOf(blobOf(PAGE, { chosen: {} }), { treeIpa }), treeIpa + BigInt(PAGE));
    assert.equal(placeOf(blobOf(PAGE, { chosen: {} }), { treeIpa: treeIpa + 8n }), treeIpa + 8n);
  });

  test("is behind the kernel and its BSS if the tree ends the bank, and not over the initrd", () => {
    const treeIpa = BANK_END - BigInt(PAGE);
    const request = { treeIpa, entryIpa: BANK, entryBytes: anImageHeader(0x20_0001n) };
    const atEnd = blobOf(PAGE, { chosen: {} });
    const withInitrd = blobOf(PAGE, { chosen: initrd(BANK + 0x20_1000n, BANK + 0x20_2000n) });

    assert.equal(placeOf(atEnd, request), BANK + 0x20_1000n);
    assert.equal(placeOf(withInitrd, request), BANK + 0x20_2000n);
  });

  test("is nowhere that the tree reserves", () => {
    const treeIpa = BANK_END - BigInt(PAGE);
    const request = { treeIpa, entryIpa: BANK, entryBytes: anImageHeader(0x20_0000n) };
    const reservations = [{ address: BANK + 0x20_0000n, size: 0x800n }];
    const reserved = aDeviceTreeNode(
      "reserved-memory",
      { "#address-cells": [2], "#size-cells": [2], ranges: true },
      [aDeviceTreeNode("a", { reg: [BANK + 0x20_1000n, 0x1000n, BANK + 0x20_2000n, 0x1000n] })],
    );

    assert.equal(placeOf(blobOf(PAGE, { chosen: {}, reservations }), request), BANK + 0x20_1000n);
    assert.equal(
      placeOf(blobOf(PAGE, { chosen: {}, reservations, more: [reserved] }), request),
      BANK + 0x20_3000n,
    );
  });

  test("crosses no boundary of 2 MiB", () => {
    const treeIpa = BANK_END - BigInt(2 * PAGE);
    const request = { treeIpa, entryIpa: BANK, entryBytes: anImageHeader(0x3f_f000n) };

    assert.equal(placeOf(blobOf(2 * PAGE, { chosen: {} }), request), BANK + 0x40_0000n);
  });

  test("is at the start of a bank if all else is full", () => {
    const treeIpa = BANK_END - BigInt(PAGE);
    const entryIpa = BANK + 0x10_0000n;
    const request = { treeIpa, entryIpa, entryBytes: anImageHeader(treeIpa - entryIpa) };

    assert.equal(placeOf(blobOf(PAGE, { chosen: {} }), request), BANK);
  });

  test("is none if nothing is free, or if nobody can tell", () => {
    const treeIpa = BANK_END - BigInt(PAGE);
    const entryBytes = anImageHeader(treeIpa - BANK);
    const request = { treeIpa, entryIpa: BANK, entryBytes };
    const unknown = { ...request, entryBytes: Buffer.alloc(64, 1) };
    const many = Array.from({ length: 70 }, (_, index) => ({ address: BANK + BigInt(index), size: 1n }));
    const small = { ...request, entryBytes: anImageHeader(0x20_0000n) };
    const huge = [{ address: BANK + 0x800_0000n, size: 2n ** 64n - 1n }];

    assert.equal(placeOf(blobOf(PAGE, { chosen: {} }), request), undefined);
    assert.equal(placeOf(blobOf(PAGE, { chosen: {} }), unknown), undefined);
    assert.equal(placeOf(blobOf(PAGE, { chosen: {}, reservations: many }), small), undefined);
    assert.equal(placeOf(blobOf(PAGE, { chosen: {}, reservations: huge }), small), undefined);
    assert.equal(placeOf(blobOf(PAGE, { chosen: {}, memory: [] }), small), undefined);
  });
});
