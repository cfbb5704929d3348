// Where a TEE kernel takes its hardware unique key from, as words of its row in the boot package (abi/boot-package.ts).

import { TEE_KEY_SITE, TEE_KEY_WORD_COUNT, TEE_KEY_WORDS } from "../../abi/boot-package.ts";
import type { KeySite } from "./tee-key-site.ts";

const WORD_SIZE = 4;

export function encodeKeySite(row: DataView, { offset, words }: KeySite): void {
  if (offset === 0 || words.length !== TEE_KEY_WORD_COUNT)
    throw new RangeError(`a key site of ${words.length} words at ${offset}`);
  row.setUint32(TEE_KEY_SITE, offset, true);
  words.forEach((word, index) => {
    row.setUint32(TEE_KEY_WORDS + index * WORD_SIZE, word, true);
  });
}

export function decodeKeySite(row: DataView): KeySite | undefined {
  const offset = row.getUint32(TEE_KEY_SITE, true);
  if (offset === 0) return undefined;
  const wordAt = (index: number) => row.getUint32(TEE_KEY_WORDS + index * WORD_SIZE, true);
  return { offset, words: Array.from({ length: TEE_KEY_WORD_COUNT }, (_, index) => wordAt(index)) };
}
