import assert from "node:assert/strict";
import { test } from "node:test";
import type { UserError } from "../errors.ts";
import { resolveUp, type UpConfig, type UpOptions } from "./up-config.ts";

const ASKED: [string, UpOptions, UpConfig, [string, string?, string?]][] = [
  ["nothing", {}, {}, ["optee-4.5"]],
  ["a TEE of ours", { tee: "optee-4.10" }, {}, ["optee-4.10"]],
  ["an image for it", { tee: "optee-4.10", "tee-image": "tee.bin" }, {}, ["optee-4.10", "tee.bin"]],
  [
    "an image and its profile",
    { tee: "sel4.bin", profile: "p.json" },
    {},
    ["optee-4.5", "sel4.bin", "p.json"],
  ],
  ["the same in two words", { "tee-image": "a", profile: "p" }, {}, ["optee-4.5", "a", "p"]],
  ["the same in a file", {}, { tee: "./sel4", profile: "p.json" }, ["optee-4.5", "./sel4", "p.json"]],
];

for (const [what, options, config, [tee, teeImage, teeProfile]] of ASKED) {
  test(`${what}: which TEE, image and profile a machine gets`, () => {
    const { machine } = resolveUp(options, config);
    assert.deepEqual(
      { tee: machine.tee, teeImage: machine.teeImage, teeProfile: machine.teeProfile },
      { tee, teeImage, teeProfile },
    );
  });
}

const REFUSED: [string, UpOptions][] = [
  ["an image without a profile", { tee: "sel4.bin" }],
  ["two images", { tee: "a.bin", "tee-image": "b.bin", profile: "p.json" }],
];

for (const [what, options] of REFUSED) {
  test(`${what} is refused`, () => {
    assert.throws(
      () => resolveUp(options, {}),
      (error: UserError) => error.code === "unknown-tee" && /--profile/.test(error.hint ?? ""),
    );
  });
}
