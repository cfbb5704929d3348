// The boot compartment's answers in words: for the user whose machine has stopped, and for whoever looks at a package.

import * as abi from "../../abi/boot-compartment.ts";

const REFUSALS: Readonly<Record<number, string>> = {
  [abi.BOOT_REFUSED_MAGIC]: "there is no boot package, or it is of another format",
  [abi.BOOT_REFUSED_SIZE]: "the boot package is cut off: it has another size than it says",
  [abi.BOOT_REFUSED_SIGNATURE]:
    "the boot package is not signed with the machine's root key, or was changed afterwards",
  [abi.BOOT_REFUSED_VERSION]: "the boot package is older than the machine's minimum version",
  [abi.BOOT_REFUSED_TEE_COUNT]: "the boot package has no TEE, or too many",
  [abi.BOOT_REFUSED_MISSING]: "an image that must be there is missing in the boot package",
  [abi.BOOT_REFUSED_KIND]: "the boot package's images are not in order",
  [abi.BOOT_REFUSED_PLACE]: "an image of the boot package lies where none may lie",
  [abi.BOOT_REFUSED_TEXT]: "a name or version in the boot package is no text",
  [abi.BOOT_REFUSED_RESERVED]: "the boot package has something where nothing is defined",
  [abi.BOOT_REFUSED_PADDING]: "the boot package has something between or behind its images",
  [abi.BOOT_REFUSED_IMAGE_SIZE]: "an image has another size than the boot package says",
  [abi.BOOT_REFUSED_IMAGE_HASH]: "an image is not the one that was signed",
  [abi.BOOT_REFUSED_NOT_OPEN]: "an image was compared before a boot package was accepted",
  [abi.BOOT_REFUSED_NO_ROW]: "the boot package has no such image",
  [abi.BOOT_REFUSED_ORDER]: "a hash was continued or ended that was not begun",
  [abi.BOOT_REFUSED_LENT]: "more memory was lent than a window holds",
  [abi.BOOT_REFUSED_OPERATION]: "the boot compartment has no such operation",
};

export function explainRefusal(status: number): string {
  return REFUSALS[status] ?? `the boot compartment answers ${status}`;
}

/** Answers that have words. */
export function explainedRefusals(): number[] {
  return Object.keys(REFUSALS).map(Number);
}
