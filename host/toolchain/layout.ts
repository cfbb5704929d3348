// Where the firmware's sources and products lie, and the sizes that the build hands to compiler and linker.

import { join } from "node:path";
import { buildFolder, projectFolder } from "../paths.ts";

export const firmwareSources = {
  root: projectFolder,
  entry: "el3/monitor/main.ts",
  imports: "el3/monitor/hw.ts",
  interface: "el3/monitor/interface.gen.txt",
  runtime: "./el3/runtime/index",
  vectors: "el3/vectors",
  link: "el3/link",
} as const;

export type FirmwareSources = { readonly [K in keyof typeof firmwareSources]: string };

export function firmwareFolder(): string {
  return join(buildFolder(), "firmware");
}

/** Of WebAssembly. */
export const WASM_PAGE_SIZE = 0x10000;
export const LINEAR_MEMORY_PAGES = 4;
export const LINEAR_MEMORY_SIZE = LINEAR_MEMORY_PAGES * WASM_PAGE_SIZE;
/** Static offsets of loads and stores must be below this; see el3/link/wasm-rt.h. */
export const LINEAR_MEMORY_GUARD_SIZE = 0x10000;
/** The first address that static data gets: below it, a null pointer with a field offset is told apart. */
export const LINEAR_MEMORY_BASE = 0x400;
export const CORE_COUNT = 8;
export const STACK_SIZE = 0x4000;
