// What the hypervisor does for VMs, measured by two probe guests (el1/probe/hypervisor.c).

import { DOM0, type Machine } from "../host/machine/machine.ts";
import { measureBirths } from "./births.ts";
import { Probe, type ProbeSpec } from "./probe.ts";
import type { ProbeImage } from "./programs.ts";
import { parseSamples, type Sample } from "./samples.ts";

const ONE: ProbeSpec = { name: "one", slot: 0, memoryMib: 32, vcpuCount: 2 };
const OTHER: ProbeSpec = { name: "other", slot: 1, memoryMib: 32, vcpuCount: 1 };
/** Of each row that needs a peer who answers: el1/probe/peers.c, warm-up included. */
const ROUND_TRIP_COUNT = 10 + 40 * 25;

export async function measureProbes(
  machine: Machine,
  image: ProbeImage,
  onProgress: (line: string) => void,
): Promise<Sample[]> {
  onProgress("making VMs");
  const births = [await measureBirths(machine, image.image, "BIRTH_WITH_TEE")];
  const one = await Probe.start(machine, image, ONE);
  const other = await Probe.start(machine, image, OTHER).catch((error: unknown) => {
    one.close();
    throw error;
  });
  try {
    onProgress("timing exits, interrupts and switches");
    const alone = await measureAlone(one);
    onProgress("timing grants and events");
    const together = await measureTogether(machine, one, other);
    onProgress("making VMs");
    births.push(await measureBirths(machine, image.image, "BIRTH"));
    await one.end();
    await other.end();
    return [...births, ...alone, ...together];
  } finally {
    one.close();
    other.close();
  }
}

async function measureAlone(probe: Probe): Promise<Sample[]> {
  const texts = [
    await probe.ask("x", "measured exits"),
    await probe.ask("f", "measured faults"),
    await probe.ask("y", "measured switches"),
  ];
  return parseSamples(texts.join(""));
}

async function measureTogether(machine: Machine, one: Probe, other: Probe): Promise<Sample[]> {
  const domids = await machine.run(DOM0, `xl domid ${ONE.name}; xl domid ${OTHER.name}`);
  const [oneId, otherId] = domids.trim().split("\n");
  const offer = await other.ask(`o${oneId} `, "offered port");
  const port = /offered port (\d+)/.exec(offer)![1]!;
  await one.ask(`c${otherId} ${port} `, "connected");
  const texts = [await one.ask("g", "measured grants")];
  const withPeer = async (letter: string, word: string) => {
    await other.ask(`s${ROUND_TRIP_COUNT} `, "serving");
    texts.push(await one.ask(letter, word));
    await other.ask("", "served");
  };
  await withPeer("e", "measured round trips");
  await withPeer("n", "measured packets");
  return parseSamples(texts.join(""));
}
