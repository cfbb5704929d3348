// The host's end of an agent in dom0 or in a guest: commands with their output and exit code, files both ways.
// One client at a time holds an agent; what it started ends when it goes.

import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { open, rename, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { explainFileError, UserError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import {
  connectionLost,
  hasEnded,
  localFileError,
  nameTimeout,
  noAnswer,
  TimeoutError,
} from "./agent-errors.ts";
import { CHUNK_SIZE, chunksOf, openSocket } from "./agent-socket.ts";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";

const HELLO_INTERVAL_MS = 500;
/** Bytes of a file on their way before the agent has said that it took them. */
const WINDOW_SIZE = 32 * CHUNK_SIZE;
const FLAG = Buffer.of(0x7e);

export interface ConnectOptions {
  /** For messages: "dom0", "guest a". */
  name?: string;
  /** How long the agent may take to answer; a machine that boots takes its time. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface ExecOptions {
  onOutput?: (bytes: Buffer, stream: "stdout" | "stderr") => void;
  timeoutMs?: number;
  /** Standard input; without it the command reads from /dev/null. */
  input?: AsyncIterable<Uint8Array | string>;
  signal?: AbortSignal;
}

export interface ExecResult {
  code: number;
  /** Everything written, in the order in which it came; also given to onOutput. */
  stdout: string;
  stderr: string;
}

type Handler = (frame: Frame) => void;

export class AgentClient {
  readonly name: string;
  private readonly socket: Socket;
  private readonly reader = new FrameReader();
  private readonly handlers = new Map<number, Handler>();
  private readonly events = new EventEmitter();
  private lastId = 0;
  private failure: Error | undefined;

  private constructor(socket: Socket, name: string) {
    this.socket = socket;
    this.name = name;
    this.events.setMaxListeners(0);
    socket.on("data", (bytes) => this.take(bytes));
    socket.on("error", (error) => this.fail(connectionLost(name, error)));
    socket.on("close", () => this.fail(connectionLost(name)));
  }

  /** Waits until the socket is there and the agent behind it answers. */
  static async connect(socketPath: string, options: ConnectOptions = {}): Promise<AgentClient> {
    const name = options.name ?? socketPath;
    const deadline = Date.now() + (options.timeoutMs ?? 60_000);
    const socket = await openSocket(socketPath, name, deadline, options.signal);
    const client = new AgentClient(socket, name);
    try {
      await client.greet(deadline, options.signal);
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  /** Runs a command with the shell of the other side. A command ended by signal n has code 128 + n. */
  async exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    const id = ++this.lastId;
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    const collect = (stream: "stdout" | "stderr", data: Buffer) => {
      output[stream].push(data);
      options.onOutput?.(data, stream);
    };
    const kill = () => this.send("K", id, "9");
    const ended = this.request<number>(id, options, kill, (frame, done) => {
      if (frame.kind === "O") collect("stdout", frame.data);
      if (frame.kind === "S") collect("stderr", frame.data);
      if (frame.kind === "C") done(Number(frame.data.toString()));
    });
    this.send(options.input === undefined ? "X" : "x", id, command);
    if (options.input !== undefined) void this.feed(id, options.input);
    const code = await ended.catch((error) => {
      throw nameTimeout(error, `${this.name}: ${command}`, options.timeoutMs);
    });
    return {
      code,
      stdout: Buffer.concat(output.stdout).toString(),
      stderr: Buffer.concat(output.stderr).toString(),
    };
  }

  /** Copies a file to the other side; folders on the way are made. */
  async push(localPath: string, remotePath: string, mode?: number): Promise<void> {
    const file = await open(localPath).catch((error) => {
      throw localFileError(error, localPath);
    });
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw new UserError("not-a-file", `${localPath} is not a file`, "give a file");
      await this.write(file.createReadStream({ autoClose: false }), remotePath, mode ?? stats.mode & 0o777);
    } finally {
      await file.close();
    }
  }

  /** As push, with the contents given. */
  async write(
    contents: AsyncIterable<Uint8Array> | Uint8Array | string,
    remotePath: string,
    mode = 0o644,
  ): Promise<void> {
    const id = ++this.lastId;
    let sent = 0;
    let taken = 0;
    const ended = this.request<number>(id, {}, undefined, (frame, done) => {
      if (frame.kind === "A") taken = Number(frame.data.toString());
      if (frame.kind === "C") done(0);
      this.events.emit("progress");
    });
    ended.catch(() => undefined); // awaited below
    this.send("W", id, `${mode.toString(8)} ${remotePath}`);
    for await (const chunk of chunksOf(contents)) {
      while (sent - taken >= WINDOW_SIZE && this.handlers.has(id)) await once(this.events, "progress");
      if (!this.handlers.has(id)) break; // refused by the other side
      this.send("D", id, chunk);
      sent += chunk.length;
    }
    this.send("E", id);
    await ended;
  }

  /** Copies a file from the other side, with its permissions. */
  async pull(remotePath: string, localPath: string): Promise<void> {
    const temporary = `${localPath}.vtz-${process.pid}`;
    try {
      await makeFolder(dirname(localPath));
      const file = await open(temporary, "w");
      try {
        let writing = Promise.resolve();
        const mode = await this.read(remotePath, (bytes) => {
          writing = writing.then(() => file.writeFile(bytes));
          writing.catch(() => undefined); // awaited below
        });
        await writing;
        await file.chmod(mode);
      } finally {
        await file.close();
      }
      await rename(temporary, localPath);
    } catch (error) {
      await rm(temporary, { force: true });
      throw explainFileError(error, `writing ${localPath}`);
    }
  }

  /** Contents of a small file of the other side. */
  async readFile(remotePath: string): Promise<Buffer> {
    const parts: Buffer[] = [];
    await this.read(remotePath, (bytes) => parts.push(bytes));
    return Buffer.concat(parts);
  }

  /** True until the connection is lost or closed. */
  get isOpen(): boolean {
    return this.failure === undefined;
  }

  close(): void {
    this.fail(new UserError("agent-closed", `the connection to ${this.name} was closed`));
    this.socket.destroy();
  }

  private read(remotePath: string, onBytes: (bytes: Buffer) => void): Promise<number> {
    const id = ++this.lastId;
    const ended = this.request<number>(id, {}, undefined, (frame, done) => {
      if (frame.kind === "D") onBytes(frame.data);
      if (frame.kind === "C") done(Number(frame.data.toString()));
    });
    this.send("R", id, remotePath);
    return ended;
  }

  private request<T>(
    id: number,
    options: { timeoutMs?: number; signal?: AbortSignal },
    cancel: (() => void) | undefined,
    onFrame: (frame: Frame, done: (value: T) => void) => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const timer =
        options.timeoutMs === undefined
          ? undefined
          : setTimeout(() => stop(new TimeoutError()), options.timeoutMs);
      const onAbort = () => stop(options.signal?.reason as Error);
      const onFailure = (error: Error) => finish(() => reject(error));
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        options.signal?.removeEventListener("abort", onAbort);
        this.events.off("failure", onFailure);
        this.handlers.delete(id);
        this.events.emit("progress");
        settle();
      };
      const stop = (error: Error) => {
        cancel?.();
        finish(() => reject(error));
      };
      if (this.failure !== undefined) return finish(() => reject(this.failure));
      this.events.on("failure", onFailure);
      options.signal?.addEventListener("abort", onAbort);
      this.handlers.set(id, (frame) => {
        if (frame.kind === "F")
          return finish(() => reject(new UserError("agent-refused", `${this.name}: ${frame.data}`)));
        onFrame(frame, (value) => finish(() => resolve(value)));
      });
      if (options.signal?.aborted) onAbort();
    });
  }

  private async feed(id: number, input: AsyncIterable<Uint8Array | string>): Promise<void> {
    for await (const part of input) {
      for await (const chunk of chunksOf(part)) {
        if (!this.handlers.has(id)) return;
        if (!this.send("I", id, chunk)) await once(this.socket, "drain");
      }
    }
    if (this.handlers.has(id)) this.send("I", id);
  }

  /** Says hello until the agent answers this very hello: everything before it belongs to someone else. */
  private async greet(deadline: number, signal: AbortSignal | undefined): Promise<void> {
    const session = randomUUID();
    let isReady = false;
    this.handlers.set(0, (frame) => {
      isReady ||= frame.kind === "H" && frame.data.toString().startsWith(session);
      if (isReady) this.events.emit("ready");
    });
    while (!isReady) {
      if (this.failure !== undefined) throw this.failure;
      signal?.throwIfAborted();
      if (Date.now() > deadline) throw noAnswer(this.name);
      this.socket.write(Buffer.concat([FLAG, encodeFrame("H", 0, session)]));
      await Promise.race([once(this.events, "ready"), sleep(HELLO_INTERVAL_MS)]);
    }
    this.handlers.delete(0);
  }

  private send(kind: string, id: number, data: Uint8Array | string = ""): boolean {
    return this.failure === undefined && this.socket.write(encodeFrame(kind, id, data));
  }

  private take(bytes: Buffer): void {
    for (const frame of this.reader.take(bytes)) {
      if (frame.kind === "B") this.fail(hasEnded(this.name));
      else this.handlers.get(frame.id)?.(frame);
    }
  }

  private fail(error: Error): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    this.events.emit("failure", error);
  }
}
