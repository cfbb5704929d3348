// vtz down: ends a machine, or one guest of it.

import { Machine } from "../machine/machine.ts";
import { machineNames } from "../machine/state.ts";
import { command, machineOption, say } from "./command.ts";

export default command({
  name: "down",
  description: "End a machine, or destroy one of its guests",
  args: {
    guest: { type: "positional", description: "destroy this guest only", required: false },
    ...machineOption,
    all: { type: "boolean", description: "every machine" },
  },
  examples: ["vtz down", "vtz down guest2", "vtz down --machine lab", "vtz down --all"],
  async run({ args }) {
    if (args.guest !== undefined) {
      const machine = await Machine.open(args.machine);
      await machine.destroyGuest(args.guest).finally(() => machine.close());
      return say(`${args.guest}: destroyed`);
    }
    for (const name of args.all === true ? await machineNames() : [args.machine]) {
      say((await Machine.stop(name)) ? `${name}: stopped` : `${name}: was not running`);
    }
  },
});
