// What `vtz harden` says: how many sites a register has, each site, and what only looks like one.

import { hardeningRules } from "../../el2/rules/translation-registers.ts";
import type { HardenedXen } from "./harden.ts";

export function hardeningReport({ sites, lookAlikes, codePageCount, wasHardened }: HardenedXen): string {
  const counts = hardeningRules.map(({ register, reason }) => {
    const count = sites.filter((site) => site.register === register).length;
    return `${register.padEnd(10)} ${String(count).padStart(3)}  ${reason}`;
  });
  const rows = sites.map(
    ({ offset, register, rt, original, replacement }) =>
      `0x${hex(offset)}  ${hex(original)} → ${hex(replacement)}  msr ${register}, ${rt === 31 ? "xzr" : `x${rt}`}`,
  );
  const data = lookAlikes.map(
    ({ offset, word, assembly }) =>
      `0x${hex(offset)}  ${hex(word)} stays: data in a page without code that looks like \`${assembly}\``,
  );
  const summary = wasHardened
    ? `${sites.length} writes of translation registers were calls of the monitor already`
    : `${sites.length} writes of translation registers are calls of the monitor now`;
  const parts = [
    [summary, `code was seen in ${codePageCount} pages; every other byte is what it was`],
    counts,
    rows,
    data,
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
