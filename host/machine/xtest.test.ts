import assert from "node:assert/strict";
import { test } from "node:test";
import { parseXtest } from "./xtest.ts";

// The end of xtest's output as optee-test 4.5.0 prints it, with one case that failed.
const OUTPUT = `Test ID: 1001 1002
Run test suite with level=0

TEE test application started over default TEE instance
######################################################
#
# regression+pkcs11
#
######################################################

* regression_1001 Core self tests
  regression_1001 OK

* regression_1002 PTA parameters
  regression_1002 FAILED
+-----------------------------------------------------
Result of testsuite regression+pkcs11 filtered by "1001":
Result of testsuite regression+pkcs11 filtered by "1002":
regression_1001 OK
regression_1002 FAILED first error at regression_1000.c:312
+-----------------------------------------------------
27 subtests of which 1 failed
2 test cases of which 1 failed
137 test cases were skipped
TEE test application done!
`;

test("xtest's result is read with its cases, counts and first errors", () => {
  assert.deepEqual(parseXtest(OUTPUT), {
    suite: "regression+pkcs11",
    subtestCount: 27,
    subtestFailures: 1,
    caseCount: 2,
    caseFailures: 1,
    skippedCount: 137,
    cases: [
      { name: "regression_1001", passed: true },
      { name: "regression_1002", passed: false, firstError: "regression_1000.c:312" },
    ],
  });
});

test("xtest's output through a terminal reads the same, and one of a kind has no plural", () => {
  const output = OUTPUT.replace("27 subtests", "1 subtest")
    .replace("137 test cases were", "1 test case was")
    .replaceAll("\n", "\r\n");

  assert.equal(parseXtest(output).subtestCount, 1);
  assert.equal(parseXtest(output).skippedCount, 1);
});

const DAMAGED: [string, (text: string) => string, RegExp][] = [
  ["is cut off before the result", (text) => text.slice(0, text.indexOf("Result of")), /no result/],
  ["is cut off inside the result", (text) => text.slice(0, text.indexOf("regression_1000.c")), /cut off/],
  ["is cut off behind the counts", (text) => text.replace("TEE test application done!\n", ""), /did not end/],
  ["lacks a count", (text) => text.replace(/^27 subtests.*\n/m, ""), /0 lines/],
  ["has a count twice", (text) => text.replace(/^(27 subtests.*\n)/m, "$1$1"), /2 lines/],
  ["lists fewer cases than it counts", (text) => text.replace(/^regression_1001 OK\n/m, ""), /lists 1 of 1/],
  [
    "hides a failure in the list",
    (text) => text.replace(/^(regression_1002) FAILED.*$/m, "$1 OK"),
    /lists 0 of 2/,
  ],
  [
    "has a foreign line in the list",
    (text) => text.replace(/^(regression_1001 OK)$/m, "$1\noops here"),
    /another kind/,
  ],
  ["has two results", (text) => text + text, /two results/],
];

for (const [what, damage, complaint] of DAMAGED) {
  test(`output that ${what} is no result`, () => {
    assert.throws(() => parseXtest(damage(OUTPUT)), complaint);
  });
}
