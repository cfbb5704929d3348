// Memory of a test kernel in Node: bytes where a test has put some, a UART that collects characters, else zero.

export class PhysicalMemory {
  readonly #bytes = new Map<bigint, number>();
  readonly #written = new Map<bigint, number[]>();

  place(address: number, bytes: Uint8Array): void {
    for (const [index, byte] of bytes.entries()) this.#bytes.set(BigInt(address + index), byte);
  }

  read(address: bigint, size: number): number {
    return Number(this.#number(address, size));
  }

  read64(address: bigint): bigint {
    return this.#number(address, 8);
  }

  write32(address: bigint, value: number): undefined {
    this.#written.set(address, [...(this.#written.get(address) ?? []), value]);
  }

  /** What was written to one address, as characters. */
  textAt(address: number): string {
    return String.fromCharCode(...(this.#written.get(BigInt(address)) ?? []));
  }

  #number(address: bigint, size: number): bigint {
    let value = 0n;
    for (let index = size - 1; index >= 0; index--)
      value = (value << 8n) | BigInt(this.#bytes.get(address + BigInt(index)) ?? 0);
    return value;
  }
}
