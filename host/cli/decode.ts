// vtz decode: what the bits of a register's value mean.

import { decode, decodeText, UnknownRegister } from "../../arm/decode.ts";
import { UserError } from "../errors.ts";
import { command, jsonOption, say } from "./command.ts";

export default command({
  name: "decode",
  description: "What a register's value means, field by field",
  args: {
    register: { type: "positional", required: true, description: "as in the Arm manual, e.g. ESR_EL3" },
    value: { type: "positional", required: true, description: "0x…, 0b… or decimal" },
    ...jsonOption,
  },
  examples: ["vtz decode ESR_EL3 0x5e000000", "vtz decode HCR_EL2 0x80000039 --json"],
  run({ args }) {
    const value = parseValue(args.value);
    try {
      if (args.json !== true) return say(decodeText(args.register, value));
      const text = (_key: string, item: unknown) =>
        typeof item === "bigint" ? `0x${item.toString(16)}` : item;
      say(JSON.stringify(decode(args.register, value), text, 2));
    } catch (error) {
      if (error instanceof RangeError) throw new UserError("bad-value", error.message);
      if (!(error instanceof UnknownRegister)) throw error;
      const { suggestions } = error;
      throw new UserError(
        "no-register",
        error.message,
        suggestions.length === 0
          ? "all that are known: docs/registers.md"
          : `did you mean ${suggestions.join(", ")}?`,
      );
    }
  },
});

function parseValue(text: string): bigint {
  try {
    const value = BigInt(text.replaceAll("_", ""));
    if (value >= 0n) return value;
  } catch {
    // said below
  }
  throw new UserError("bad-value", `${text} is not a number`, "give 0x…, 0b… or decimal");
}
