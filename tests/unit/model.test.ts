// The model machine against what it models: imports, contexts, layouts. And the words of abi/status.ts against what really happens.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TRNG_RND_64_FID } from "../../abi/smccc.ts";
import * as abi from "../../abi/status.ts";
import { projectFolder } from "../../host/paths.ts";
import { deliverSmmuInterrupt } from "../drivers/exceptions.ts";
import { aBootPackage, aKeySite, aLab, FAST_CALL } from "../drivers/lab.ts";
import { aPartitionLab, RAM_IPA } from "../drivers/partition.ts";
import { EL1_REGISTERS } from "../machine/contexts.ts";
import { fatalCodes } from "../machine/errors.ts";
import { imports } from "../machine/hw.ts";
import { Machine } from "../machine/machine.ts";
import { importNames, monitorModule } from "../machine/monitor.ts";
import { buffers, declaredImports, size, structure } from "../machine/source-words.ts";

test("every import that hw.ts declares has its counterpart, so has every one of the build", async () => {
  const module = await monitorModule();
  const machine = new Machine(module, aBootPackage());
  const { hw } = imports(machine, declaredImports());
  const known = Object.keys(hw!);
  assert.deepEqual(known, declaredImports());
  for (const name of importNames(module.monitor)) assert(known.includes(name), name);
});

test("context.S and El1Context agree on every register's place", () => {
  const fields = [...structure("El1Context")].map(([name, { offset }]) => [offset, name.toLowerCase()]);
  const saved = [...EL1_REGISTERS].map(([offset, name]) => [offset, name.toLowerCase().replaceAll("_", "")]);
  assert.deepEqual(saved, fields);
});

test("the parts of a world's context do not overlap, and the buffers hold them all", () => {
  const end = (name: string) =>
    Math.max(...[...structure(name).values()].map((field) => field.offset + field.size));
  assert(end("CoreArea") <= size("WORLD_FRAME"));
  assert(end("TeeCore") <= size("WORLD_FRAME"));
  assert(size("WORLD_FRAME") + end("ExceptionFrame") <= size("WORLD_EL1"));
  assert(size("WORLD_EL1") + end("El1Context") <= size("WORLD_GIC"));
  assert(size("WORLD_GIC") + 32 + 16 * 8 <= size("WORLD_FP"));
  assert(size("WORLD_FP") + size("FP_CONTEXT_SIZE") <= size("WORLD_CONTEXT_SIZE"));
  assert(end("Guest") <= size("GUEST_CONSOLE"));
  assert(size("GUEST_CONSOLE") + size("GUEST_CONSOLE_SIZE") <= size("GUEST_RECORD_SIZE"));
  assert(end("Machine") <= buffers().get("MACHINE")!);
  assert(size("CORE_MAX") * size("WORLD_CONTEXT_SIZE") <= buffers().get("CORE_AREAS")!);
  assert(size("GUEST_MAX") * size("GUEST_RECORD_SIZE") <= buffers().get("GUESTS")!);
  assert(
    size("GUEST_MAX") * size("TEE_CORE_MAX") * size("WORLD_CONTEXT_SIZE") <= buffers().get("TEE_CORES")!,
  );
});

test("every EVENT_* word is recorded by something", async () => {
  const lab = await aLab({ guests: 1 });
  const vm = lab.aGuest({ vcpus: 2 });
  lab.machine.forcedEnd = "abort";
  lab.guestCalls(0, TRNG_RND_64_FID, 64);
  lab.runVcpu(lab.aVm().vcpus[0]!, 1); // the pool is full
  lab.hypervisor.interrupt(lab.core(1));
  lab.runVcpu(vm.vcpus[1]!, 1);
  lab.guestCalls(1, FAST_CALL);
  lab.tee(1).coreOnDone();
  lab.tee(1).wfi();
  for (const core of [0, 1]) lab.hypervisor.interrupt(lab.core(core));
  lab.hypervisor.destroy(lab.core(0), vm);
  lab.hypervisor.writes(lab.core(0), "VTTBR", 0x0e000000n);
  lab.machine.smmu.access(0, lab.machine.poolTeePa);
  lab.machine.smmu.set("GERROR", 4);
  deliverSmmuInterrupt(lab.machine);

  const adapted = await aLab({ keySite: aKeySite() });
  adapted.aGuest();
  const partition = await aPartitionLab();
  partition.secure(RAM_IPA);
  partition.release();

  const words = Object.keys(abi).filter(
    (name) => /^EVENT_/.test(name) && !/_(BASE|SIZE|SLOTS|TICKS|KIND|GUEST|ARGUMENT_\d)$/.test(name),
  );
  const seen = new Set(
    [lab, adapted, partition.lab]
      .flatMap(({ eventKinds }) => eventKinds)
      .map((kind) => `EVENT_${kind.replaceAll("-", "_").toUpperCase()}`),
  );
  assert.deepEqual(
    words.filter((name) => !seen.has(name)),
    [],
  );
});

test("every FATAL_* word is the end of some test, but for those that only the assembly or a broken GIC can reach", () => {
  const folder = join(projectFolder, "tests/contract");
  const text = readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");
  const others = ["FATAL_TRAP", "FATAL_EXCEPTION", "FATAL_INTERRUPT"];
  assert.deepEqual(
    [...fatalCodes().keys()].filter((name) => !others.includes(name) && !text.includes(`"${name}"`)),
    [],
  );
});
