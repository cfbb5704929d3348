// From nothing to a machine whose dom0 answers: packages, firmware, files, QEMU, Xen, dom0.

import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { AgentClient } from "../agent/agent-client.ts";
import { explainFileError, UserError } from "../errors.ts";
import { DOM0_AGENT_PORT } from "../images/ports.ts";
import type { ImageInput } from "../images/prepare-images.ts";
import { makeFolder } from "../make-folder.ts";
import { NORMAL_UART_LOG, QEMU_BINARY, QMP_SOCKET, socketName } from "../qemu/command-line.ts";
import { type Lifetime, launchQemu, tail, watchDeath } from "../qemu/launch.ts";
import { endProcess, type ProcessIdentity } from "../qemu/process.ts";
import { QmpClient } from "../qemu/qmp.ts";
import { buildFirmware } from "../toolchain/build-firmware.ts";
import { layOutBoot } from "./boot-files.ts";
import { type BootImage, makeBootImage, openBootImage } from "./boot-image.ts";
import { DEVICE_FILE, type Device, findOrMakeDevice } from "./device.ts";
import { watchEpitaph } from "./epitaph.ts";
import {
  DEFAULTS,
  gatherParts,
  type ImageOptions,
  type ImageParts,
  makeHardenedImage,
  plainImage,
  versionFor,
} from "./image-parts.ts";
import { findKey, type SigningKey } from "./keys.ts";
import { SocketFolder } from "./sockets.ts";
import { type MachineState, machineFolder } from "./state.ts";

export interface MachineOptions extends ImageOptions {
  readonly name: string;
  readonly lifetime: Lifetime;
  /** A folder with a boot image (`vtz image`), instead of one that is made from the options. */
  readonly image?: string;
  /** False: plain Xen without firmware and TEEs, for work on images and the host side. */
  readonly hasMonitor?: boolean;
  /** True: QEMU waits at reset for gdb; nobody waits for dom0. */
  readonly isHalted?: boolean;
  /** QEMU's `edu` device, for tests of DMA. */
  readonly hasEdu?: boolean;
  /** Which key signs what boots (keys.ts). A machine obeys for ever the one of its first start. */
  readonly key?: string;
  /** Of the boot package: no lower than the machine's fuses say, or it is refused. */
  readonly packageVersion?: bigint;
  /** Called when all files of the machine are written, before it starts: tests damage them. */
  readonly onLaidOut?: (folder: string) => Promise<void>;
  readonly bootTimeoutMs?: number;
  readonly onProgress?: (line: string) => void;
  /** Called with QEMU's process as soon as there is one. */
  readonly onLaunch?: (process: ProcessIdentity) => void;
}

export async function bootMachine(options: MachineOptions): Promise<MachineState> {
  const { name, onProgress = () => undefined, hasMonitor = true } = options;
  const source = await bootSource(options, onProgress);
  const firmware = hasMonitor ? await prepareFirmware(options, onProgress) : undefined;
  const folder = machineFolder(name);
  const { image, command } = await prepareFolder(folder, source, firmware, options);
  await options.onLaidOut?.(folder);

  onProgress("starting QEMU");
  const process = await launch(folder, command, options);
  try {
    if (options.isHalted !== true)
      await waitForDom0(folder, process, options.bootTimeoutMs ?? DEFAULTS.bootTimeoutMs);
  } catch (error) {
    await endProcess(process);
    throw error;
  }
  onProgress(options.isHalted === true ? "QEMU is halted at reset" : "Xen and dom0 are up");
  return {
    version: 1,
    name,
    tee: image.tee,
    hasMonitor,
    coreCount: image.coreCount,
    ram: image.ram,
    startedAt: new Date().toISOString(),
    process,
    command: [QEMU_BINARY, ...command],
    inputs: source.inputs,
    guests: [],
  };
}

/** An image from a folder, or what one is made of. */
type BootSource =
  | { readonly image: BootImage; readonly inputs: readonly ImageInput[] }
  | { readonly parts: ImageParts; readonly inputs: readonly ImageInput[] };

async function bootSource(options: MachineOptions, onProgress: (line: string) => void): Promise<BootSource> {
  if (options.image !== undefined) return { image: await openBootImage(options.image), inputs: [] };
  const parts = await gatherParts(options, onProgress);
  return { parts, inputs: parts.inputs };
}

interface Firmware {
  readonly monitor: Uint8Array;
  readonly key: SigningKey;
  readonly device: Device;
}

async function prepareFirmware(
  options: MachineOptions,
  onProgress: (line: string) => void,
): Promise<Firmware> {
  onProgress("building the monitor");
  const { bin } = await buildFirmware();
  const key = await findKey(options.key);
  const device = await findOrMakeDevice(options.name, key.publicKey);
  return { monitor: await readFile(bin), key, device };
}

/** The folder of a machine that ran before is emptied, but for its fuses: its logs were kept until now. */
async function prepareFolder(
  folder: string,
  source: BootSource,
  firmware: Firmware | undefined,
  options: MachineOptions,
): Promise<{ image: BootImage; command: string[] }> {
  try {
    await makeFolder(folder);
    for (const file of await readdir(folder))
      if (file !== DEVICE_FILE) await rm(join(folder, file), { recursive: true, force: true });
    const image = "image" in source ? source.image : await makeImage(folder, source.parts, firmware, options);
    const { isHalted = false, isCounting = false, hasEdu = false } = options;
    const files = { image, options: { isHalted, isCounting, hasEdu } };
    const command = await layOutBoot(folder, firmware === undefined ? files : { ...files, firmware });
    return { image, command };
  } catch (error) {
    throw explainFileError(error, "writing the machine's files");
  }
}

function makeImage(
  folder: string,
  parts: ImageParts,
  firmware: Firmware | undefined,
  options: MachineOptions,
): Promise<BootImage> {
  if (firmware === undefined) return makeBootImage(folder, plainImage(parts));
  const { monitor, key, device } = firmware;
  const version = options.packageVersion ?? versionFor(device.minimumVersion);
  return makeHardenedImage(folder, parts, { monitor, key, packageVersion: version });
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
