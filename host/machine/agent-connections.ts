// One connection to each agent that is talked to, made when it is first needed and kept.

import { AgentClient } from "../agent/agent-client.ts";

interface Connection {
  readonly client: Promise<AgentClient>;
  readonly waiting: AbortController;
}

export class AgentConnections {
  readonly #connections = new Map<string, Connection>();

  get(where: string, socketPath: string, timeoutMs?: number): Promise<AgentClient> {
    const known = this.#connections.get(where);
    if (known !== undefined) return known.client;
    const waiting = new AbortController();
    const limit = timeoutMs === undefined ? {} : { timeoutMs };
    const client = AgentClient.connect(socketPath, { name: where, signal: waiting.signal, ...limit });
    // One that failed is tried anew next time.
    client.catch(() => this.#connections.delete(where));
    this.#connections.set(where, { client, waiting });
    return client;
  }

  async drop(where: string): Promise<void> {
    const connection = this.#connections.get(where);
    this.#connections.delete(where);
    connection?.waiting.abort();
    const client = await connection?.client.catch(() => undefined);
    client?.close();
  }

  async dropAll(): Promise<void> {
    for (const where of [...this.#connections.keys()]) await this.drop(where);
  }
}
