// vtz build: the firmware, as it goes into flash.

import { stat } from "node:fs/promises";
import { ensureHost } from "../setup/install.ts";
import { buildFirmware } from "../toolchain/build-firmware.ts";
import { command, jsonOption, say, sayJson } from "./command.ts";

export default command({
  name: "build",
  description: "Build the EL3 monitor: TypeScript to WebAssembly to C to AArch64",
  args: { force: { type: "boolean", description: "build even when nothing has changed" }, ...jsonOption },
  examples: ["vtz build", "vtz build --force --json"],
  async run({ args }) {
    await ensureHost((line) => process.stderr.write(`${line}\n`));
    const start = performance.now();
    const { elf, bin, wasm, rebuilt } = await buildFirmware({ force: args.force === true });
    const { size } = await stat(bin);
    const seconds = Math.round(performance.now() - start) / 1000;
    if (args.json === true) sayJson({ elf, bin, wasm, size, rebuilt, seconds });
    else say(`${bin}: ${size} bytes, ${rebuilt ? `built in ${seconds} s` : "up to date"}`);
  },
});
