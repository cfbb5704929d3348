// Packets of gdb's remote serial protocol over a Unix socket: `$body#checksum`, each acknowledged (GDB manual, E.1).

import { connect, type Socket } from "node:net";

const INTERRUPT = "\x03";
const PACKET = /\$([^#]*)#([0-9a-f]{2})/;

export class GdbPackets {
  readonly #socket: Socket;
  #received = "";
  readonly #packets: string[] = [];
  #waiting: { resolve(packet: string): void; reject(error: Error): void } | undefined;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.#receive(text));
    socket.on("error", () => undefined); // "close" follows
    socket.on("close", () => this.#fail("connection closed"));
  }

  static async connect(path: string): Promise<GdbPackets> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new GdbPackets(socket);
  }

  send(body: string): void {
    this.#socket.write(`$${body}#${checksumOf(body)}`, "latin1");
  }

  /** Not a packet: stops a machine that runs. */
  sendInterrupt(): void {
    this.#socket.write(INTERRUPT);
  }

  /** The next one; undefined if none comes within the time. */
  async next(timeoutMs?: number): Promise<string | undefined> {
    const packet = this.#packets.shift();
    if (packet !== undefined) return packet;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#waiting !== undefined) throw new Error("gdb stub: two requests at once");
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<string | undefined>((resolve, reject) => {
        this.#waiting = { resolve, reject };
        if (timeoutMs !== undefined) timer = setTimeout(() => resolve(undefined), timeoutMs);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  close(): void {
    this.#fail("closed");
    this.#socket.destroy();
  }

  #receive(text: string): void {
    this.#received += text;
    for (;;) {
      const match = PACKET.exec(this.#received); // what stands between packets are acknowledgements
      if (match === null) return;
      this.#received = this.#received.slice(match.index + match[0].length);
      if (match[2] !== checksumOf(match[1]!)) {
        this.#fail("damaged packet");
        return;
      }
      this.#socket.write("+");
      this.#deliver(withoutEscapes(match[1]!));
    }
  }

  #deliver(packet: string): void {
    const waiting = this.#waiting;
    this.#waiting = undefined; // the next one may be here already
    if (waiting === undefined) this.#packets.push(packet);
    else waiting.resolve(packet);
  }

  #fail(what: string): void {
    this.#failure ??= new Error(`gdb stub: ${what}`);
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}

function checksumOf(body: string): string {
  const sum = Buffer.from(body, "latin1").reduce((total, byte) => (total + byte) & 0xff, 0);
  return sum.toString(16).padStart(2, "0");
}

const ESCAPE_XOR = 0x20;

function withoutEscapes(body: string): string {
  return body.replace(/\}([\s\S])/g, (_, character: string) =>
    String.fromCharCode(character.charCodeAt(0) ^ ESCAPE_XOR),
  );
}
