// Fetching against stand-ins for apt that serve a folder: what is downloaded, kept, checked and refused.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fetchPackages } from "./fetch.ts";
import type { PackageSpec } from "./package-sets.ts";

const environment = process.env as {
  PATH?: string;
  VTZ_CACHE?: string;
  VTZ_DEBIAN_MIRROR?: string;
} & NodeJS.ProcessEnv;
const original = { ...environment };

/** Answers as apt-get and apt-cache do, from $FAKE/index (name version sha256 per line) and $FAKE/pool. */
const APT_GET = `#!/bin/sh
echo "apt-get $*" >>"$FAKE/calls"
[ -e "$FAKE/down" ] && { echo "E: Failed to fetch http://m  Could not connect to m:80" >&2; exit 100; }
while [ "$1" != update ] && [ "$1" != download ]; do shift; done
case $1 in
update) lists=$(dirname "$(pwd)/x")/lists; : >"$lists/m_dists_main_Packages"; cp "$FAKE/new-index" "$FAKE/index" 2>/dev/null; exit 0 ;;
esac
shift
print=; [ "$1" = --print-uris ] && { print=1; shift; }
for want; do
  name=\${want%%=*} version=\${want#*=}
  line=$(grep "^$name $version " "$FAKE/index") || { echo "E: Version '$version' for '$name' was not found" >&2; exit 100; }
  file="\${name}_\${version}_arm64.deb"
  if [ $print ]; then echo "'http://m/$file' $file $(wc -c <"$FAKE/pool/$file") SHA256:\${line##* }"
  else cp "$FAKE/pool/$file" . || { echo "E: 404  Not Found" >&2; exit 100; }; fi
done
`;
const APT_CACHE = `#!/bin/sh
while [ "$1" != madison ] && [ "$1" != depends ]; do shift; done
case $1 in
madison) shift; for name; do grep "^$name " "$FAKE/index" | while read -r n v h; do echo " $n | $v | http://m trixie/main arm64 Packages"; done; done ;;
depends) echo "linux-image-arm64"; echo "  Depends: linux-image-6.12.200-arm64" ;;
esac
`;

describe("fetching packages", () => {
  let fake: string;

  beforeEach(async () => {
    fake = await mkdtemp(join(tmpdir(), "vtz-apt-"));
    await mkdir(join(fake, "bin"));
    await mkdir(join(fake, "pool"));
    await writeFile(join(fake, "bin/apt-get"), APT_GET);
    await writeFile(join(fake, "bin/apt-cache"), APT_CACHE);
    await chmod(join(fake, "bin/apt-get"), 0o755);
    await chmod(join(fake, "bin/apt-cache"), 0o755);
    Object.assign(process.env, {
      FAKE: fake,
      PATH: `${join(fake, "bin")}:${original.PATH}`,
      VTZ_CACHE: join(fake, "cache"),
      VTZ_DEBIAN_MIRROR: "http://m",
    });
    await publish("tool", "1.0", "first");
    await publish("tool", "1.1", "second");
  });

  afterEach(async () => {
    for (const name of ["PATH", "VTZ_CACHE", "VTZ_DEBIAN_MIRROR"] as const) {
      if (original[name] === undefined) delete environment[name];
      else environment[name] = original[name];
    }
    await rm(fake, { recursive: true });
  });

  /** Newest first, as apt lists them. */
  async function publish(name: string, version: string, contents: string, sha256 = hashOf(contents)) {
    await writeFile(join(fake, "pool", `${name}_${version}_arm64.deb`), contents);
    const before = await readFile(join(fake, "index"), "utf8").catch(() => "");
    await writeFile(join(fake, "index"), `${name} ${version} ${sha256}\n${before}`);
  }

  const calls = async () => (await readFile(join(fake, "calls"), "utf8").catch(() => "")).trim().split("\n");
  const tool = (version?: string): PackageSpec[] => [
    { name: "tool", suite: "trixie", ...(version === undefined ? {} : { version }) },
  ];

  test("the pinned version is taken while it is there, with its hash", async () => {
    const [fetched] = await fetchPackages(tool("1.0"));
    assert.equal(fetched!.version, "1.0");
    assert.equal(fetched!.sha256, hashOf("first"));
    assert.equal(await readFile(fetched!.path, "utf8"), "first");
  });

  test("a pinned version that is gone gives way to the current one, and that is said", async () => {
    const [fetched] = await fetchPackages(tool("0.9"));
    assert.equal(fetched!.version, "1.1");
  });

  test("a kernel that is gone gives way to the one that the metapackage names", async () => {
    await publish("linux-image-6.12.200-arm64", "6.12.200-1", "kernel");
    const [fetched] = await fetchPackages([{ name: "linux-image-6.12.100-arm64", suite: "trixie" }]);
    assert.equal(fetched!.name, "linux-image-6.12.200-arm64");
  });

  test("the second time nothing is asked of apt", async () => {
    await fetchPackages(tool());
    const before = await calls();
    await writeFile(join(fake, "down"), "");
    assert.equal((await fetchPackages(tool()))[0]!.version, "1.1");
    assert.deepEqual(await calls(), before);
  });

  test("a damaged file in the cache is fetched again", async () => {
    const [fetched] = await fetchPackages(tool());
    await writeFile(fetched!.path, "secXnd");
    await fetchPackages(tool());
    assert.equal(await readFile(fetched!.path, "utf8"), "second");
  });

  test("a file that is not what the index says is refused, and not kept", async () => {
    await publish("bad", "1", "contents", "0".repeat(64));
    await assert.rejects(fetchPackages([{ name: "bad", suite: "trixie" }]), { code: "wrong-hash" });
    assert.deepEqual(await readdir(join(fake, "cache/debian/pool")), []);
  });

  test("without network the user is told, and the next run goes on", async () => {
    await writeFile(join(fake, "down"), "");
    await assert.rejects(fetchPackages(tool()), { code: "no-network" });
    await rm(join(fake, "down"));
    assert.equal((await fetchPackages(tool()))[0]!.version, "1.1");
  });

  test("a package that nobody has is named", async () => {
    await assert.rejects(fetchPackages([{ name: "ghost", suite: "trixie" }]), {
      code: "package-gone",
      message: /ghost/,
    });
  });

  test("a list that is older than the mirror is read anew", async () => {
    await fetchPackages(tool());
    await publish("tool", "1.2", "third");
    await writeFile(join(fake, "new-index"), await readFile(join(fake, "index"), "utf8"));
    await rm(join(fake, "pool/tool_1.1_arm64.deb"));
    await rm(join(fake, "cache/debian/pool/tool_1.1_arm64.deb"));
    await writeFile(join(fake, "index"), `tool 1.1 ${hashOf("second")}\n`);
    await writeFile(join(fake, "pool/tool_1.1_arm64.deb"), "gone"); // the mirror's file is another one now
    assert.equal((await fetchPackages(tool()))[0]!.version, "1.2");
  });

  test("without apt the user is told", async () => {
    environment.PATH = join(fake, "pool");
    await assert.rejects(fetchPackages(tool()), { code: "tool-missing", message: /apt-/ });
  });
});

function hashOf(contents: string): string {
  return createHash("sha256").update(contents).digest("hex");
}
