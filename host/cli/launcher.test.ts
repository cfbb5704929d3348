// ./vtz itself, in a checkout without packages.

import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { execa } from "execa";
import { projectFolder } from "../paths.ts";

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "vtz-launcher-"));
});

after(() => rmSync(folder, { recursive: true, force: true }));

test("without npm it says what to install", async () => {
  const { exitCode, stderr } = await launch(aCheckout(), {});

  assert.equal(exitCode, 2);
  assert.match(stderr, /vtz: npm is not on PATH\n {2}install Node 20 or newer with npm/);
});

test("a Node that is too old is named", async () => {
  const programs = { npm: "exit 0", node: "case $1 in -p) echo 18 ;; *) echo v18.19.0 ;; esac" };

  const { exitCode, stderr } = await launch(aCheckout(), programs);

  assert.equal(exitCode, 2);
  assert.match(stderr, /node v18\.19\.0 is too old/);
});

test("when npm ci fails its last words are shown, and the next start tries again", async () => {
  const checkout = aCheckout();
  const programs = { node: "echo 20", npm: "echo 'npm error network timeout' >&2; exit 1" };

  const first = await launch(checkout, programs);
  const second = await launch(checkout, { node: "echo 20", npm: INSTALL });

  assert.equal(first.exitCode, 2);
  assert.match(first.stderr, /npm error network timeout[\s\S]*npm ci failed \(whole log: .*npm-ci\.log\)/);
  assert.equal(second.stdout, "started: --version");
});

test("two starts at once install once, and later ones not at all", async () => {
  const checkout = aCheckout();
  const programs = { node: "echo 20", npm: INSTALL };

  const both = await Promise.all([launch(checkout, programs), launch(checkout, programs)]);
  const later = await launch(checkout, { npm: "exit 1" });

  assert.deepEqual(
    both.map(({ stdout }) => stdout),
    ["started: --version", "started: --version"],
  );
  assert.equal(later.stdout, "started: --version");
  assert.equal(readFileSync(join(checkout, "installed"), "utf8"), "once\n");
});

test("another lock file is installed again", async () => {
  const checkout = aCheckout();
  const programs = { node: "echo 20", npm: INSTALL };
  await launch(checkout, programs);
  writeFileSync(join(checkout, "package-lock.json"), '{ "other": true }');

  await launch(checkout, programs);

  assert.equal(readFileSync(join(checkout, "installed"), "utf8"), "once\nonce\n");
});

// What npm ci leaves behind, as far as ./vtz looks.
const INSTALL = `sleep 0.3; echo once >> installed; mkdir -p node_modules/.bin; : > node_modules/.package-lock.json
cat > node_modules/.bin/node <<'END'
#!/bin/sh
shift 2
echo "started: $*"
END
chmod +x node_modules/.bin/node`;

function aCheckout(): string {
  const checkout = mkdtempSync(join(folder, "checkout-"));
  for (const name of ["vtz", "package.json", "package-lock.json"]) {
    cpSync(join(projectFolder, name), join(checkout, name));
  }
  assert.equal(existsSync(join(checkout, "node_modules")), false);
  return checkout;
}

function launch(checkout: string, programs: Record<string, string>) {
  const bin = mkdtempSync(join(folder, "bin-"));
  mkdirSync(bin, { recursive: true });
  for (const tool of [
    "sh",
    "readlink",
    "dirname",
    "cmp",
    "mkdir",
    "flock",
    "tail",
    "cp",
    "cat",
    "chmod",
    "sleep",
  ]) {
    symlinkSync(`/usr/bin/${tool}`, join(bin, tool));
  }
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return execa(join(checkout, "vtz"), ["--version"], { reject: false, stdin: "ignore", env: { PATH: bin } });
}
