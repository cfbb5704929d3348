// What one act has changed, anywhere: the monitor's linear memory, physical memory, every register of every core. Everything that a
// test does not name must be as it was.

import type { Lab } from "./lab.ts";

export interface Changes {
  /** Offsets in linear memory, in words of 8 bytes, exception frames left out: they are the registers. */
  readonly linear: readonly number[];
  readonly physical: readonly number[];
  /** `core.REGISTER` */
  readonly registers: readonly string[];
}

export function changesBy(lab: Lab, act: () => void): Changes {
  const { machine } = lab;
  const linear = new BigUint64Array(machine.linear.buffer.slice(0));
  const physical = machine.memory.snapshot();
  const registers = machine.cores.map((core) => core.registers());

  act();

  const now = new BigUint64Array(machine.linear.buffer);
  const frames = machine.cores.map(({ framePtr }) => framePtr);
  const isFrame = (offset: number) => frames.some((frame) => offset >= frame && offset < frame + 0x110);
  return {
    linear: [...now.keys()]
      .filter((index) => now[index] !== linear[index] && !isFrame(index * 8))
      .map((i) => i * 8),
    physical: machine.memory.changesSince(physical),
    registers: machine.cores.flatMap((core, index) =>
      [...core.registers()]
        .filter(([name, value]) => registers[index]!.get(name) !== value)
        .map(([name]) => `${index}.${name}`),
    ),
  };
}

export const onlyRegisters = (...names: readonly string[]): Changes => ({
  linear: [],
  physical: [],
  registers: names,
});
