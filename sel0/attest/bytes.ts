// Bytes in linear memory, and static text as bytes.

/** A string literal lies in static data as UTF-16, behind a header whose last word is its size in bytes. */
const TEXT_SIZE_BEFORE: usize = 4;

/** Characters of a static text of ASCII: `changetype<usize>` of the literal. */
export function textLength(text: usize): usize {
  return <usize>load<u32>(text - TEXT_SIZE_BEFORE) >> 1;
}

/** The text as ASCII; answers where it ends. */
export function putText(ptr: usize, text: usize): usize {
  const length = textLength(text);
  for (let index: usize = 0; index < length; index++) store<u8>(ptr + index, load<u8>(text + index * 2));
  return ptr + length;
}

export function isZero(ptr: usize, size: usize): bool {
  let bits: u32 = 0;
  for (let index: usize = 0; index < size; index++) bits |= <u32>load<u8>(ptr + index);
  return bits === 0;
}
