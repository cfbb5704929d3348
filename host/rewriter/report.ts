// What `vtz harden` says: how many sites a register has, then each site.

import { hardeningRules } from "../../el2/rules/translation-registers.ts";
import type { HardenedXen } from "./harden.ts";

export function hardeningReport({ sites, wasHardened }: HardenedXen): string {
  const counts = hardeningRules.map(({ register, reason }) => {
    const count = sites.filter((site) => site.register === register).length;
    return `${register.padEnd(10)} ${String(count).padStart(3)}  ${reason}`;
  });
  const rows = sites.map(
    ({ offset, register, rt, original, replacement }) =>
      `0x${hex(offset)}  ${hex(original)} → ${hex(replacement)}  msr ${register}, ${rt === 31 ? "xzr" : `x${rt}`}`,
  );
  const summary = wasHardened
    ? `${sites.length} writes of translation registers were calls of the monitor already`
    : `${sites.length} writes of translation registers are calls of the monitor now`;
  return [summary, "", ...counts, "", ...rows].join("\n");
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
