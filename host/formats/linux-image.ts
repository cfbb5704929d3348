// The header of an arm64 boot Image (Linux Documentation/arch/arm64/booting.rst, section 4); Xen's has it too.

import { UserError } from "../errors.ts";

export interface LinuxImageHeader {
  /** Offset from a 2 MiB boundary at which the image wants to lie. */
  textOffset: number;
  /** Memory that the image needs, its BSS included. */
  memorySize: number;
  isLittleEndian: boolean;
  /** 4, 16 or 64 KiB; undefined = not said. */
  pageSize?: number;
  /** May lie anywhere in memory, not only near the start of RAM. */
  mayLieAnywhere: boolean;
}

const HEADER_SIZE = 64;
const MAGIC_OFFSET = 0x38;
const MAGIC = "ARM\x64";
const PAGE_SIZES = [undefined, 4096, 16384, 65536];

export function readLinuxImageHeader(image: Uint8Array, what = "the file"): LinuxImageHeader {
  const view = Buffer.from(image.buffer, image.byteOffset, image.length);
  if (view.length < HEADER_SIZE || view.toString("latin1", MAGIC_OFFSET, MAGIC_OFFSET + 4) !== MAGIC) {
    throw new UserError(
      "not-an-image",
      `${what} is not an arm64 boot Image`,
      "give an uncompressed Image (not Image.gz, not an EFI zboot image)",
    );
  }
  const flags = view.readUInt32LE(0x18);
  const pageSize = PAGE_SIZES[(flags >> 1) & 3];
  return {
    textOffset: Number(view.readBigUInt64LE(0x08)),
    memorySize: Number(view.readBigUInt64LE(0x10)),
    isLittleEndian: (flags & 1) === 0,
    mayLieAnywhere: (flags & 8) !== 0,
    ...(pageSize === undefined ? {} : { pageSize }),
  };
}
