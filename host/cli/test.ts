// vtz test: installs what it needs and passes all tests.

import { PARTS, type Part, runAll } from "../../tests/run.ts";
import { UserError } from "../errors.ts";
import { projectFolder } from "../paths.ts";
import { ensureHost } from "../setup/install.ts";
import { command } from "./command.ts";
import { Progress } from "./progress.ts";

export default command({
  name: "test",
  description: "Pass all tests: checks, unit tests, boots in QEMU; ends with “N passed, N failed”",
  args: {
    part: { type: "positional", required: false, description: `${PARTS.join(", ")}; all when absent` },
    full: { type: "boolean", description: "also what takes long: xtest's whole suite in two guests" },
    only: { type: "string", description: "only tests whose names match", valueHint: "PATTERN" },
  },
  examples: ["vtz test", "vtz test unit", "vtz test boots --only 'two guests'", "vtz test --full"],
  async run({ args }) {
    const { part } = args;
    if (part !== undefined && !PARTS.includes(part as Part)) {
      throw new UserError("bad-option", `no part “${part}”`, `one of: ${PARTS.join(" ")}`);
    }
    await ensureHost(new Progress().line);
    const { failed, passed } = await runAll({
      root: projectFolder,
      isFull: args.full === true,
      parts: part === undefined ? [] : [part as Part],
      ...(args.only === undefined ? {} : { pattern: args.only }),
    });
    process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
  },
});
