// Nonces for a relying party that asks: each is random, good for one answer and for a time. Evidence carries no time of
// the device's, so that freshness is the age of the question.

import { randomBytes } from "node:crypto";

const NONCE_SIZE = 32;

export class Challenges {
  readonly #deadlines = new Map<string, number>();
  readonly #lifetimeMs: number;

  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs;
  }

  issue(now = Date.now()): Uint8Array {
    for (const [nonce, deadline] of this.#deadlines) if (deadline < now) this.#deadlines.delete(nonce);
    const nonce = randomBytes(NONCE_SIZE);
    this.#deadlines.set(nonce.toString("hex"), now + this.#lifetimeMs);
    return new Uint8Array(nonce);
  }

  /** Whether it was issued, in time, and not redeemed before. It is spent, whatever the evidence is then found to be. */
  redeem(nonce: Uint8Array, now = Date.now()): boolean {
    const key = Buffer.from(nonce).toString("hex");
    const deadline = this.#deadlines.get(key);
    this.#deadlines.delete(key);
    return deadline !== undefined && now <= deadline;
  }
}
