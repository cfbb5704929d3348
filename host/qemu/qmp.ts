// A client of QEMU's machine protocol: JSON lines over a Unix socket (QEMU, docs/interop/qmp-spec).

import { connect, type Socket } from "node:net";
import { UserError } from "../errors.ts";

export interface QmpEvent {
  readonly event: string;
  readonly data?: unknown;
}

interface Answer {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

type Message = Answer & Partial<QmpEvent> & { readonly QMP?: unknown };

export class QmpClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #nextId = 1;
  #isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async connect(path: string, timeoutMs = 5000): Promise<QmpClient> {
    const socket = connect(path);
    const client = new QmpClient(socket);
    await client.#greet(timeoutMs);
    return client;
  }

  execute(command: string, values?: object, timeoutMs = 10_000): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new Error(`QMP: ${command} after the connection was closed`));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new UserError("qemu-silent", `QEMU did not answer ${command} within ${timeoutMs} ms`));
      }, timeoutMs);
      const settle =
        <T>(action: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          action(value);
        };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      const words =
        values === undefined ? { execute: command, id } : { execute: command, arguments: values, id };
      this.#socket.write(`${JSON.stringify(words)}\n`);
    });
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  // QEMU serves one client at a time: a second one gets its greeting when the first has left.
  async #greet(timeoutMs: number): Promise<void> {
    const greeting = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("QMP: no greeting")), timeoutMs);
      const fail = (error: Error) => {
        clearTimeout(timer);
        this.#fail();
        reject(error);
      };
      this.#socket.on("error", fail);
      this.#socket.on("close", () => fail(new Error("QMP: connection closed")));
      this.#onLine((message) => {
        if (message.QMP === undefined) return this.#receive(message);
        clearTimeout(timer);
        resolve();
      });
    });
    try {
      await greeting;
      await this.execute("qmp_capabilities");
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #onLine(take: (message: Message) => void): void {
    let rest = "";
    this.#socket.setEncoding("utf8");
    this.#socket.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line.trim() !== "") take(JSON.parse(line) as Message);
    });
  }

  #receive(message: Message): void {
    if (message.event !== undefined) {
      for (const listener of this.#listeners) listener(message as QmpEvent);
      return;
    }
    const waiter = this.#waiting.get(message.id ?? 0);
    if (waiter === undefined) return;
    this.#waiting.delete(message.id ?? 0);
    if (message.error !== undefined) waiter.reject(new Error(`QMP: ${message.error.desc}`));
    else waiter.resolve(message.return);
  }

  #fail(): void {
    this.#isClosed = true;
    for (const { reject } of this.#waiting.values()) reject(new Error("QMP: connection closed"));
    this.#waiting.clear();
  }
}
