// vtz harden: Xen's writes of translation registers become calls of the monitor.

import { readFile } from "node:fs/promises";
import { explainFileError, UserError } from "../errors.ts";
import { writeAtomically } from "../machine/state.ts";
import { hardenXen } from "../rewriter/harden.ts";
import { hardeningReport } from "../rewriter/report.ts";
import { command, jsonOption, say, sayJson } from "./command.ts";

function hardenFile(path: string, image: Uint8Array): ReturnType<typeof hardenXen> {
  try {
    return hardenXen(image);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.code, `${path}: ${error.message}`, error.hint);
  }
}

export default command({
  name: "harden",
  description: "Replace a Xen image's writes of translation registers by calls of the monitor",
  args: {
    image: { type: "positional", required: true, description: "arm64 Image of Xen" },
    output: {
      type: "string",
      alias: "o",
      description: "where the hardened image goes (IMAGE-hardened)",
      valueHint: "FILE",
    },
    ...jsonOption,
  },
  examples: [
    "vtz harden xen-4.20-arm64",
    "vtz harden /boot/xen-4.20-arm64 -o xen-hardened",
    "vtz harden xen -o out --json | jq '.sites | length'",
  ],
  async run({ args }) {
    const image = await readFile(args.image).catch((error: NodeJS.ErrnoException) => {
      throw new UserError("no-file", `${args.image} cannot be read (${error.code})`);
    });
    const result = hardenFile(args.image, image);
    const output = args.output ?? `${args.image}-hardened`;
    await writeAtomically(output, result.image).catch((error: unknown) => {
      throw explainFileError(error, `writing ${output}`);
    });
    const { image: _, ...facts } = result;
    if (args.json === true) sayJson({ output, ...facts });
    else say(`${output}: ${hardeningReport(result)}`);
  },
});
