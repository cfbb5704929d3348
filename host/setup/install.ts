// Installs missing host packages with apt-get, as root or through sudo, and says clearly when it cannot.

import { execa } from "execa";
import { UserError } from "../errors.ts";
import { examine, type Finding, installWords, packagesOf } from "./requirements.ts";

export async function ensureHost(onProgress: (line: string) => void): Promise<void> {
  const wanting = (await examine()).filter(isNeeded);
  if (wanting.length === 0) return;
  refuseOldQemu(wanting);

  onProgress(`installing ${packagesOf(wanting).join(" ")}`);
  await install(wanting);

  const still = (await examine()).filter(isNeeded);
  refuseOldQemu(still);
  if (still.length > 0) {
    const names = still.map(({ requirement }) => requirement.probe).join(", ");
    throw new UserError(
      "host-incomplete",
      `still missing after installation: ${names}`,
      installCommand(still),
    );
  }
}

export function installCommand(findings: readonly Finding[]): string {
  return [...(isRoot() ? [] : ["sudo"]), ...installWords(findings)].join(" ");
}

async function install(findings: readonly Finding[]): Promise<void> {
  const command = installCommand(findings);
  const failure = (what: string) => new UserError("install-failed", what, `install by hand: ${command}`);
  if (findings.some(({ requirement }) => requirement.probe === "apt-get")) {
    throw failure("apt-get is not here: vtz needs a Debian 12 or 13 host");
  }
  if (!isRoot() && !(await maySudo()))
    throw failure("host packages are missing, and neither root nor sudo is here");

  const prefix = isRoot() ? [] : ["sudo"];
  const environment = { DEBIAN_FRONTEND: "noninteractive" };
  const run = (words: string[]) => {
    const [program, ...rest] = [...prefix, ...words];
    return execa(program!, rest, { env: environment, all: true, reject: false, stdin: "inherit" });
  };
  let result = await run(installWords(findings));
  if (result.failed) {
    // The usual cause: package lists that are absent or old.
    await run(["apt-get", "update"]);
    result = await run(installWords(findings));
  }
  if (result.failed) {
    const lastLines = (result.all ?? "").trimEnd().split("\n").slice(-8).join("\n");
    throw failure(`apt-get could not install ${packagesOf(findings).join(" ")}\n${lastLines}`);
  }
}

function isNeeded({ state, requirement }: Finding): boolean {
  return state !== "present" && requirement.isOptional !== true;
}

function refuseOldQemu(findings: readonly Finding[]): void {
  const old = findings.find(({ state }) => state === "too-old");
  if (old === undefined) return;
  const [major, minor] = old.requirement.version!.atLeast;
  throw new UserError(
    "tool-too-old",
    `${old.requirement.probe} is ${old.version}; vtz needs ${major}.${minor} or newer`,
    `upgrade it (${installCommand([old])}), or put a newer one first on PATH`,
  );
}

async function maySudo(): Promise<boolean> {
  const { failed } = await execa("sudo", process.stdin.isTTY ? ["-v"] : ["-n", "true"], {
    reject: false,
    stdin: "inherit",
  });
  return !failed;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
