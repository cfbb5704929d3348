// The table of compartments as bytes (abi/compartment-images.ts).

import * as abi from "../../abi/compartment-images.ts";
import type { CompartmentRow } from "../../sel0/manifest.ts";
import { LENT_MIB_MAX } from "../../sel0/manifest.ts";

export interface CompartmentImage {
  readonly row: CompartmentRow;
  /** Text, then constants; whole pages of both. */
  readonly bytes: Uint8Array;
  readonly textSize: number;
}

const PAGE_SIZE = 0x1000;
const TABLE_MIB = 2;
const NAME_SIZE = abi.COMPARTMENT_IMAGE_OFFSET - abi.COMPARTMENT_NAME;
const MAGIC = (BigInt(abi.COMPARTMENT_IMAGES_MAGIC_HIGH) << 32n) | BigInt(abi.COMPARTMENT_IMAGES_MAGIC_LOW);

export function encodeCompartmentImages(images: readonly CompartmentImage[]): Uint8Array {
  if (images.length > abi.COMPARTMENT_ROWS_MAX)
    throw new RangeError(`${images.length} compartments; ${abi.COMPARTMENT_ROWS_MAX} fit`);
  const size = images.reduce((sum, { bytes }) => sum + bytes.length, PAGE_SIZE);
  const table = new Uint8Array(size);
  const view = new DataView(table.buffer);
  view.setBigUint64(abi.COMPARTMENT_IMAGES_MAGIC, MAGIC, true);
  view.setUint32(abi.COMPARTMENT_IMAGES_COUNT, images.length, true);
  let offset = PAGE_SIZE;
  for (const [index, image] of images.entries()) {
    const at = abi.COMPARTMENT_ROW_BASE + index * abi.COMPARTMENT_ROW_SIZE;
    encodeRow(new DataView(table.buffer, at, abi.COMPARTMENT_ROW_SIZE), image, offset);
    table.set(image.bytes, offset);
    offset += image.bytes.length;
  }
  return table;
}

function encodeRow(view: DataView, { row, bytes, textSize }: CompartmentImage, offset: number): void {
  const name = new TextEncoder().encode(row.name);
  if (name.length >= NAME_SIZE) throw new RangeError(`the name ${row.name} is too long`);
  if (bytes.length % PAGE_SIZE !== 0 || textSize % PAGE_SIZE !== 0 || textSize > bytes.length)
    throw new RangeError(`the image of ${row.name} is no whole number of pages`);
  if (row.lentPagesMib > LENT_MIB_MAX) throw new RangeError(`${row.name}: ${LENT_MIB_MAX} MiB can be lent`);
  new Uint8Array(view.buffer, view.byteOffset + abi.COMPARTMENT_NAME).set(name);
  const words: [number, number][] = [
    [abi.COMPARTMENT_IMAGE_OFFSET, offset],
    [abi.COMPARTMENT_TEXT_SIZE, textSize],
    [abi.COMPARTMENT_RODATA_SIZE, bytes.length - textSize],
    [abi.COMPARTMENT_MEMORY_PAGES, row.memoryPages],
    [abi.COMPARTMENT_WINDOW_TABLES, Math.ceil(row.lentPagesMib / TABLE_MIB)],
    [abi.COMPARTMENT_KEEPS_STATE, row.keepsState ? 1 : 0],
    [abi.COMPARTMENT_BOUND_MS, row.boundMs],
  ];
  for (const [at, value] of words) view.setUint32(at, value, true);
}
