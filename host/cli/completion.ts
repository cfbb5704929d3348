// vtz completion: a bash script that completes commands, options, and the names of machines and guests.

import { TEE_NAMES } from "../../el1/tees/profiles.ts";
import { LOG_NAMES } from "../machine/logs.ts";
import type { Command } from "./command.ts";
import { command, say } from "./command.ts";

export default command({
  name: "completion",
  description: "Print a script that completes vtz's words in bash",
  args: {},
  examples: ['eval "$(vtz completion)"', "vtz completion > /etc/bash_completion.d/vtz"],
  async run() {
    // Here and not above: the table names this file.
    const { COMMANDS } = await import("./commands.ts");
    const options: string[] = [];
    for (const [name, load] of Object.entries(COMMANDS)) {
      options.push(`    ${name}) words="${optionWords((await load()).default).join(" ")}" ;;`);
    }
    say(script(Object.keys(COMMANDS), options));
  },
});

function optionWords({ argumentNames }: Command): string[] {
  const named = Object.entries(argumentNames).filter(([, { type }]) => type !== "positional");
  return [...named.map(([name]) => `--${name}`), "--help"];
}

function script(names: readonly string[], options: readonly string[]): string {
  return `_vtz() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names.join(" ")} --help --version" -- "$word"))
    return
  fi
  case \${COMP_WORDS[COMP_CWORD - 1]} in
    --tee) COMPREPLY=($(compgen -W "${TEE_NAMES.join(" ")}" -- "$word")); return ;;
    --machine | -m) words="$("\${COMP_WORDS[0]}" ps --names machines 2>/dev/null)"
      COMPREPLY=($(compgen -W "$words" -- "$word")); return ;;
  esac
  case \${COMP_WORDS[1]} in
${options.join("\n")}
  esac
  case \${COMP_WORDS[1]} in
    console | exec) words="$words dom0 $("\${COMP_WORDS[0]}" ps --names guests 2>/dev/null)" ;;
    logs) words="$words ${[...LOG_NAMES, "events"].join(" ")} $("\${COMP_WORDS[0]}" ps --names guests 2>/dev/null)" ;;
    test) words="$words check unit boots" ;;
    keys) words="$words list make show device" ;;
    attest | tee) words="$words $("\${COMP_WORDS[0]}" ps --names guests 2>/dev/null)" ;;
    down) words="$words $("\${COMP_WORDS[0]}" ps --names guests 2>/dev/null)" ;;
    cp) words="$words $("\${COMP_WORDS[0]}" ps --names guests 2>/dev/null | sed 's/$/:/')"; compopt -o nospace -o default ;;
    harden | image | demo | up) compopt -o default ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _vtz vtz ./vtz`;
}
