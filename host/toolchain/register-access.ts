// C for the imports that are one register access each: `readHCR_EL2` is an MRS, `writeHCR_EL2` an MSR, for every
// register that arm/registers.ts describes. Encodings are numeric, so the assembler need not know the name.

import { encodingName, findRegister } from "../../arm/registers.ts";
import { UserError } from "../errors.ts";

const ACCESSOR = /^(read|write)([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)$/;

export function registerAccessors(imports: readonly string[]): string {
  const functions = imports.flatMap((name) => {
    const match = ACCESSOR.exec(name);
    return match === null ? [] : [accessor(name, match[1] as "read" | "write", match[2]!)];
  });
  return [`#include "wasm-rt.h"`, ...functions, ""].join("\n");
}

function accessor(importName: string, verb: "read" | "write", registerName: string): string {
  const register = findRegister(registerName);
  if (register?.encoding === undefined) {
    throw new UserError(
      "register-unknown",
      `hw.${importName}: arm/registers.ts has no system register ${registerName}`,
      "describe the register there: name, encoding, fields",
    );
  }
  const system = encodingName(register.encoding);
  if (verb === "read") {
    // Volatile: registers change behind the compiler's back; no memory clobber: order is the caller's barrier.
    return `u64 w2c_hw_${importName}(void) { u64 value; __asm__ volatile("mrs %0, ${system}" : "=r"(value)); return value; }`;
  }
  return `void w2c_hw_${importName}(u64 value) { __asm__ volatile("msr ${system}, %0" ::"r"(value) : "memory"); }`;
}
