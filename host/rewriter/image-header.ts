// The header of an arm64 Image (Linux: Documentation/arch/arm64/booting.rst) and the part of the PE/COFF header inside
// it that says where UEFI enters.

import { UserError } from "../errors.ts";

export const IMAGE_HEADER_SIZE = 64;
const MAGIC_OFFSET = 56;
const MAGIC = 0x644d5241; // "ARM\x64"
const FLAGS_OFFSET = 24;
const FLAG_BIG_ENDIAN = 1;
const PE_OFFSET_OFFSET = 60;
const PE_MAGIC = 0x00004550; // "PE\0\0"
const PE_MACHINE_ARM64 = 0xaa64;
const PE_SECTION_COUNT_OFFSET = 4 + 2;
const PE_OPTIONAL_SIZE_OFFSET = 4 + 16;
const PE_OPTIONAL_OFFSET = 4 + 20;
const PE_SECTION_SIZE = 40;
const PE_RAW_SIZE_OFFSET = 16; // within a section's header
const PE_RAW_POINTER_OFFSET = 20;
const PE_ENTRY_OFFSET = 4 + 20 + 16; // signature, COFF header, into the optional header

const USAGE = "give the Xen image itself, e.g. /boot/xen-4.20-arm64 of Debian's xen-hypervisor-4.20-arm64";

/** Offsets at which execution enters the image. Throws what a user can read if it is no arm64 Image. */
export function imageEntries(image: Uint8Array): number[] {
  const words = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (image.length < IMAGE_HEADER_SIZE || words.getUint32(MAGIC_OFFSET, true) !== MAGIC)
    throw notAnImage(image);
  if ((words.getUint32(FLAGS_OFFSET, true) & FLAG_BIG_ENDIAN) !== 0)
    throw new UserError("big-endian-image", "the image is for a big-endian hypervisor", USAGE);
  const peOffset = words.getUint32(PE_OFFSET_OFFSET, true);
  if (peOffset === 0) return [0];
  const isPe =
    peOffset + PE_ENTRY_OFFSET + 4 <= image.length &&
    words.getUint32(peOffset, true) === PE_MAGIC &&
    words.getUint16(peOffset + 4, true) === PE_MACHINE_ARM64;
  if (!isPe)
    throw new UserError(
      "damaged-image",
      `the image's header points to a PE header at 0x${peOffset.toString(16)}, where none is`,
      USAGE,
    );
  checkWhole(words, peOffset);
  return [0, words.getUint32(peOffset + PE_ENTRY_OFFSET, true)];
}

/** The PE header says where each section lies in the file. */
function checkWhole(words: DataView, peOffset: number): void {
  const sectionCount = words.getUint16(peOffset + PE_SECTION_COUNT_OFFSET, true);
  const sectionsOffset =
    peOffset + PE_OPTIONAL_OFFSET + words.getUint16(peOffset + PE_OPTIONAL_SIZE_OFFSET, true);
  let end = sectionsOffset + sectionCount * PE_SECTION_SIZE;
  for (let index = 0; index < sectionCount && end <= words.byteLength; index++) {
    const section = sectionsOffset + index * PE_SECTION_SIZE;
    const size = words.getUint32(section + PE_RAW_SIZE_OFFSET, true);
    end = Math.max(end, size === 0 ? 0 : words.getUint32(section + PE_RAW_POINTER_OFFSET, true) + size);
  }
  if (end > words.byteLength)
    throw new UserError(
      "damaged-image",
      `the image is cut off: by its header it has at least ${end} bytes, the file has ${words.byteLength}`,
      "copy or unpack it again",
    );
}

function notAnImage(image: Uint8Array): UserError {
  const isGzip = image[0] === 0x1f && image[1] === 0x8b;
  return new UserError(
    "not-an-image",
    `this is not an arm64 Image${isGzip ? " but a gzip file" : " (its header has no ARM\\x64 at byte 56)"}`,
    isGzip ? "unpack it first: gunzip -c FILE > IMAGE" : "give a raw Image; `file IMAGE` tells what it is",
  );
}
