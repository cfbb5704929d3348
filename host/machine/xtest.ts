// Reads what OP-TEE's xtest prints at its end (optee_test, host/xtest/adbg/src/adbg_run.c), strictly: a result
// that is cut off or does not add up is no result.

export interface XtestResult {
  readonly suite: string;
  readonly subtestCount: number;
  readonly subtestFailures: number;
  readonly caseCount: number;
  readonly caseFailures: number;
  readonly skippedCount: number;
  readonly cases: readonly {
    readonly name: string;
    readonly passed: boolean;
    readonly firstError?: string;
  }[];
}

const RULE = /^\+-{20,}$/;

export function parseXtest(output: string): XtestResult {
  const lines = output.split("\n").map((line) => line.replace(/\r$/, ""));
  const head = lines.findIndex(isHead);
  if (head < 0) throw new Error(`xtest printed no result; its last line: “${lastLine(lines)}”`);
  // One head a filter, all in a row.
  const first = lines.findIndex((line, index) => index > head && !isHead(line));
  if (lines.some((line, index) => index > first && isHead(line)))
    throw new Error("xtest printed two results");
  const end = lines.findIndex((line, index) => index >= first && RULE.test(line));
  if (first < 0 || end < 0) throw new Error("xtest's result is cut off");
  const summary = lines.slice(end + 1);

  const cases = lines.slice(first, end).map(parseCase);
  const [subtestCount, subtestFailures] = findCounts(summary, /^(\d+) subtests? of which (\d+) failed$/);
  const [caseCount, caseFailures] = findCounts(summary, /^(\d+) test cases? of which (\d+) failed$/);
  const [skippedCount] = findCounts(summary, /^(\d+) test cases? (?:was|were) skipped$/);
  if (!summary.includes("TEE test application done!")) throw new Error("xtest did not end its output");

  const failed = cases.filter(({ passed }) => !passed).length;
  if (cases.length !== caseCount || failed !== caseFailures) {
    throw new Error(
      `xtest counts ${caseFailures} of ${caseCount} cases failed, but lists ${failed} of ${cases.length}`,
    );
  }
  const suite = /^Result of testsuite ([^ :]+)/.exec(lines[head]!)![1]!;
  return { suite, subtestCount, subtestFailures, caseCount, caseFailures, skippedCount, cases };
}

function isHead(line: string): boolean {
  return line.startsWith("Result of testsuite ");
}

function parseCase(line: string): XtestResult["cases"][number] {
  const ok = /^(\S+) OK$/.exec(line);
  if (ok !== null) return { name: ok[1]!, passed: true };
  const failure = /^(\S+) FAILED(?: first error at (\S+:\d+))?$/.exec(line);
  if (failure === null) throw new Error(`xtest's result has a line of another kind: “${line}”`);
  return {
    name: failure[1]!,
    passed: false,
    ...(failure[2] === undefined ? {} : { firstError: failure[2] }),
  };
}

function findCounts(lines: readonly string[], pattern: RegExp): [number, number] {
  const found = lines.map((line) => pattern.exec(line)).filter((match) => match !== null);
  if (found.length !== 1) throw new Error(`xtest's result has ${found.length} lines like ${pattern.source}`);
  return [Number(found[0]![1]), Number(found[0]![2] ?? 0)];
}

function lastLine(lines: readonly string[]): string {
  return lines.findLast((line) => line.trim() !== "") ?? "";
}
