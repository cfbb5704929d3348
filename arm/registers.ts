// All system registers that vTZ knows, and the layouts that go with them.

import type { Register } from "./describe.ts";
import { controlConstants, controlRegisters } from "./registers-control.ts";
import { exceptionRegisters, syndromes } from "./registers-exceptions.ts";
import { extensionRegisters } from "./registers-extensions.ts";
import { gicRegisters } from "./registers-gic.ts";
import { memoryRegisters } from "./registers-memory.ts";
import { timerRegisters } from "./registers-timer.ts";

export { encodingName } from "./describe.ts";

export const systemRegisters: readonly Register[] = [
  ...controlRegisters,
  ...exceptionRegisters,
  ...memoryRegisters,
  ...extensionRegisters,
  ...timerRegisters,
  ...gicRegisters,
];

export { controlConstants, syndromes };

const byName = new Map(systemRegisters.map((register) => [register.name, register]));

export function findRegister(name: string): Register | undefined {
  return byName.get(name);
}
