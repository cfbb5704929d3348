// Writes what is made from the descriptions: `node arm/generate.ts`. The files are committed, and a test compares.

import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { instructionConstants, numberConstants, registerConstants } from "./constants.ts";
import { forbiddenPatterns } from "./forbidden.ts";
import { deviceConstants, deviceLayouts, deviceRegisters, privateInterrupts } from "./gic.ts";
import { instructions, systemAccessConstants } from "./instructions.ts";
import { descriptorConstants, descriptors, tableConstants } from "./page-tables.ts";
import { controlConstants, syndromes, systemRegisters } from "./registers.ts";
import { assemblyHeader, firmwareConstants, forbiddenFunction, registerDocument } from "./render.ts";
import { smmuConstants, smmuLayouts, smmuRegisters } from "./smmu.ts";
import { stores } from "./stores.ts";
import { tzc400Constants, tzc400Registers } from "./tzc400.ts";
import { tzpcConstants, tzpcRegisters } from "./tzpc.ts";

/** Path in the tree → content. */
export function generatedFiles(): Map<string, string> {
  const system = [
    ...[...systemRegisters, ...syndromes].flatMap(registerConstants),
    ...numberConstants(controlConstants, "u64"),
  ];
  const devices = [
    ...[...deviceRegisters, ...deviceLayouts].flatMap(registerConstants),
    ...numberConstants({ ...deviceConstants, ...privateInterrupts }, "u32"),
  ];
  const smmu = [
    ...[...smmuRegisters, ...smmuLayouts].flatMap(registerConstants),
    ...numberConstants(smmuConstants, "u32"),
  ];
  const tzc400 = [...tzc400Registers.flatMap(registerConstants), ...numberConstants(tzc400Constants, "u32")];
  const tzpc = [...tzpcRegisters.flatMap(registerConstants), ...numberConstants(tzpcConstants, "u32")];
  const tables = [
    ...descriptors.flatMap(registerConstants),
    ...numberConstants(descriptorConstants, "u64"),
    ...numberConstants(tableConstants, "u64"),
  ];
  const encodings = [...instructionConstants(instructions), ...numberConstants(systemAccessConstants, "u32")];
  return new Map([
    ["el3/monitor/arm/registers.gen.ts", firmwareConstants("System registers and syndromes", system)],
    ["el3/monitor/arm/gic.gen.ts", firmwareConstants("Registers of the GIC, PL011 and PL061", devices)],
    ["el3/monitor/arm/smmu.gen.ts", firmwareConstants("Registers and structures of the SMMUv3", smmu)],
    ["el3/monitor/arm/page-tables.gen.ts", firmwareConstants("Translation table descriptors", tables)],
    ["el3/monitor/arm/instructions.gen.ts", firmwareConstants("Instruction encodings", encodings)],
    ["el3/monitor/arm/stores.gen.ts", firmwareConstants("Stores", instructionConstants(stores))],
    ["el3/monitor/arm/forbidden.gen.ts", forbiddenFunction(forbiddenPatterns)],
    ["sel0/devices/tzc400.gen.ts", firmwareConstants("Registers of the TZC-400", tzc400)],
    ["sel0/devices/tzpc.gen.ts", firmwareConstants("Registers of the TZPC", tzpc)],
    ["el3/vectors/registers.gen.h", assemblyHeader([...system, ...devices, ...tables, ...encodings])],
    [
      "docs/registers.md",
      registerDocument(
        [...systemRegisters, ...syndromes],
        [...deviceRegisters, ...smmuRegisters, ...tzc400Registers, ...tzpcRegisters],
        [...descriptors, ...smmuLayouts],
      ),
    ],
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  for (const [path, content] of generatedFiles()) {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.new`, content);
    await rename(`${file}.new`, file);
    console.log(path);
  }
}
