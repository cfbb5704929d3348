import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { hostMirror } from "./sources.ts";

const environment = process.env as { VTZ_DEBIAN_MIRROR?: string } & NodeJS.ProcessEnv;

describe("the host's mirror", () => {
  let etc: string;

  beforeEach(async () => {
    delete environment.VTZ_DEBIAN_MIRROR;
    etc = await mkdtemp(join(tmpdir(), "vtz-etc-"));
    await mkdir(join(etc, "sources.list.d"));
  });

  afterEach(async () => {
    delete environment.VTZ_DEBIAN_MIRROR;
    await rm(etc, { recursive: true });
  });

  test("is read from a one-line file, options and comments aside", async () => {
    await writeFile(
      join(etc, "sources.list"),
      "# comment\ndeb-src http://src.example/debian bookworm main\n" +
        "deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg,/y.gpg] http://one.example/debian bookworm main contrib # x\n",
    );
    assert.deepEqual(await hostMirror(etc), {
      uri: "http://one.example/debian",
      signedBy: "/usr/share/keyrings/x.gpg /y.gpg",
    });
  });

  test("is read from a deb822 file, past stanzas that are not Debian's archive", async () => {
    await writeFile(
      join(etc, "sources.list.d", "debian.sources"),
      "Types: deb\nURIs: http://off.example/debian\nSuites: trixie\nComponents: main\nEnabled: no\n\n" +
        "Types: deb\nURIs: http://other.example/node\nSuites: nodistro\nComponents: main\n\n" +
        "Types: deb\nURIs: http://security.example/debian-security\nSuites: trixie-security\nComponents: main\n\n" +
        "# ours\nTypes: deb deb-src\nURIs: http://two.example/debian http://spare.example/debian\n" +
        "Suites: trixie trixie-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
    );
    assert.deepEqual(await hostMirror(etc), {
      uri: "http://two.example/debian",
      signedBy: "/usr/share/keyrings/debian-archive-keyring.gpg",
    });
  });

  test("keeps a key that stands in the file itself", async () => {
    const key = "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBG\n -----END PGP PUBLIC KEY BLOCK-----";
    await writeFile(
      join(etc, "sources.list.d", "a.sources"),
      `Types: deb\nURIs: http://three.example/debian\nSuites: sid\nComponents: main\nSigned-By:${key}\n`,
    );
    assert.deepEqual(await hostMirror(etc), { uri: "http://three.example/debian", signedBy: key });
  });

  test("without one the user is told what to set", async () => {
    await writeFile(join(etc, "sources.list"), "deb http://ubuntu.example/ubuntu noble main\n");
    await assert.rejects(hostMirror(etc), { code: "no-debian-mirror", hint: /VTZ_DEBIAN_MIRROR/ });
  });

  test("the variable overrides", async () => {
    environment.VTZ_DEBIAN_MIRROR = "http://mine.example/debian";
    assert.equal((await hostMirror(etc)).uri, "http://mine.example/debian");
  });
});
