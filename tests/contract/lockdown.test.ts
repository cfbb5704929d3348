// Lockdown: what the hypervisor's stage-1 tables must be like when its first VM runs, and what they are like afterwards. What is not as it must
// be stops the machine.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { FW_CFG_PA, SMMU_PA } from "../../abi/memory-map.ts";
import { PSCI_CPU_ON_64_FID } from "../../abi/smccc.ts";
import { assertFatal } from "../drivers/asserts.ts";
import { XEN_SCTLR, XEN_TCR } from "../drivers/hypervisor.ts";
import { anUnlockedMachine, type UnlockedMachine } from "../drivers/lab.ts";
import { directMapVa, imagePa, indexOf, stage1Leaf, tableEntry } from "../drivers/xen-memory.ts";
import { EL1H } from "../machine/core.ts";
import { word } from "../machine/source-words.ts";

interface Row {
  readonly name: string;
  readonly fatal: string;
  readonly change: (machine: UnlockedMachine) => void;
}

const MSR_TTBR0 = 0xd51c2000;
const MSR_SCTLR = 0xd51c1000;
const WATCH_TICKS = word("WATCH_TICKS");

/** The hypervisor has this entry in one of its tables. */
const put = ({ machine }: UnlockedMachine, tablePa: number, index: number, entry: bigint) =>
  machine.memory.write64(tablePa + index * 8, entry);

const ROWS: readonly Row[] = [
  {
    name: "a page that is writable and executable",
    fatal: "FATAL_STAGE1",
    change: (it) => put(it, it.hypervisor.tables.vmap, 40, stage1Leaf(0x60000000, 3, { execute: true })),
  },
  {
    name: "a block that is writable and executable",
    fatal: "FATAL_STAGE1",
    change: (it) => put(it, it.hypervisor.tables.second, 200, stage1Leaf(0x60000000, 2, { execute: true })),
  },
  {
    name: "a table that two entries name",
    fatal: "FATAL_STAGE1",
    change: (it) => put(it, it.hypervisor.tables.second, 200, tableEntry(it.hypervisor.tables.vmap)),
  },
  {
    name: "a table that names itself",
    fatal: "FATAL_STAGE1",
    change: (it) => put(it, it.hypervisor.tables.second, 200, tableEntry(it.hypervisor.tables.second)),
  },
  {
    name: "a table outside of RAM",
    fatal: "FATAL_STAGE1",
    change: (it) => put(it, it.hypervisor.tables.second, 200, tableEntry(0x0e000000)),
  },
  {
    name: "a table in the pool",
    fatal: "FATAL_STAGE1",
    change: (it) =>
      put(it, it.hypervisor.tables.second, 200, tableEntry(it.machine.bootPackage.poolPa + 0x14000)),
  },
  {
    name: "a page of the pool",
    fatal: "FATAL_STAGE1",
    change: (it) =>
      put(it, it.hypervisor.tables.vmap, 40, stage1Leaf(it.machine.poolTeePa, 3, { write: false })),
  },
  {
    name: "a block that reaches into the pool",
    fatal: "FATAL_STAGE1",
    change: (it) => put(it, it.hypervisor.tables.directFirst, 2, stage1Leaf(0x40000000, 1)),
  },
  ...[FW_CFG_PA, SMMU_PA, SMMU_PA + 0x1f000].map((pa) => ({
    name: `a forbidden device, 0x${pa.toString(16)}`,
    fatal: "FATAL_STAGE1",
    change: (it: UnlockedMachine) =>
      put(it, it.hypervisor.tables.fixmap, 9, stage1Leaf(pa, 3, { device: true })),
  })),
  {
    name: "a block of devices with a forbidden one in it",
    fatal: "FATAL_STAGE1",
    change: (it) => put(it, it.hypervisor.tables.second, 200, stage1Leaf(0x09000000, 2, { device: true })),
  },
  {
    name: "executable device memory",
    fatal: "FATAL_STAGE1",
    change: (it) =>
      put(it, it.hypervisor.tables.fixmap, 9, stage1Leaf(0x08000000, 3, { write: false, execute: true })),
  },
  {
    name: "an executable page that is a table",
    fatal: "FATAL_STAGE1",
    change: (it) =>
      put(
        it,
        it.hypervisor.tables.image,
        0x1ff,
        stage1Leaf(it.hypervisor.tables.fixmap, 3, { write: false, execute: true }),
      ),
  },
  {
    name: "a block that makes a table writable beside the direct map",
    fatal: "FATAL_STAGE1",
    change: (it) => put(it, it.hypervisor.tables.frameSecond, 3, stage1Leaf(imagePa(0), 2)),
  },
  {
    name: "no direct map",
    fatal: "FATAL_DIRECT_MAP",
    change: (it) => put(it, it.hypervisor.rootPa, indexOf(directMapVa(0x40000000), 0), 0n),
  },
  {
    name: "a direct map that starts at no multiple of 2 MiB",
    fatal: "FATAL_DIRECT_MAP",
    change: (it) => {
      put(it, it.hypervisor.rootPa, indexOf(directMapVa(0x40000000), 0), 0n);
      put(it, it.hypervisor.tables.vmap, 40, stage1Leaf(0x40000000, 3));
    },
  },
  {
    name: "a direct map that is out of order",
    fatal: "FATAL_DIRECT_MAP",
    change: (it) => put(it, it.hypervisor.tables.directSecond[0]!, 3, stage1Leaf(0x40800000, 2)),
  },
  {
    name: "a direct map that is out of order within the pages of one table",
    fatal: "FATAL_DIRECT_MAP",
    change: (it) => put(it, it.hypervisor.tables.directThird, 3, stage1Leaf(0x47e04000, 3)),
  },
  ...[0x00, 0x6f, 0xc7].flatMap((page) =>
    [0x000, 0x7fc, 0xffc].map((offset) => ({
      name: `a forbidden instruction, page 0x${page.toString(16)} at 0x${offset.toString(16)}`,
      fatal: "FATAL_FORBIDDEN_INSTRUCTION",
      change: ({ machine }: UnlockedMachine) =>
        machine.memory.write(imagePa(page) + offset, 4, BigInt(offset === 0 ? MSR_SCTLR : MSR_TTBR0)),
    })),
  ),
  {
    name: "another core with other tables",
    fatal: "FATAL_STAGE1",
    change: ({ machine, hypervisor, core }) => {
      hypervisor.call(core, PSCI_CPU_ON_64_FID, 1, 0x48000000);
      hypervisor.bootCore(machine.cores[1]!);
      hypervisor.writes(machine.cores[1]!, "TTBR0", BigInt(hypervisor.allocate()));
    },
  },
  {
    name: "another core with other vectors",
    fatal: "FATAL_STAGE1",
    change: ({ machine, hypervisor, core }) => {
      hypervisor.call(core, PSCI_CPU_ON_64_FID, 1, 0x48000000);
      hypervisor.bootCore(machine.cores[1]!);
      hypervisor.writes(machine.cores[1]!, "VBAR", 0xa0000200000n);
    },
  },
  ...(
    [
      ["SCTLR", XEN_SCTLR & ~word("SCTLR_EL2_WXN")],
      ["TCR", XEN_TCR | word("TCR_EL2_HD")],
      ["MAIR", 0n],
      ["VTCR", 0n],
    ] as const
  ).map(([register, value]) => ({
    name: `another core with another ${register}_EL2`,
    fatal: "FATAL_STAGE1_CONTROL",
    change: ({ machine, hypervisor, core }: UnlockedMachine) => {
      hypervisor.call(core, PSCI_CPU_ON_64_FID, 1, 0x48000000);
      hypervisor.bootCore(machine.cores[1]!);
      hypervisor.writes(machine.cores[1]!, register, value);
    },
  })),
  {
    name: "another core that has not come far enough to have tables",
    fatal: "FATAL_STAGE1",
    change: ({ hypervisor, core }) => hypervisor.call(core, PSCI_CPU_ON_64_FID, 1, 0x48000000),
  },
];

suite("a hypervisor that is not as it must be at lockdown stops the machine", () => {
  for (const { name, fatal, change } of ROWS) {
    test(name, async () => {
      const it = await anUnlockedMachine();
      change(it);
      assertFatal(it.lockDown, fatal);
    });
  }
});

suite("a hypervisor that loads a VM's root without asking never comes to lockdown: the watch finds it", () => {
  /** As Debian ships it: its own MSR, and the VM's first instruction. */
  const runUnasked = ({ machine, hypervisor, core }: UnlockedMachine) => {
    core.set("VTTBR_EL2", hypervisor.controlDomain.vttbr);
    core.pstate = EL1H;
    machine.ticks += WATCH_TICKS;
  };

  test("the instruction by which it does so is named", async () => {
    const it = await anUnlockedMachine();
    it.machine.memory.write(imagePa(0x6f) + 0x40, 4, BigInt(MSR_TTBR0));
    runUnasked(it);
    assertFatal(() => it.machine.fiq(it.core), "FATAL_FORBIDDEN_INSTRUCTION");
  });

  test("without such an instruction, the VM is", async () => {
    const it = await anUnlockedMachine();
    runUnasked(it);
    assertFatal(() => it.machine.fiq(it.core), "FATAL_NO_LOCKDOWN");
  });

  test("the hypervisor itself may take its time", async () => {
    const it = await anUnlockedMachine();
    for (let looks = 0; looks < 3; looks++) {
      it.machine.ticks += WATCH_TICKS;
      assert(it.machine.isTimerDue(it.core));
      it.machine.fiq(it.core);
    }
    it.lockDown();
    it.machine.ticks += WATCH_TICKS;
    assert(!it.machine.isTimerDue(it.core));
  });
});
