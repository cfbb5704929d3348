// The frames between host and agent: octet stuffing as in RFC 1662, so that either side finds the next frame
// whatever came before it. The format stands in el1/agent/agent.pl.

export interface Frame {
  /** One ASCII letter, see el1/agent/agent.pl. */
  kind: string;
  id: number;
  data: Buffer;
}

const FLAG = 0x7e;
const ESCAPE = 0x7d;
const ESCAPE_BIT = 0x20;
/** Linux takes it on an hvc console for the SysRq key, raw or not. */
const SYSRQ = 0x0f;
const HEADER_SIZE = 5;
const SUM_SIZE = 4;
const MAX_FRAME_SIZE = 1 << 20;

export function encodeFrame(kind: string, id: number, data: Uint8Array | string = ""): Buffer {
  const content = Buffer.from(data);
  const body = Buffer.alloc(HEADER_SIZE + content.length + SUM_SIZE);
  body.write(kind, 0, 1, "latin1");
  body.writeUInt32BE(id, 1);
  content.copy(body, HEADER_SIZE);
  body.writeUInt32BE(sumOf(body.subarray(0, -SUM_SIZE)), body.length - SUM_SIZE);
  return Buffer.concat([Buffer.of(FLAG), stuff(body), Buffer.of(FLAG)]);
}

/** Takes bytes as they come and gives the whole frames among them; what is damaged is left out. */
export class FrameReader {
  private waiting: Buffer = Buffer.alloc(0);

  *take(bytes: Uint8Array): Generator<Frame> {
    this.waiting = Buffer.concat([this.waiting, bytes]);
    for (let end = this.waiting.indexOf(FLAG); end >= 0; end = this.waiting.indexOf(FLAG)) {
      const frame = decodeBody(unstuff(this.waiting.subarray(0, end)));
      this.waiting = this.waiting.subarray(end + 1);
      if (frame !== undefined) yield frame;
    }
    if (this.waiting.length > MAX_FRAME_SIZE) this.waiting = Buffer.alloc(0);
  }
}

function decodeBody(body: Buffer): Frame | undefined {
  if (body.length < HEADER_SIZE + SUM_SIZE) return undefined;
  const content = body.subarray(0, -SUM_SIZE);
  if (body.readUInt32BE(content.length) !== sumOf(content)) return undefined;
  return {
    kind: content.toString("latin1", 0, 1),
    id: content.readUInt32BE(1),
    data: Buffer.from(content.subarray(HEADER_SIZE)),
  };
}

function stuff(body: Buffer): Buffer {
  const escaped = Buffer.alloc(body.length * 2);
  let size = 0;
  for (const byte of body) {
    if (byte === FLAG || byte === ESCAPE || byte === SYSRQ) {
      escaped[size++] = ESCAPE;
      escaped[size++] = byte ^ ESCAPE_BIT;
    } else {
      escaped[size++] = byte;
    }
  }
  return escaped.subarray(0, size);
}

function unstuff(escaped: Buffer): Buffer {
  const body = Buffer.alloc(escaped.length);
  let size = 0;
  for (let at = 0; at < escaped.length; at++) {
    const byte = escaped[at]!;
    body[size++] = byte === ESCAPE && at + 1 < escaped.length ? escaped[++at]! ^ ESCAPE_BIT : byte;
  }
  return body.subarray(0, size);
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum = (sum + byte) >>> 0;
  return sum;
}
