// The kernel takes socket paths of at most 107 bytes; a machine's folder may lie deeper. A path through an open
// folder is always short.

import { closeSync, openSync } from "node:fs";
import { join } from "node:path";

const SOCKET_PATH_MAX = 107;

export class SocketFolder {
  readonly #folder: string;
  #descriptor: number | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  path(name: string): string {
    const plain = join(this.#folder, name);
    if (Buffer.byteLength(plain) <= SOCKET_PATH_MAX) return plain;
    this.#descriptor ??= openSync(this.#folder, "r");
    return `/proc/self/fd/${this.#descriptor}/${name}`;
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
