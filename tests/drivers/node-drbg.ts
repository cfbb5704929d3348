// HMAC_DRBG with SHA-256 (NIST SP 800-90A, section 10.1.2) once more, with Node's HMAC: what tests compare with.

import { createHmac } from "node:crypto";

export const nodeMac = (key: Uint8Array, message: Uint8Array): Buffer =>
  createHmac("sha256", key).update(message).digest();

export class NodeDrbg {
  key: Uint8Array = new Uint8Array(32);
  v: Uint8Array = new Uint8Array(32).fill(1);

  constructor(seedMaterial: Uint8Array) {
    this.update(seedMaterial);
  }

  update(data: Uint8Array): void {
    for (const separator of data.length === 0 ? [0] : [0, 1]) {
      this.key = nodeMac(this.key, Buffer.concat([this.v, Buffer.of(separator), data]));
      this.v = nodeMac(this.key, this.v);
    }
  }

  generate(size: number, additional: Uint8Array): string {
    if (additional.length > 0) this.update(additional);
    let output = Buffer.alloc(0);
    while (output.length < size) {
      this.v = nodeMac(this.key, this.v);
      output = Buffer.concat([output, this.v]);
    }
    this.update(additional);
    return output.subarray(0, size).toString("hex");
  }
}
