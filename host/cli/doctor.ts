// vtz doctor: what the host lacks, and the command that installs it.

import { UserError } from "../errors.ts";
import { installCommand } from "../setup/install.ts";
import { examine, type Finding } from "../setup/requirements.ts";
import { command, jsonOption, say, sayJson } from "./command.ts";

export default command({
  name: "doctor",
  description: "What is missing on this host, and the command that installs it",
  args: { ...jsonOption },
  examples: ["vtz doctor", "vtz doctor --json | jq '.[] | select(.state != \"present\")'"],
  async run({ args }) {
    const findings = await examine();
    if (args.json === true) sayJson(findings.map(asRow));
    else for (const finding of findings) say(line(finding));

    const needed = findings.filter(
      ({ state, requirement }) => state !== "present" && requirement.isOptional !== true,
    );
    const wanted = findings.filter(({ state }) => state !== "present");
    if (needed.length > 0) {
      throw new UserError(
        "host-incomplete",
        `missing: ${needed.map(name).join(", ")}`,
        installCommand(wanted),
      );
    }
    if (args.json !== true) say(wanted.length === 0 ? "all there" : `optional: ${installCommand(wanted)}`);
  },
});

function asRow({ requirement, state, version }: Finding) {
  const { probe, debianPackage, purpose, isOptional = false } = requirement;
  return { probe, state, version, debianPackage, purpose, optional: isOptional };
}

function line({ requirement, state, version }: Finding): string {
  const mark = state === "present" ? "ok" : requirement.isOptional === true ? "--" : "!!";
  const detail = state === "present" ? (version ?? "") : state;
  return `${mark}  ${requirement.probe.padEnd(36)}${detail.padEnd(10)}${requirement.purpose}`;
}

function name({ requirement, state, version }: Finding): string {
  return state === "too-old" ? `${requirement.probe} (${version} is too old)` : requirement.probe;
}
