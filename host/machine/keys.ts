// Keys that sign boot packages: Ed25519 (RFC 8032), one file each in the state folder, PKCS #8 as PEM, for their owner's
// eyes only. The development key is made when it is first used; no key is ever overwritten.

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { link, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { explainFileError, UserError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { stateFolder } from "../paths.ts";

export const DEVELOPMENT_KEY = "development";
const EXTENSION = ".pem";
const OWNER_ONLY = 0o600;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$/;

export interface SigningKey {
  readonly name: string;
  readonly privateKey: KeyObject;
  /** 32 bytes, as the monitor takes it (RFC 8032, section 5.1.5). */
  readonly publicKey: Uint8Array;
}

export function keysFolder(): string {
  return join(stateFolder(), "keys");
}

export function keyPath(name: string): string {
  if (!NAME.test(name))
    throw new UserError(
      "bad-name",
      `“${name}” cannot be a key's name`,
      "use up to 31 letters, digits, dots, dashes",
    );
  return join(keysFolder(), `${name}${EXTENSION}`);
}

export async function keyNames(): Promise<string[]> {
  const files = await readdir(keysFolder()).catch(() => []);
  return files
    .filter((file) => file.endsWith(EXTENSION))
    .map((file) => file.slice(0, -EXTENSION.length))
    .sort();
}

/** A new key under this name; one that exists stays as it is, and the call fails. */
export async function makeKey(name: string): Promise<SigningKey> {
  const made = await tryMakeKey(name);
  if (made) return readKey(name);
  throw new UserError(
    "key-exists",
    `there is a key “${name}” already, and keys are not replaced`,
    `choose another name, or see it with \`vtz keys show ${name}\``,
  );
}

export async function readKey(name: string): Promise<SigningKey> {
  const path = keyPath(name);
  const pem = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT")
      throw new UserError("no-key", `there is no key “${name}”`, `make it: \`vtz keys make ${name}\``);
    throw new UserError("no-key", `the key ${path} cannot be read (${error.code})`);
  });
  try {
    const privateKey = createPrivateKey(pem);
    if (privateKey.asymmetricKeyType !== "ed25519") throw new TypeError("of another kind");
    return { name, privateKey, publicKey: publicKeyOf(privateKey) };
  } catch {
    throw new UserError("key-damaged", `${path} holds no Ed25519 key`, "put it back from your copy");
  }
}

/** The development key is made now if it is not there yet; any other must exist. */
export async function findKey(name = DEVELOPMENT_KEY): Promise<SigningKey> {
  if (name === DEVELOPMENT_KEY) await tryMakeKey(name);
  return readKey(name);
}

/** Whole or not at all, and never in another's place: also when two start at once. */
async function tryMakeKey(name: string): Promise<boolean> {
  const path = keyPath(name);
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await makeFolder(keysFolder());
    const { privateKey } = generateKeyPairSync("ed25519");
    await writeFile(temporary, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: OWNER_ONLY });
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw explainFileError(error, "writing a key");
  } finally {
    await rm(temporary, { force: true });
  }
}

/** As the monitor takes it. */
export function publicKeyOf(privateKey: KeyObject): Uint8Array {
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  return new Uint8Array(Buffer.from(x!, "base64url"));
}

/** The other way round: what node:crypto takes. */
export function publicKeyObject(publicKey: Uint8Array): KeyObject {
  const x = Buffer.from(publicKey).toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
}
