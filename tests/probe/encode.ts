// The probe's cases as bytes (abi/probe-cases.ts), and a guest's order (abi/probe.ts).

import * as probe from "../../abi/probe.ts";
import * as abi from "../../abi/probe-cases.ts";
import type { Case, Step, StopCase } from "./table.ts";

const HEADER_WORDS_SIZE = 8;
const ARGUMENT_COUNT = 8;
const U64 = 8;

export interface GroupedCase extends Case {
  readonly group: number;
}

export function encodeCases(cases: readonly GroupedCase[]): Uint8Array {
  const bodies = cases.map(encodeCase);
  const header = new DataView(new ArrayBuffer(HEADER_WORDS_SIZE));
  header.setUint32(0, abi.CASES_MAGIC, true);
  header.setUint32(HEADER_WORDS_SIZE / 2, cases.length, true);
  const table = Buffer.concat([new Uint8Array(header.buffer), ...bodies]);
  if (table.length > abi.CASES_SIZE)
    throw new RangeError(`the cases have ${table.length} bytes; ${abi.CASES_SIZE} fit`);
  return table;
}

function encodeCase({ name, group, steps }: GroupedCase): Uint8Array {
  const text = Buffer.from(name, "latin1");
  const padding = Buffer.alloc((U64 - (text.length % U64)) % U64);
  const head = new DataView(new ArrayBuffer(abi.CASE_NAME));
  const body = Buffer.concat([text, padding, ...steps.map(encodeStep)]);
  const size = head.byteLength + body.length;
  for (const [at, value] of [
    [abi.CASE_SIZE, size],
    [abi.CASE_GROUP, group],
    [abi.CASE_STEPS, steps.length],
    [abi.CASE_NAME_SIZE, text.length],
  ] as const)
    head.setUint32(at, value, true);
  return Buffer.concat([new Uint8Array(head.buffer), body]);
}

function encodeStep({ kind, word, x, checks }: Step): Uint8Array {
  if (x.length > ARGUMENT_COUNT) throw new RangeError(`a step has ${ARGUMENT_COUNT} registers of its own`);
  const view = new DataView(new ArrayBuffer(abi.STEP_HEADER_SIZE + checks.length * abi.CHECK_WORDS_SIZE));
  view.setUint32(abi.STEP_KIND, kind, true);
  view.setUint32(abi.STEP_WORD, word >>> 0, true);
  view.setUint32(abi.STEP_CHECKS, checks.length, true);
  for (const [index, value] of x.entries()) view.setBigUint64(abi.STEP_X0 + index * U64, value, true);
  for (const [index, check] of checks.entries()) {
    const at = abi.STEP_HEADER_SIZE + index * abi.CHECK_WORDS_SIZE;
    view.setUint32(at + abi.CHECK_SOURCE, check.source, true);
    view.setBigUint64(at + abi.CHECK_MASK, check.mask, true);
    view.setBigUint64(at + abi.CHECK_LOW, check.low, true);
    view.setBigUint64(at + abi.CHECK_HIGH, check.high, true);
  }
  return new Uint8Array(view.buffer);
}

export function encodeOrder(group: number, boot?: StopCase["boot"]): Uint8Array {
  const view = new DataView(new ArrayBuffer(probe.PROBE_ORDER_SIZE));
  view.setUint32(probe.PROBE_ORDER_MAGIC, probe.PROBE_ORDER_VALID, true);
  view.setUint32(probe.PROBE_ORDER_GROUP, group, true);
  view.setBigUint64(probe.PROBE_ORDER_WORD, BigInt((boot?.word ?? 0) >>> 0), true);
  view.setBigUint64(probe.PROBE_ORDER_X0, boot?.x0 ?? 0n, true);
  view.setBigUint64(probe.PROBE_ORDER_X1, boot?.x1 ?? 0n, true);
  return new Uint8Array(view.buffer);
}

/** The guest's image with the table behind it, and a place for the order. */
export function imageWithCases(image: Uint8Array, table: Uint8Array): Uint8Array {
  return Buffer.concat([image, table]);
}
