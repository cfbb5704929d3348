// Which instructions a fast SMC executes, exactly: QEMU logs every one of them (`-d exec,nochain`, one instruction per translation
// block) while the probe makes a few calls. The log is large: it is on for these calls only.

import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Machine } from "../host/machine/machine.ts";
import { SocketFolder } from "../host/machine/sockets.ts";
import { QMP_SOCKET } from "../host/qemu/command-line.ts";
import { QmpClient } from "../host/qemu/qmp.ts";

/** QEMU runs in the machine's folder. */
const LOG_FILE = "execution.log";
/** More than any call takes: something else ran in between. */
const MAX_CALL_INSTRUCTIONS = 1_000_000;

/** Runs `action` with the log on; returns the log's path. */
export async function logExecution(machine: Machine, action: () => Promise<void>): Promise<string> {
  const sockets = new SocketFolder(machine.folder);
  const qmp = await QmpClient.connect(sockets.path(QMP_SOCKET));
  const monitor = async (command: string) =>
    String(await qmp.execute("human-monitor-command", { "command-line": command }));
  try {
    await monitor(`logfile ${LOG_FILE}`);
    // The name since QEMU 8.1; before, it was singlestep.
    const step = (await monitor("one-insn-per-tb on")).includes("unknown") ? "singlestep" : "one-insn-per-tb";
    await monitor(`${step} on`);
    await monitor("log exec,nochain");
    try {
      await action();
    } finally {
      await monitor("log none");
      await monitor(`${step} off`);
    }
  } finally {
    qmp.close();
    sockets.close();
  }
  return join(machine.folder, LOG_FILE);
}

/** The addresses that each call executed, from the one at `callVa` (which is left out) to the next. */
export async function callsInLog(path: string, callVa: number): Promise<number[][]> {
  const calls: number[][] = [];
  let call: number[] | undefined;
  // "Trace 0: 0x7f… [cs_base/pc/flags/cflags] symbol"
  const pattern = /^Trace \d+: \S+ \[[0-9a-f]+\/([0-9a-f]+)\//;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const match = pattern.exec(line);
    if (match === null) continue;
    const va = Number.parseInt(match[1]!, 16);
    if (va === callVa) {
      if (call !== undefined) calls.push(call);
      call = [];
    } else if (call !== undefined && call.push(va) > MAX_CALL_INSTRUCTIONS) {
      call = undefined;
    }
  }
  return calls;
}
