// vtz check: types, lint, format, layering, generated files. Nothing is run.

import { CHECKS } from "../../tests/checks.ts";
import { projectFolder } from "../paths.ts";
import { command, jsonOption, say, sayJson } from "./command.ts";

export default command({
  name: "check",
  description: "Types, lint, format, layering, and that generated files are up to date",
  args: { ...jsonOption },
  examples: ["vtz check", "vtz check --json | jq '.[] | select(.complaint)'"],
  async run({ args }) {
    const rows: { name: string; complaint?: string }[] = [];
    for (const { name, run } of CHECKS) {
      const complaint = await run(projectFolder);
      rows.push(complaint === undefined ? { name } : { name, complaint });
      if (args.json !== true) say(complaint === undefined ? `✔ ${name}` : `✖ ${name}\n${complaint}`);
    }
    if (args.json === true) sayJson(rows);
    if (rows.some(({ complaint }) => complaint !== undefined)) process.exitCode = 1;
  },
});
