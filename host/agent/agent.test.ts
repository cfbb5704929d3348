// The agent's own program against the client, over a socket: what runs in guests is what is tested.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { projectFolder } from "../paths.ts";
import { AgentClient } from "./agent-client.ts";

/** An agent behind a socket that takes one client at a time, as QEMU's does. */
class AgentBench {
  readonly folder: string;
  readonly socketPath: string;
  private readonly server: Server;
  private readonly agent: ChildProcess;
  private readonly line: Socket;
  private host: Socket | undefined;

  constructor(folder: string) {
    this.folder = folder;
    this.socketPath = join(folder, "agent.sock");
    this.agent = spawn("perl", [join(projectFolder, "el1/agent/agent.pl"), "fd:3"], {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
    });
    this.line = this.agent.stdio[3] as Socket;
    this.line.on("data", (bytes) => this.host?.write(bytes));
    this.server = createServer((socket) => {
      this.host = socket;
      socket.on("data", (bytes) => this.line.write(bytes));
      socket.on("error", () => undefined);
    }).listen(this.socketPath);
  }

  connect(timeoutMs = 5000): Promise<AgentClient> {
    return AgentClient.connect(this.socketPath, { name: "bench", timeoutMs });
  }

  /** Bytes that come to the agent from nobody in particular. */
  disturb(bytes: Uint8Array): void {
    this.line.write(bytes);
  }

  say(bytes: Uint8Array): void {
    this.host?.write(bytes);
  }

  async stop(): Promise<void> {
    this.agent.kill();
    this.host?.destroy();
    this.server.close();
    await once(this.agent, "exit");
  }
}

describe("agent", () => {
  let bench: AgentBench;
  let client: AgentClient;

  before(async () => {
    bench = new AgentBench(await mkdtemp(join(tmpdir(), "vtz-agent-")));
    client = await bench.connect();
  });

  after(async () => {
    client.close();
    await bench.stop();
    await rm(bench.folder, { recursive: true });
  });

  test("a command's output and exit code come back", async () => {
    const result = await client.exec("echo out; echo err >&2; exit 7");
    assert.deepEqual(result, { code: 7, stdout: "out\n", stderr: "err\n" });
  });

  test("a command that a signal ended has code 128 + signal", async () => {
    assert.equal((await client.exec("kill -9 $$")).code, 137);
  });

  test("output comes while the command still runs", async () => {
    const arrivals: number[] = [];
    const start = Date.now();
    await client.exec("echo a; sleep 0.6; echo b", { onOutput: () => arrivals.push(Date.now() - start) });
    assert.equal(arrivals.length, 2);
    assert.ok(arrivals[1]! - arrivals[0]! > 400);
  });

  test("large output is whole, also with every byte value in it", async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) & 0xff));
    const path = join(bench.folder, "bytes");
    await writeFile(path, bytes);
    const parts: Buffer[] = [];
    const { code } = await client.exec(`cat ${path}`, { onOutput: (part) => parts.push(part) });
    assert.equal(code, 0);
    assert.ok(Buffer.concat(parts).equals(bytes));
  });

  test("several commands run at once without mixing", async () => {
    const results = await Promise.all(
      [1, 2, 3].map((n) => client.exec(`for i in 1 2 3 4; do echo ${n}; sleep 0.05; done`)),
    );
    assert.deepEqual(
      results.map((result) => result.stdout),
      ["1\n1\n1\n1\n", "2\n2\n2\n2\n", "3\n3\n3\n3\n"],
    );
  });

  test("a command reads the input that it is given", async () => {
    async function* input() {
      yield "one\n";
      yield Buffer.alloc(100_000, 0x7e);
    }
    assert.equal((await client.exec("wc -c", { input: input() })).stdout.trim(), "100004");
  });

  test("a command that takes too long is ended", async () => {
    await assert.rejects(client.exec("sleep 321", { timeoutMs: 200 }), { code: "timeout" });
    await sleep(200);
    assert.notEqual((await client.exec("pgrep -f '^sleep 321$'")).code, 0);
  });

  test("a process left in the background does not hold up the answer", async () => {
    const start = Date.now();
    assert.equal((await client.exec("sleep 30 & echo done")).stdout, "done\n");
    assert.ok(Date.now() - start < 10_000);
  });

  test("a file goes there and back, with its permissions", async () => {
    const [from, there, back] = ["from", "a/b/there", "back/file"].map((name) => join(bench.folder, name));
    await writeFile(from!, Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 31) & 0xff)));
    await chmod(from!, 0o751);
    await client.push(from!, there!);
    await client.pull(there!, back!);
    assert.ok((await readFile(from!)).equals(await readFile(back!)));
    assert.equal((await stat(back!)).mode & 0o777, 0o751);
  });

  test("an empty file is a file", async () => {
    const path = join(bench.folder, "empty");
    await client.write("", path);
    assert.equal((await client.readFile(path)).length, 0);
  });

  test("what cannot be done is said", async () => {
    await assert.rejects(client.pull("/not/there", join(bench.folder, "x")), /\/not\/there: no such file/);
    await assert.rejects(client.write("x", "/proc/nope/x"), { code: "agent-refused" });
    await assert.rejects(client.push(join(bench.folder, "nope"), "/tmp/x"), { code: "no-such-file" });
    await mkdir(join(bench.folder, "folder"));
    await assert.rejects(client.pull(join(bench.folder, "folder"), join(bench.folder, "x")), /not a file/);
  });
});

describe("agent that loses its client", () => {
  let bench: AgentBench;

  before(async () => {
    bench = new AgentBench(await mkdtemp(join(tmpdir(), "vtz-agent-")));
  });

  after(async () => {
    await bench.stop();
    await rm(bench.folder, { recursive: true });
  });

  test("a new client finds a working agent, whatever came before it", async () => {
    bench.disturb(Buffer.from([0x7e, 0x58, 0x7d, 1, 2, 3, 0x7e, 0x7e, 9, 9, 9]));
    const first = await bench.connect();
    const lost = assert.rejects(first.exec("echo $$; sleep 654; echo never"), { code: "agent-closed" });
    await sleep(200);
    first.close();
    await lost;

    bench.disturb(Buffer.alloc(5000, 0x41)); // half a frame of the first client
    const second = await bench.connect();
    const { stdout } = await second.exec("echo new");

    assert.equal(stdout, "new\n");
    await sleep(100);
    assert.notEqual((await second.exec("pgrep -f '^sleep 654$'")).code, 0);
    second.close();
  });

  test("a client whose guest ends is told", async () => {
    const client = await bench.connect();
    const waiting = assert.rejects(client.exec("sleep 987"), { code: "guest-ended" });
    bench.say(Buffer.from([0x7e, 0x42, 0, 0, 0, 0, 0, 0, 0, 0x42, 0x7e]));
    await waiting;
    assert.equal(client.isOpen, false);
    client.close();
  });

  test("nobody at the other end is said in the end", async () => {
    const silent = createServer(() => undefined).listen(join(bench.folder, "silent.sock"));
    await assert.rejects(AgentClient.connect(join(bench.folder, "silent.sock"), { timeoutMs: 600 }), {
      code: "agent-silent",
    });
    await assert.rejects(AgentClient.connect(join(bench.folder, "none.sock"), { timeoutMs: 200 }), {
      code: "agent-absent",
    });
    silent.close();
  });
});
