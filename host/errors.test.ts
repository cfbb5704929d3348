import assert from "node:assert/strict";
import { test } from "node:test";
import { explainFileError, UserError } from "./errors.ts";

function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(code), { code, syscall, path: "/x/y" });
}

const cases: [Error, string][] = [
  [systemError("ENOSPC", "write"), "disk-full"],
  [Object.assign(new Error("exit code 2"), { output: "tar: x: No space left on device" }), "disk-full"],
  [systemError("EROFS", "open"), "not-writable"],
  [systemError("EACCES", "open"), "not-writable"],
  [systemError("ENOENT", "mkdir"), "not-writable"],
];

for (const [error, code] of cases) {
  test(`${error.message} is ${code}, with what was being done and what to do`, () => {
    const explained = explainFileError(error, "building");
    assert.ok(explained instanceof UserError);
    assert.equal(explained.code, code);
    assert.match(explained.message, /building/);
    assert.ok(explained.hint !== undefined);
    assert.equal(explained.cause, error);
  });
}

test("a bug stays what it is", () => {
  const bug = new TypeError("x is not a function");
  assert.equal(explainFileError(bug, "building"), bug);
});
