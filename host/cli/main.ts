// vtz: starts the command that is named (commands.ts).

import { COMMANDS } from "./commands.ts";
import { runCli } from "./run.ts";

await runCli(COMMANDS);
