// OP-TEE's tee-header_v2.bin (optee-os, scripts/gen_tee_bin.py): says where tee-pager_v2.bin must be loaded.

export interface TeeHeader {
  readonly arch: "arm" | "arm64";
  readonly images: readonly { readonly loadAddress: number; readonly id: number; readonly size: number }[];
}

const MAGIC = 0x4554504f; // "OPTE"
const HEADER_SIZE = 12;
const IMAGE_SIZE = 16;

export function parseTeeHeader(bytes: Uint8Array): TeeHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_SIZE || view.getUint32(0, true) !== MAGIC)
    throw new Error("not an OP-TEE header");
  if (view.getUint8(4) !== 2) throw new Error(`OP-TEE header of version ${view.getUint8(4)}, expected 2`);
  const imageCount = view.getUint32(8, true);
  if (bytes.length < HEADER_SIZE + imageCount * IMAGE_SIZE) throw new Error("OP-TEE header is cut off");
  const images = Array.from({ length: imageCount }, (_, index) => {
    const base = HEADER_SIZE + index * IMAGE_SIZE;
    return {
      loadAddress: view.getUint32(base, true) * 2 ** 32 + view.getUint32(base + 4, true),
      id: view.getUint32(base + 8, true),
      size: view.getUint32(base + 12, true),
    };
  });
  return { arch: view.getUint8(5) === 1 ? "arm64" : "arm", images };
}
