// Writes cpio archives in the "newc" form that Linux unpacks as an initramfs
// (Documentation/driver-api/early-userspace/buffer-format.rst). Deterministic: same entries, same bytes.

export interface CpioEntry {
  /** Path without a leading slash. */
  path: string;
  kind: "file" | "folder" | "link" | "character-device";
  /** Permission bits. */
  mode: number;
  /** Contents of a file; target of a link. */
  data?: Uint8Array;
  device?: { major: number; minor: number };
}

const TYPE_BITS: Record<CpioEntry["kind"], number> = {
  file: 0o100000,
  folder: 0o040000,
  link: 0o120000,
  "character-device": 0o020000,
};
const MAGIC = "070701";
const HEADER_SIZE = 110;
const TRAILER = "TRAILER!!!";

export function encodeCpio(entries: CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [index, entry] of entries.entries()) parts.push(...encodeEntry(entry, index + 1));
  parts.push(...encodeEntry({ path: TRAILER, kind: "file", mode: 0 }, 0, 0));
  return Buffer.concat(parts);
}

function encodeEntry(entry: CpioEntry, inode: number, typeBits = TYPE_BITS[entry.kind]): Uint8Array[] {
  const name = Buffer.from(`${entry.path}\0`);
  const data = entry.data ?? new Uint8Array(0);
  const fields = [
    inode,
    typeBits | entry.mode,
    0, // user
    0, // group
    entry.kind === "folder" ? 2 : 1, // links
    0, // time
    data.length,
    0,
    0,
    entry.device?.major ?? 0,
    entry.device?.minor ?? 0,
    name.length,
    0, // checksum, unused in this form
  ];
  const header = MAGIC + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  return [
    Buffer.from(header),
    name,
    new Uint8Array(paddingOf(HEADER_SIZE + name.length)),
    data,
    new Uint8Array(paddingOf(data.length)),
  ];
}

function paddingOf(size: number): number {
  return (4 - (size % 4)) % 4;
}
