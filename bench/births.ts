// From the making of a VM by `xl create` to its first instruction. The probe says what its virtual counter showed then: the hypervisor
// starts that at zero when the VM is made, before the toolstack builds it.

import { DOM0, type Machine } from "../host/machine/machine.ts";
import { type ProbeSpec, pushProbe } from "./probe.ts";
import { mergeSamples, parseSamples, type Sample } from "./samples.ts";

const BIRTH_COUNT = 9;
const BIRTHS_TIMEOUT_MS = 300_000;
const INFANT: ProbeSpec = { name: "infant", slot: 7, memoryMib: 32, vcpuCount: 1 };

/** As many VMs one after the other; `name` is that of the figure. */
export async function measureBirths(machine: Machine, image: string, name: string): Promise<Sample> {
  await pushProbe(machine, image, INFANT);
  const text = await machine.run(DOM0, birthScript(), BIRTHS_TIMEOUT_MS);
  const samples = parseSamples(text);
  if (samples.length !== BIRTH_COUNT) throw new Error(`not ${BIRTH_COUNT} births:\n${text}`);
  return mergeSamples(name, samples);
}

function birthScript(): string {
  const { name } = INFANT;
  return [
    "set -e",
    `for birth in $(seq ${BIRTH_COUNT}); do`,
    `  xl create -q /run/vtz/${name}.cfg`,
    `  node=/local/domain/$(xl domid ${name})/vuart/0/tty`,
    '  until tty=$(xenstore-read $node 2>/dev/null) && [ -c "$tty" ]; do usleep 50000; done',
    '  timeout 20 head -n 1 "$tty"',
    `  xl destroy ${name}`,
    `  while xl domid ${name} >/dev/null 2>&1; do usleep 50000; done`,
    "done",
  ].join("\n");
}
