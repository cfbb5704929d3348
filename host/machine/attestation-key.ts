// The public key that verifies a device's evidence, from the fuses that the tools have made: as the attestation
// compartment derives it (sel0/attest/keys.ts). For a machine of ours; a board's maker would publish it.

import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from "node:crypto";
import { ATTEST_SIGNING_KEY_INFO } from "../../abi/attest-compartment.ts";
import type { Device } from "./device.ts";

const SEED_SIZE = 32;
/** PrivateKeyInfo of an Ed25519 key (RFC 8410, section 7) up to the seed. */
const PRIVATE_KEY_INFO = Buffer.from("302e020100300506032b657004220420", "hex");

export type DeviceSecret = Pick<Device, "secret" | "identity">;

/** PEM, as `vtz verify` reads it. */
export function attestationKeyPem(device: DeviceSecret): string {
  return attestationKey(device).export({ format: "pem", type: "spki" }).toString();
}

function attestationKey({ secret, identity }: DeviceSecret): KeyObject {
  const seed = hkdfSync("sha256", secret, identity, ATTEST_SIGNING_KEY_INFO, SEED_SIZE);
  const der = Buffer.concat([PRIVATE_KEY_INFO, new Uint8Array(seed)]);
  return createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
}
