// Writes a flash image by hand: `node host/machine/write-flash.ts --monitor build/firmware/monitor.bin
// --tee TEE-PAGER --profile optee-4.5 --ram 2048 --cores 2 --guests 4 --out build/vtz-flash.bin`.

import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { TEE_PROFILES, type TeeName } from "../../el1/tees/profiles.ts";
import { readTee, writeFlash } from "./flash.ts";
import { layOutRam } from "./ram-layout.ts";

const { values } = parseArgs({
  options: {
    monitor: { type: "string", default: "build/firmware/monitor.bin" },
    tee: { type: "string" },
    profile: { type: "string", default: "optee-4.5" },
    ram: { type: "string", default: "2048" },
    cores: { type: "string", default: "2" },
    guests: { type: "string", default: "4" },
    out: { type: "string", default: "build/vtz-flash.bin" },
  },
});
const profile = TEE_PROFILES[values.profile as TeeName];
if (values.tee === undefined || profile === undefined)
  throw new Error("--tee FILE and a known --profile are needed");

const ram = layOutRam(Number(values.ram) * 1024 * 1024, Number(values.guests));
const tee = await readTee(values.tee, profile);
const monitor = await readFile(values.monitor);
await writeFlash(values.out, { monitor, tees: [tee], ram, coreCount: Number(values.cores) });
console.log(`${values.out}: pool at 0x${ram.poolPa.toString(16)}, ${ram.poolSize >> 20} MiB`);
