// From nothing to a machine whose dom0 answers: packages, firmware, files, QEMU, Xen, dom0.

import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { TEE_PROFILES, type TeeName, type TeeProfile } from "../../el1/tees/profiles.ts";
import { AgentClient } from "../agent/agent-client.ts";
import { explainFileError, UserError } from "../errors.ts";
import { DOM0_AGENT_PORT } from "../images/ports.ts";
import { type ImageSet, prepareImages } from "../images/prepare-images.ts";
import { makeFolder } from "../make-folder.ts";
import { NORMAL_UART_LOG, QEMU_BINARY, QMP_SOCKET, socketName } from "../qemu/command-line.ts";
import { type Lifetime, launchQemu, tail, watchDeath } from "../qemu/launch.ts";
import { endProcess, type ProcessIdentity } from "../qemu/process.ts";
import { QmpClient } from "../qemu/qmp.ts";
import { hardenXen } from "../rewriter/harden.ts";
import { buildFirmware } from "../toolchain/build-firmware.ts";
import { type BootFiles, type FirmwareOptions, layOutBoot } from "./boot-files.ts";
import { DEVICE_FILE, findOrMakeDevice } from "./device.ts";
import { watchEpitaph } from "./epitaph.ts";
import { readTee, UNKNOWN_VERSION } from "./flash.ts";
import { findKey } from "./keys.ts";
import { layOutRam, type RamLayout } from "./ram-layout.ts";
import { SocketFolder } from "./sockets.ts";
import { type MachineState, machineFolder, writeAtomically } from "./state.ts";
import { readTeeProfile } from "./tee-profile.ts";

export interface MachineOptions {
  readonly name: string;
  readonly tee: TeeName;
  readonly lifetime: Lifetime;
  readonly coreCount?: number;
  readonly ramSize?: number;
  /** In MiB, as Xen counts. */
  readonly dom0Memory?: number;
  /** How many guests with a TEE the pool can hold. */
  readonly guestTeeCount?: number;
  /** A folder laid over the root of every guest. */
  readonly guestFiles?: string;
  /** A TEE image of one's own, for the profile that `tee` names or `teeProfile` describes. */
  readonly teeImage?: string;
  /** A file that describes a TEE kernel (tee-profile.ts); the guests' packages stay those of `tee`. */
  readonly teeProfile?: string;
  /** False: plain Xen without firmware and TEEs, for work on images and the host side. */
  readonly hasMonitor?: boolean;
  /** True: QEMU waits at reset for gdb; nobody waits for dom0. */
  readonly isHalted?: boolean;
  readonly isCounting?: boolean;
  /** QEMU's `edu` device, for tests of DMA. */
  readonly hasEdu?: boolean;
  /** A hypervisor of one's own, taken as it is: whoever gives it has hardened it, or wants to see what happens. */
  readonly hypervisor?: string;
  /** Which key signs what boots (keys.ts). A machine obeys for ever the one of its first start. */
  readonly key?: string;
  /** Of the boot package: no lower than the machine's fuses say, or it is refused. */
  readonly packageVersion?: bigint;
  /** Called when all files of the machine are written, before it starts: tests damage them. */
  readonly onLaidOut?: (folder: string) => Promise<void>;
  /** Appended to Xen's command line. */
  readonly xenArguments?: string;
  readonly bootTimeoutMs?: number;
  readonly onProgress?: (line: string) => void;
  /** Called with QEMU's process as soon as there is one. */
  readonly onLaunch?: (process: ProcessIdentity) => void;
}

const HARDENED_XEN = "xen-hardened.bin";
/** Of the packages that this release makes; raised when an older one must not boot any more. */
export const PACKAGE_VERSION = 1n;
const MIB = 2 ** 20;
export const DEFAULTS = {
  coreCount: 2,
  ramSize: 2048 * MIB,
  dom0Memory: 512,
  guestTeeCount: 4,
  bootTimeoutMs: 120_000,
} as const;

export async function bootMachine(options: MachineOptions): Promise<MachineState> {
  const { name, tee, onProgress = () => undefined, hasMonitor = true } = options;
  const settings = { ...DEFAULTS, ...withoutUndefined(options) };
  const profile = options.teeProfile === undefined ? undefined : await readTeeProfile(options.teeProfile);
  const ram = layOutRam(settings.ramSize, settings.guestTeeCount);
  const images = await prepareImages({
    tee,
    onProgress,
    ...(options.guestFiles === undefined ? {} : { guestFiles: options.guestFiles }),
  });
  const files: BootFiles = {
    hypervisor: options.hypervisor ?? images.xen,
    dom0Kernel: images.kernel,
    dom0Initrd: images.dom0Initrd,
    coreCount: settings.coreCount,
    ramSize: settings.ramSize,
    dom0Memory: settings.dom0Memory,
    ...(options.xenArguments === undefined ? {} : { xenArguments: options.xenArguments }),
    options: {
      isHalted: options.isHalted === true,
      isCounting: options.isCounting === true,
      hasEdu: options.hasEdu === true,
    },
    ...(hasMonitor ? { firmware: await firmwareOptions(options, profile, images, ram, onProgress) } : {}),
  };
  const folder = machineFolder(name);
  // The monitor takes the calls of a hardened one; on a machine without it the hypervisor stays as it was shipped.
  const command = await prepareFolder(folder, files, hasMonitor && options.hypervisor === undefined);
  await options.onLaidOut?.(folder);

  onProgress("starting QEMU");
  const process = await launch(folder, command, options);
  try {
    if (options.isHalted !== true) await waitForDom0(folder, process, settings.bootTimeoutMs);
  } catch (error) {
    await endProcess(process);
    throw error;
  }
  onProgress(options.isHalted === true ? "QEMU is halted at reset" : "Xen and dom0 are up");
  return {
    version: 1,
    name,
    tee: profile?.name ?? tee,
    hasMonitor,
    coreCount: settings.coreCount,
    ram,
    startedAt: new Date().toISOString(),
    process,
    command: [QEMU_BINARY, ...command],
    inputs: images.inputs,
    guests: [],
  };
}

async function firmwareOptions(
  options: MachineOptions,
  profile: TeeProfile | undefined,
  images: ImageSet,
  ram: RamLayout,
  onProgress: (line: string) => void,
): Promise<FirmwareOptions> {
  onProgress("building the monitor");
  const { bin } = await buildFirmware();
  const { versions } = images;
  const tee = await readTee(
    options.teeImage ?? images.teeImage,
    profile ?? TEE_PROFILES[images.tee],
    options.teeImage === undefined ? versions.tee : UNKNOWN_VERSION,
  );
  const key = await findKey(options.key);
  const device = await findOrMakeDevice(options.name, key.publicKey);
  const newest = device.minimumVersion > PACKAGE_VERSION ? device.minimumVersion : PACKAGE_VERSION;
  return {
    monitor: await readFile(bin),
    tees: [tee],
    ram,
    versions: {
      hypervisor: options.hypervisor === undefined ? versions.xen : UNKNOWN_VERSION,
      dom0Kernel: versions.kernel,
      dom0Initrd: versions.dom0Initrd,
    },
    packageVersion: options.packageVersion ?? newest,
    ...{ key, device },
  };
}

/** The folder of a machine that ran before is emptied, but for its fuses: its logs were kept until now. */
async function prepareFolder(folder: string, files: BootFiles, mustBeHardened: boolean): Promise<string[]> {
  try {
    await makeFolder(folder);
    for (const file of await readdir(folder))
      if (file !== DEVICE_FILE) await rm(join(folder, file), { recursive: true, force: true });
    if (!mustBeHardened) return await layOutBoot(folder, files);
    const { image } = hardenXen(await readFile(files.hypervisor));
    await writeAtomically(join(folder, HARDENED_XEN), image);
    return await layOutBoot(folder, { ...files, hypervisor: HARDENED_XEN });
  } catch (error) {
    throw explainFileError(error, "writing the machine's files");
  }
}

async function launch(folder: string, command: string[], options: MachineOptions): Promise<ProcessIdentity> {
  const sockets = new SocketFolder(folder);
  const isReady = async () => {
    try {
      (await QmpClient.connect(sockets.path(QMP_SOCKET))).close();
      return true;
    } catch {
      return false;
    }
  };
  try {
    return await launchQemu(command, folder, options.lifetime, isReady, options.onLaunch);
  } finally {
    sockets.close();
  }
}

async function waitForDom0(folder: string, process: ProcessIdentity, timeoutMs: number): Promise<void> {
  const sockets = new SocketFolder(folder);
  const abort = new AbortController();
  const { signal } = abort;
  try {
    const path = sockets.path(socketName(DOM0_AGENT_PORT));
    const connecting = AgentClient.connect(path, { name: "dom0", timeoutMs, signal });
    connecting.catch(() => undefined);
    const ends = [watchDeath(process, folder, signal), watchEpitaph(folder, signal)];
    const agent = await Promise.race([connecting, ...ends]);
    agent.close();
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "agent-silent") throw error;
    const log = join(folder, NORMAL_UART_LOG);
    const message = `dom0 did not answer within ${timeoutMs / 1000} s; the console's last lines:\n${tail(log, 15)}`;
    throw new UserError("boot-failed", message, `the whole console is in ${log}`);
  } finally {
    abort.abort();
    sockets.close();
  }
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}
