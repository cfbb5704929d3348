import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { endProcess, identifyProcess, isRunning, sendSignal } from "./process.ts";

test("a process is known by its start time too: a number used again is never signalled", async () => {
  const child = spawn("sleep", ["60"]);
  const identity = identifyProcess(child.pid!)!;
  const other = { ...identity, startTicks: identity.startTicks - 1 };
  const beforeReboot = { ...identity, bootId: "another" };

  sendSignal(other, "SIGKILL");
  sendSignal(beforeReboot, "SIGKILL");

  assert.equal(isRunning(other), false);
  assert.equal(isRunning(beforeReboot), false);
  assert.equal(isRunning(identity), true);
  await endProcess(identity);
  assert.equal(isRunning(identity), false);
});

test("a process that will not end is made to", async () => {
  const child = spawn("sh", ["-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const identity = identifyProcess(child.pid!)!;

  await endProcess(identity, 200);

  assert.equal(isRunning(identity), false);
});

test("a process that is gone has no identity", () => {
  assert.equal(identifyProcess(2 ** 22 + 1), undefined);
});
