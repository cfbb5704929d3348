// Reads the Debian mirror and its keyring from the host's own apt configuration: one-line `.list` files and
// deb822 `.sources` files (sources.list(5)). Nothing else of the host's configuration is taken.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../errors.ts";

export interface Mirror {
  uri: string;
  /** Value of Signed-By: paths, fingerprints or an embedded key; undefined = the host's trusted keys. */
  signedBy?: string;
}

interface Source {
  types: string[];
  uris: string[];
  suites: string[];
  components: string[];
  signedBy?: string;
}

const RELEASES = /^(stable|oldstable|testing|unstable|sid|bullseye|bookworm|trixie|forky|duke)$/;
const DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The host's mirror of the Debian archive; VTZ_DEBIAN_MIRROR overrides. */
export async function hostMirror(etcFolder = "/etc/apt"): Promise<Mirror> {
  const { VTZ_DEBIAN_MIRROR: override } = process.env;
  if (override !== undefined && override !== "") return { uri: override, signedBy: DEBIAN_KEYRING };
  for (const source of await readSources(etcFolder)) {
    const uri = source.uris[0];
    const isDebian =
      source.suites.some((suite) => RELEASES.test(suite)) && source.components.includes("main");
    if (!isDebian || !source.types.includes("deb") || uri === undefined) continue;
    return source.signedBy === undefined ? { uri } : { uri, signedBy: source.signedBy };
  }
  throw new UserError(
    "no-debian-mirror",
    `no Debian mirror in the host's apt configuration (${etcFolder})`,
    "VTZ_DEBIAN_MIRROR=http://MIRROR/debian ./vtz …",
  );
}

async function readSources(etcFolder: string): Promise<Source[]> {
  const parts = join(etcFolder, "sources.list.d");
  const names = (await readdir(parts).catch(() => [])).sort();
  const paths = [join(etcFolder, "sources.list"), ...names.map((name) => join(parts, name))];
  const sources: Source[] = [];
  for (const path of paths) {
    const text = await readFile(path, "utf8").catch(() => "");
    if (path.endsWith(".list")) sources.push(...parseOneLine(text));
    if (path.endsWith(".sources")) sources.push(...parseDeb822(text));
  }
  return sources;
}

/** `deb [signed-by=… arch=…] URI SUITE COMPONENT…` */
export function parseOneLine(text: string): Source[] {
  const sources: Source[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*(deb|deb-src)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (match === null) continue;
    const [, type, options = "", uri, suite, components = ""] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1]?.replaceAll(",", " ");
    sources.push({
      types: [type!],
      uris: [uri!],
      suites: [suite!],
      components: words(components),
      ...(signedBy === undefined ? {} : { signedBy }),
    });
  }
  return sources;
}

/** Stanzas of `Field: value`, continued by indented lines; a stanza with `Enabled: no` is left out. */
export function parseDeb822(text: string): Source[] {
  const sources: Source[] = [];
  for (const stanza of text.split(/\n[ \t]*\n/)) {
    const fields = parseStanza(stanza);
    if (!fields.has("uris") || /^(no|false|off|without|disable)$/i.test(fields.get("enabled") ?? ""))
      continue;
    const signedBy = fields.get("signed-by");
    sources.push({
      types: words(fields.get("types")),
      uris: words(fields.get("uris")),
      suites: words(fields.get("suites")),
      components: words(fields.get("components")),
      ...(signedBy === undefined ? {} : { signedBy }),
    });
  }
  return sources;
}

function parseStanza(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let name = "";
  for (const line of stanza.split("\n")) {
    if (line.startsWith("#")) continue;
    const start = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
    if (start !== null) {
      name = start[1]!.toLowerCase();
      fields.set(name, start[2]!.trimEnd());
    } else if (/^[ \t]/.test(line) && name !== "") {
      fields.set(name, `${fields.get(name)}\n${line}`);
    }
  }
  return fields;
}

function words(text = ""): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
