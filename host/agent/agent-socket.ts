// The way to an agent: the socket that QEMU or a test listens on, and pieces small enough for a slow channel.

import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { notRunning } from "./agent-errors.ts";

export const CHUNK_SIZE = 1024;

/** Waits until someone listens. */
export async function openSocket(
  path: string,
  name: string,
  deadline: number,
  signal?: AbortSignal,
): Promise<Socket> {
  for (;;) {
    signal?.throwIfAborted();
    const socket = createConnection(path);
    try {
      await once(socket, "connect");
      return socket;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const isNotYet = code === "ENOENT" || code === "ECONNREFUSED" || code === "EAGAIN";
      if (!isNotYet || Date.now() > deadline) throw notRunning(name, error as Error);
    }
    await sleep(50);
  }
}

export async function* chunksOf(
  contents: AsyncIterable<Uint8Array> | Uint8Array | string,
): AsyncGenerator<Uint8Array> {
  const parts =
    typeof contents === "string"
      ? [Buffer.from(contents)]
      : contents instanceof Uint8Array
        ? [contents]
        : contents;
  for await (const part of parts) {
    for (let at = 0; at < part.length; at += CHUNK_SIZE) yield part.subarray(at, at + CHUNK_SIZE);
  }
}
