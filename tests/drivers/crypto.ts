// What compartments compute with (sel0/crypto), from a module of its own: bytes in, bytes out.

import { COMPARTMENT_WINDOW_PTR } from "../../abi/compartments.ts";
import { aCompartment } from "./compartment.ts";

type Run = (...words: (number | bigint)[]) => number;
type CryptoName =
  | `sha${"256" | "512"}${"" | "Begin" | "Update" | "End"}`
  | `field${"Decode" | "Encode" | "Invert" | "Multiply" | "Subtract"}`
  | `point${"Decode" | "Encode" | "HasSmallOrder" | "Multiply"}`
  | `scalar${"IsCanonical" | "MultiplyAdd" | "Reduce"}`
  | "hmacSha256"
  | `hkdfSha256${"Expand" | "Extract"}`
  | `drbg${"Forget" | "Generate" | "Instantiate" | "Reseed"}`
  | `ed25519${"PublicKey" | "Sign" | "Verify"}`;

export const lab = await aCompartment<Record<CryptoName, Run>>("sel0/fixture/crypto/main.ts");

const ALIGNMENT = 16;
/** Inputs lie behind each other from here on, filled up to it with what nobody may read as zeros. */
const SCRATCH = COMPARTMENT_WINDOW_PTR;
const NOISE = 0xa5;

let nextPtr = SCRATCH;

/** Takes all that was placed away again. */
export function clear(): void {
  lab.memory.fill(NOISE, SCRATCH, nextPtr);
  nextPtr = SCRATCH;
}

/** The bytes in linear memory, `skew` bytes behind a boundary of 16; answers where. */
export function place(bytes: Uint8Array, skew = 0): number {
  const ptr = nextPtr + skew;
  lab.memory.set(bytes, ptr);
  nextPtr = Math.ceil((ptr + bytes.length + 1) / ALIGNMENT) * ALIGNMENT;
  return ptr;
}

export function room(size: number): number {
  return place(new Uint8Array(size).fill(NOISE));
}

export function bytesAt(ptr: number, size: number): Uint8Array {
  return lab.memory.slice(ptr, ptr + size);
}

export const fromHex = (hex: string): Uint8Array =>
  Uint8Array.from(Buffer.from(hex.replace(/\s/g, ""), "hex"));
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
