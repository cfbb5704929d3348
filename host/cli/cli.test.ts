import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { execa } from "execa";
import { projectFolder } from "../paths.ts";
import { COMMANDS } from "./commands.ts";

const VTZ = join(projectFolder, "vtz");
let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "vtz-cli-"));
});

after(() => rmSync(folder, { recursive: true, force: true }));

for (const [name, load] of Object.entries(COMMANDS)) {
  test(`vtz ${name} --help says what it does and shows examples`, async () => {
    const { examples } = (await load()).default;
    const { stdout, exitCode } = await vtz([name, "--help"]);

    assert.equal(exitCode, 0);
    assert.match(stdout, /USAGE/);
    assert.ok(examples.length > 0 && examples.every((example) => stdout.includes(example)));
  });
}

const MISTAKES: [string, string[], RegExp][] = [
  ["an unknown command", ["frobnicate"], /no command “frobnicate”/],
  ["an unknown option", ["ps", "--jsn"], /--jsn: no such option/],
  ["a word too many", ["doctor", "everything"], /everything: one word too many/],
  ["an option without its value", ["up", "--guests"], /--guests wants a value/],
  ["a number that is none", ["demo", "--guests", "many"], /--guests many: not a whole number/],
  ["a number out of range", ["up", "--vcpus", "99"], /--vcpus 99: not a whole number from 1 to/],
  ["a disk that is too large", ["up", "--disk", "999999"], /--disk 999999: not a whole number from 1 to/],
  ["a disk image that is not there", ["up", "--disk", "nothing.raw"], /nothing.raw is not a file/],
  ["an unknown TEE", ["demo", "--tee", "optee-9"], /optee-9/],
  ["no machine", ["exec", "guest1", "--", "true"], /machine “default” does not run/],
  ["no command to execute", ["exec", "guest1"], /no command/],
  ["a machine's name that would leave the folder", ["down", "--machine", "../x"], /cannot be a name/],
  ["a copy within the host", ["cp", "./a", "./b"], /one side must be GUEST:FILE/],
  ["an unknown register", ["decode", "SCR_EL9", "1"], /SCR_EL9/],
  ["a value that is no number", ["decode", "SCR_EL3", "x"], /x is not a number/],
  ["a value too wide", ["decode", "SCR_EL3", "0x10000000000000000"], /./],
  ["an image that is not there", ["harden", "nothing", "-o", "out"], /nothing cannot be read/],
  ["a log of nobody", ["logs", "nobody"], /no log “nobody”/],
  ["evidence without the question", ["verify", "evidence.cbor", "--device-key", "key"], /nonce/],
  ["an unknown part of the tests", ["test", "everything"], /no part “everything”/],
];

for (const [what, words, complaint] of MISTAKES) {
  test(`${what} is one line with a hint, and exit code 2`, async () => {
    const { exitCode, stderr } = await vtz(words);

    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, complaint);
    assert.match(stderr, /^vtz: /);
    assert.doesNotMatch(stderr, /\n {4}at /);
  });
}

const BAD_CONFIGS: [string, string, RegExp][] = [
  ["is no JSON", "{ guests: }", /is not JSON/],
  ["has an unknown word", '{ "gests": [] }', /unknown word “gests”/],
  ["has an unknown word of a guest", '{ "guests": [{ "vcpu": 1 }] }', /unknown word “vcpu” of a guest/],
  ["is a list", "[]", /the file must be an object/],
  ["has guests that are no list", '{ "guests": 2 }', /“guests” must be a list/],
  ["has a number out of range", '{ "guests": [{ "vcpus": 9 }] }', /--vcpus 9: not a whole number/],
  [
    "has a disk that is none",
    '{ "guests": [{ "disk": true }] }',
    /“disk” of a guest must be a number of MiB or/,
  ],
  [
    "has a network that is none",
    '{ "guests": [{ "network": "yes" }] }',
    /“network” of a guest must be true or/,
  ],
  ["has a disk of a part of a MiB", '{ "guests": [{ "disk": 0.5 }] }', /--disk 0.5: not a whole number/],
  ["has an unknown TEE", '{ "tee": "optee-9" }', /no TEE is called “optee-9”/],
];

for (const [what, text, complaint] of BAD_CONFIGS) {
  test(`a configuration that ${what} is refused`, async () => {
    const path = join(folder, "config.json");
    writeFileSync(path, text);

    const { exitCode, stderr } = await vtz(["up", path]);

    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, complaint);
  });
}

test("doctor names what is missing and the command that installs it", async () => {
  const { exitCode, stderr, stdout } = await vtz(["doctor"], { PATH: fakePath({}) });

  assert.equal(exitCode, 2);
  assert.match(stdout, /!! {2}qemu-system-aarch64 +missing/);
  assert.match(stderr, /missing: .*clang-19/);
  assert.match(stderr, /apt-get install .*qemu-system-arm.*lld-19/);
});

test("a QEMU that is too old is named with its version, and nothing is started", async () => {
  const old = fakePath({ "qemu-system-aarch64": "echo 'QEMU emulator version 6.2.0 (Debian)'" });

  const doctor = await vtz(["doctor", "--json"], { PATH: old });
  const found = (JSON.parse(doctor.stdout) as { probe: string; state: string; version?: string }[])[0];
  const demo = await vtz(["demo"], { PATH: old });

  assert.deepEqual([found?.probe, found?.state, found?.version], ["qemu-system-aarch64", "too-old", "6.2.0"]);
  assert.equal(demo.exitCode, 2);
  assert.match(demo.stderr, /qemu-system-aarch64 is 6\.2\.0; vtz needs 7\.2 or newer/);
});

test("host packages are missing and apt-get cannot help: the reason and the command are shown", async () => {
  const broken = fakePath({
    "apt-get": "echo 'E: Unable to locate package' >&2; exit 100",
    sudo: 'exec "$@"',
  });

  const { exitCode, stderr } = await vtz(["demo"], { PATH: broken });

  assert.equal(exitCode, 2);
  assert.match(stderr, /apt-get could not install[\s\S]*E: Unable to locate package/);
  assert.match(stderr, /install by hand: /);
});

test("ps of nothing says how to start, and lists nothing as JSON", async () => {
  assert.match((await vtz(["ps"])).stdout, /no machine runs/);
  assert.deepEqual(JSON.parse((await vtz(["ps", "--json"])).stdout), []);
  assert.match((await vtz(["down"])).stdout, /was not running/);
});

test("a machine whose state cannot be read is said so, and down clears it", async () => {
  const machine = join(folder, "state", "machines", "default");
  mkdirSync(machine, { recursive: true });
  writeFileSync(join(machine, "machine.json"), "{ half");

  const { exitCode, stderr } = await vtz(["exec", "guest1", "--", "true"]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /machine\.json cannot be read/);

  assert.equal((await vtz(["down"])).exitCode, 0);
  assert.match((await vtz(["exec", "guest1", "--", "true"])).stderr, /does not run/);
});

test("a machine that has died is told from one that never was", async () => {
  const machine = join(folder, "state", "machines", "gone");
  mkdirSync(machine, { recursive: true });
  const identity = { pid: 1, startTicks: -1, bootId: "another" };
  writeFileSync(
    join(machine, "machine.json"),
    JSON.stringify({ version: 1, name: "gone", guests: [], process: identity }),
  );

  const { stderr } = await vtz(["exec", "guest1", "-m", "gone", "--", "true"]);

  assert.match(stderr, /machine “gone” has died/);
});

test("vtz works through a symbolic link and from any folder", async () => {
  const link = join(folder, "linked");
  symlinkSync(VTZ, link);

  const { stdout } = await execa(link, ["--version"], { cwd: "/" });

  assert.match(stdout, /^vtz \d+\.\d+\.\d+$/);
});

test("bash completes commands, options and values", async () => {
  const { stdout: script } = await vtz(["completion"]);
  const complete = async (words: string[]) => {
    const list = words.map((word) => `'${word}'`).join(" ");
    const program = `${script}\nCOMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _vtz 2>/dev/null; echo "\${COMPREPLY[@]}"`;
    return (await execa("bash", ["-c", program])).stdout.split(" ");
  };

  assert.deepEqual(await complete(["vtz", "do"]), ["down", "doctor"]);
  assert.deepEqual(await complete(["vtz", "demo", "--js"]), ["--json"]);
  assert.deepEqual(await complete(["vtz", "demo", "--tee", "optee-4.1"]), ["optee-4.10"]);
});

test("what fails leaves nothing behind", () => {
  const left = readdirSync(folder, { recursive: true }).map(String);

  assert.deepEqual(
    left.filter((name) => /\.tmp$|\.lock$|out$/.test(name)),
    [],
  );
});

function vtz(words: string[], environment: Record<string, string> = {}) {
  return execa(VTZ, words, {
    reject: false,
    stdin: "ignore",
    cwd: folder,
    timeout: 60_000,
    env: { VTZ_STATE: join(folder, "state"), VTZ_CACHE: join(folder, "cache"), ...environment },
  });
}

/** A PATH with the shell's tools and these programs only. */
function fakePath(programs: Record<string, string>): string {
  const bin = mkdtempSync(join(folder, "bin-"));
  for (const tool of ["sh", "readlink", "dirname", "cmp", "env"])
    symlinkSync(`/usr/bin/${tool}`, join(bin, tool));
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
}
