// vtz image: everything that boots, signed, in a folder; and what such a package says.

import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TEE_NAMES } from "../../el1/tees/profiles.ts";
import { UserError } from "../errors.ts";
import { keepBootImage, readPackage } from "../machine/boot-image.ts";
import { gatherParts, makeHardenedImage, PACKAGE_VERSION } from "../machine/image-parts.ts";
import { findKey } from "../machine/keys.ts";
import { changedImage, type PackageReport, reportPackage } from "../machine/package-report.ts";
import { ensureHost } from "../setup/install.ts";
import { buildFirmware } from "../toolchain/build-firmware.ts";
import { command, jsonOption, say, sayJson } from "./command.ts";
import { packageVersion } from "./package-version.ts";
import { Progress } from "./progress.ts";
import { table } from "./table.ts";
import { resolveUp, type UpOptions } from "./up-config.ts";

export default command({
  name: "image",
  description:
    "Build and sign all that boots into a folder, for `vtz up --image`; --show tells what a package says",
  args: {
    folder: {
      type: "positional",
      required: true,
      description: "a new folder; with --show, one or a package",
    },
    show: { type: "boolean", description: "print the manifest and verify it with --key" },
    key: { type: "string", description: "which key signs (development): see `vtz keys`", valueHint: "NAME" },
    "package-version": {
      type: "string",
      description: `what devices compare with their minimum (${PACKAGE_VERSION})`,
      valueHint: "VERSION",
    },
    minimum: {
      type: "string",
      description: "with --show: as of a device with this minimum",
      valueHint: "VERSION",
    },
    tee: { type: "enum", options: [...TEE_NAMES], description: `the guests' TEE (${TEE_NAMES[0]})` },
    "tee-image": { type: "string", description: "a TEE image of your own", valueHint: "FILE" },
    profile: { type: "string", description: "what your TEE kernel needs, as JSON", valueHint: "FILE.json" },
    files: { type: "string", description: "a folder laid over the root of every guest", valueHint: "DIR" },
    cores: { type: "string", description: "cores of the machine (2)", valueHint: "N" },
    ram: { type: "string", description: "RAM of the machine in MiB (2048)", valueHint: "MIB" },
    pool: { type: "string", description: "how many guests with a TEE fit at once (4)", valueHint: "N" },
    ...jsonOption,
  },
  examples: [
    "vtz image release-1",
    "vtz image release-2 --key release --package-version 2 --tee optee-4.10",
    "vtz image --show release-2 --key release",
    "vtz up --image release-2 --key release --machine lab",
  ],
  async run({ args }) {
    const { folder, key: keyName } = args;
    const version = packageVersion("package-version", args["package-version"] ?? String(PACKAGE_VERSION));
    if (args.show !== true) await build(folder, keyName, version, args);
    const { publicKey } = await findKey(keyName);
    const report = await examine(folder, publicKey, packageVersion("minimum", args.minimum ?? "0"));
    if (args.json === true) sayJson(report);
    else say(reportText(folder, report));
    if (report.refusal !== undefined) process.exitCode = 1;
  },
});

async function build(
  folder: string,
  keyName: string | undefined,
  packageVersion: bigint,
  options: UpOptions,
) {
  if (await stat(folder).catch(() => undefined))
    throw new UserError("exists", `${folder} exists already`, "name a new folder: nothing is replaced");
  const { machine } = resolveUp(options, {});
  const progress = new Progress();
  await ensureHost(progress.line);
  const parts = await gatherParts(machine, progress.line);
  progress.line("building the monitor");
  const monitor = await readFile((await buildFirmware()).bin);
  const key = await findKey(keyName);
  const work = await mkdtemp(join(tmpdir(), "vtz-image-"));
  try {
    const image = await makeHardenedImage(work, parts, { monitor, key, packageVersion });
    await keepBootImage(image, work, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function examine(path: string, rootKey: Uint8Array, minimum: bigint): Promise<PackageReport> {
  const report = reportPackage(await readPackage(path), rootKey, minimum);
  const isFolder = (await stat(path)).isDirectory();
  const changed = isFolder && report.refusal === undefined ? await changedImage(path) : undefined;
  return changed === undefined ? report : { ...report, refusal: changed };
}

function reportText(path: string, { version, cores, ramMib, images, refusal }: PackageReport): string {
  const rows = images.map((row) => [row.name, row.version, row.place, String(row.size), row.sha256]);
  return [
    `${path}: boot package of version ${version}, for ${cores} cores and ${ramMib} MiB`,
    table([["IMAGE", "VERSION", "PLACE", "SIZE", "SHA-256"], ...rows]),
    refusal === undefined ? "verified: a machine with this key takes it" : `refused: ${refusal}`,
  ].join("\n");
}
