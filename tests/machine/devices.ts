// The devices that the monitor touches: GIC distributor and redistributors as plain registers with the two bits that answer, the secure
// UART, the secure GPIO that powers the machine off.

import { GICD_PA, GICR_FRAME_SIZE, GICR_PA, SECURE_GPIO_PA, SECURE_UART_PA } from "../../abi/memory-map.ts";
import { MachineCheck } from "./errors.ts";
import { size } from "./source-words.ts";

const PL061_LINES = { [size("PL061_LINE_POWER_OFF")]: "off", [size("PL061_LINE_RESET")]: "reset" } as const;
const TYPER_LINES = 8;
const ENABLE_BYTES = 0x80;

export class Devices {
  readonly #registers = new Map<number, number>();
  readonly #coreCount: number;
  #console = "";
  power: "on" | "off" | "reset" = "on";

  constructor(coreCount: number) {
    this.#coreCount = coreCount;
    for (let core = 0; core < coreCount; core++) {
      const waker = GICR_PA + core * GICR_FRAME_SIZE + size("GICR_WAKER");
      this.#registers.set(waker, size("GICR_WAKER_PROCESSOR_SLEEP") | size("GICR_WAKER_CHILDREN_ASLEEP"));
    }
    this.#registers.set(GICD_PA + size("GICD_TYPER"), TYPER_LINES);
  }

  /** What came out of the secure UART, in lines. */
  get consoleLines(): string[] {
    return this.#console.split("\r\n").slice(0, -1);
  }

  copyFrom(other: Devices): void {
    for (const [pa, value] of other.#registers) this.#registers.set(pa, value);
    this.#console = other.#console;
  }

  isDevice(pa: number): boolean {
    return pa >= 0x08000000 && pa < 0x0a000000;
  }

  read(pa: number): number {
    this.#check(pa);
    if (pa === SECURE_UART_PA + size("PL011_FR")) return size("PL011_FR_TXFE");
    return this.#registers.get(pa) ?? 0;
  }

  write(pa: number, value: number): void {
    this.#check(pa);
    if (pa === SECURE_UART_PA + size("PL011_DR")) this.#console += String.fromCharCode(value & 0xff);
    else if (pa === SECURE_GPIO_PA + size("PL061_DATA_ALL"))
      this.power = PL061_LINES[value & 0xff] ?? this.power;
    else if (this.#offsetInRedistributor(pa) === size("GICR_ISACTIVER0")) this.#setActive(pa, value, 0);
    else if (this.#offsetInRedistributor(pa) === size("GICR_ICACTIVER0")) this.#setActive(pa, 0, value);
    else this.#registers.set(pa, this.#stored(pa, value));
  }

  /** Group 0, an edge, on, to core 0: arrives at EL3 as FIQ, whatever the normal world does. */
  isMonitors(intid: number): boolean {
    const bit = (register: string) => (this.#word(register, intid, 32) >>> (intid % 32)) & 1;
    const edge = (this.#word("GICD_ICFGR", intid, 16) >>> ((intid % 16) * 2)) & 2;
    const route = this.read(GICD_PA + size("GICD_IROUTER") + intid * 8);
    return bit("GICD_IGROUPR") === 0 && bit("GICD_ISENABLER") === 1 && edge !== 0 && route === 0;
  }

  #word(register: string, intid: number, perWord: number): number {
    return this.read(GICD_PA + size(register) + Math.floor(intid / perWord) * 4);
  }

  /** Whether a private interrupt of a core is active. */
  isActive(core: number, intid: number): boolean {
    const pa = GICR_PA + core * GICR_FRAME_SIZE + size("GICR_ISACTIVER0");
    return (this.read(pa) & (1 << intid)) !== 0;
  }

  /** Both registers show the active ones. */
  #setActive(pa: number, set: number, clear: number): void {
    const framePa = pa - this.#offsetInRedistributor(pa)!;
    const active = ((this.#registers.get(framePa + size("GICR_ISACTIVER0")) ?? 0) | set) & ~clear;
    for (const name of ["GICR_ISACTIVER0", "GICR_ICACTIVER0"])
      this.#registers.set(framePa + size(name), active);
  }

  #offsetInRedistributor(pa: number): number | undefined {
    const isIn = pa >= GICR_PA && pa < GICR_PA + this.#coreCount * GICR_FRAME_SIZE;
    return isIn ? (pa - GICR_PA) % GICR_FRAME_SIZE : undefined;
  }

  #stored(pa: number, value: number): number {
    const enables = GICD_PA + size("GICD_ISENABLER");
    if (pa >= enables && pa < enables + ENABLE_BYTES) return this.read(pa) | value;
    if (this.#offsetInRedistributor(pa) !== size("GICR_WAKER")) return value;
    const asleep = size("GICR_WAKER_CHILDREN_ASLEEP");
    return (value & size("GICR_WAKER_PROCESSOR_SLEEP")) !== 0 ? value | asleep : value & ~asleep;
  }

  #check(pa: number): void {
    const isGic =
      (pa >= GICD_PA && pa < GICD_PA + 0x10000) ||
      (pa >= GICR_PA && pa < GICR_PA + this.#coreCount * GICR_FRAME_SIZE);
    const isSecure =
      (pa >= SECURE_UART_PA && pa < SECURE_UART_PA + 0x1000) ||
      (pa >= SECURE_GPIO_PA && pa < SECURE_GPIO_PA + 0x1000);
    if (!isGic && !isSecure) throw new MachineCheck(`no device at 0x${pa.toString(16)}`);
  }
}
