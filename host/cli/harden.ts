// vtz harden: Xen's writes of translation registers become calls of the monitor.

import { UserError } from "../errors.ts";
import { hardenXen } from "../rewriter/harden.ts";
import { hardeningReport } from "../rewriter/report.ts";
import { command, jsonOption, say, sayJson } from "./command.ts";
import { checkOutput, isSameFile, readInput, writeOutput } from "./output-file.ts";

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
    const output = args.output ?? `${args.image}-hardened`;
    await checkOutput(output);
    if (await isSameFile(args.image, output))
      throw new UserError(
        "usage",
        `${output} is the image itself`,
        "give another name with -o: the original stays",
      );
    const result = hardenFile(args.image, await readInput(args.image));
    await writeOutput(output, result.image);
    const { image: _, ...facts } = result;
    if (args.json === true) sayJson({ output, ...facts });
    else say(`${output}: ${hardeningReport(result)}`);
  },
});
