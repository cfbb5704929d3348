// The sections of a module that are for Linux's module loader, as assembly: what `modpost` writes in a kernel's own
// build.

import {
  INIT_SYMBOL,
  type LoaderFacts,
  MODINFO,
  THIS_MODULE,
  VERSION_NAME_OFFSET,
  VERSION_SIZE,
  VERSIONS,
} from "./loader-facts.ts";

export interface ModuleText {
  /** As in /proc/modules: letters, digits and `_`. */
  readonly name: string;
  readonly license: string;
  readonly description: string;
}

const POINTER_SIZE = 8;

export function moduleAssembly(text: ModuleText, facts: LoaderFacts): string {
  return [
    ...modinfo(text, facts),
    ...versions(facts),
    ...struct(text.name, facts),
    ...veneers(facts),
    "",
  ].join("\n");
}

function modinfo({ name, license, description }: ModuleText, { vermagic }: LoaderFacts): string[] {
  const rows = Object.entries({ license, description, depends: "", name, vermagic });
  return [`.section ${MODINFO}, "a"`, ...rows.map(([key, value]) => `.asciz ${quote(`${key}=${value}`)}`)];
}

function versions(facts: LoaderFacts): string[] {
  const rows = [...facts.versions].flatMap(([name, crc]) => [
    `.quad ${crc}`,
    `.ascii ${quote(name)}`,
    `.zero ${VERSION_SIZE - VERSION_NAME_OFFSET - name.length}`,
  ]);
  return [`.section ${VERSIONS}, "a"`, ".balign 8", ...rows];
}

/** Fields in the order of their places. */
function struct(name: string, facts: LoaderFacts): string[] {
  const { nameOffset, initOffset, structSize, structAlignment } = facts;
  const fields = [
    { at: nameOffset, size: name.length, line: `.ascii ${quote(name)}` },
    { at: initOffset, size: POINTER_SIZE, line: `.quad ${INIT_SYMBOL}` },
  ].sort((a, b) => a.at - b.at);
  const lines = [`.section ${THIS_MODULE}, "aw"`, `.balign ${structAlignment}`];
  let end = 0;
  for (const { at, size, line } of fields) {
    lines.push(`.zero ${at - end}`, line);
    end = at + size;
  }
  return [...lines, `.zero ${structSize - end}`];
}

function veneers({ veneerSections }: LoaderFacts): string[] {
  return veneerSections.flatMap((name) => [`.section ${name}, "ax"`, ".byte 0"]);
}

function quote(text: string): string {
  return JSON.stringify(text);
}
