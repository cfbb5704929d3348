// What a user can do something about. Anything else that is thrown is a bug of ours.

export const FREE_SPACE_HINT = "free space, or set VTZ_CACHE and VTZ_STATE to folders on a larger disk";
const OWN_FOLDERS_HINT = "set VTZ_CACHE and VTZ_STATE to folders you own";

export class UserError extends Error {
  readonly code: string;
  readonly hint?: string;

  constructor(code: string, message: string, hint?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "UserError";
    this.code = code;
    if (hint !== undefined) this.hint = hint;
  }
}

/** The errors of the file system that a user can mend, said in a line; anything else comes back as it was. */
export function explainFileError(error: unknown, doing: string): unknown {
  const { code, path, syscall, output } = error as NodeJS.ErrnoException & { output?: string };
  const at = path === undefined ? "" : ` (${path})`;
  // A tool that we ran says it in words.
  const isToolFull = error instanceof Error && /No space left on device/.test(output ?? "");
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG" || isToolFull) {
    return new UserError("disk-full", `no space left while ${doing}${at}`, FREE_SPACE_HINT, error);
  }
  // Node reports a recursive mkdir on a read-only file system as ENOENT.
  const isReadOnly = code === "ENOENT" && syscall === "mkdir";
  if (code === "EACCES" || code === "EPERM" || code === "EROFS" || isReadOnly) {
    return new UserError("not-writable", `not allowed to write while ${doing}${at}`, OWN_FOLDERS_HINT, error);
  }
  return error;
}
