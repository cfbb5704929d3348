import assert from "node:assert/strict";
import { test } from "node:test";
import { aptError, parseUris } from "./apt.ts";

test("apt-get --print-uris is read", () => {
  const hash = "a".repeat(64);
  const text = `'http://m.example/x/y%2bz_1%3a2_arm64.deb' y_1%3a2_arm64.deb 4242 SHA256:${hash}\nnoise\n`;
  assert.deepEqual(parseUris(text), [{ fileName: "y_1%3a2_arm64.deb", size: 4242, sha256: hash }]);
});

const said: [string, string][] = [
  [
    "E: Failed to fetch http://m/x  Could not connect to m:80 (1.2.3.4). - connect (111: Connection refused)",
    "no-network",
  ],
  ["E: Failed to fetch http://m/x  Temporary failure resolving 'm'", "no-network"],
  ["E: Failed to fetch http://m/x  Hash Sum mismatch\n   Hashes of expected file:", "wrong-hash"],
  [
    "W: GPG error: The following signatures couldn't be verified: NO_PUBKEY 78DB\nE: The repository is not signed.",
    "bad-signature",
  ],
  ["E: Write error - write (28: No space left on device)", "disk-full"],
  ["E: Failed to fetch http://m/x.deb  404  Not Found [IP: 1.2.3.4 80]", "package-gone"],
  ["E: Version '1' for 'x' was not found", "package-gone"],
  ["E: Something else", "apt-failed"],
];

for (const [stderr, code] of said) {
  test(`apt's ${JSON.stringify(stderr.slice(0, 60))}… is ${code}`, () => {
    const error = aptError({ exitCode: 100, stdout: "", stderr }, "testing");
    assert.equal(error.code, code);
    assert.ok(error.hint !== undefined && !error.message.includes("\n"));
  });
}
