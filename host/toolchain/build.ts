// `node host/toolchain/build.ts [--force]`: builds the monitor and says what came out.

import { stat } from "node:fs/promises";
import { UserError } from "../errors.ts";
import { buildFirmware } from "./build-firmware.ts";

const start = performance.now();
try {
  const firmware = await buildFirmware({ force: process.argv.includes("--force") });
  const { size } = await stat(firmware.bin);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const how = firmware.rebuilt ? `built in ${seconds} s` : "up to date";
  console.log(`${firmware.elf}\n${firmware.bin} (${size} bytes), ${how}`);
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(error.hint === undefined ? error.message : `${error.message}\n${error.hint}`);
  process.exitCode = 2;
}
