// QEMU's command line, from a description of the machine. Everything that QEMU is told stands here.

import type { PortSpec } from "../images/ports.ts";

export interface QemuMachine {
  readonly boot: FirmwareBoot | DirectBoot;
  readonly coreCount: number;
  readonly ramSize: number;
  /** Raw files that QEMU puts into RAM before reset. */
  readonly loads: readonly { readonly path: string; readonly addressPa: number }[];
  /** virtio-serial ports of dom0: sockets `<name>.sock`, files `<name>.log`. */
  readonly ports: readonly PortSpec[];
  /** dom0's PCIe disk: a raw file in the machine's folder. */
  readonly diskFile: string;
  /** What QEMU's network serves by tftp to dom0's PCIe network card: a folder in the machine's folder. */
  readonly tftpFolder: string;
  readonly options?: QemuOptions;
}

/** Secure flash with the monitor; the device tree lies in RAM like the other loads. */
export interface FirmwareBoot {
  readonly kind: "firmware";
  readonly flashPath: string;
}

/** No EL3 at all: QEMU answers PSCI and starts the hypervisor itself. For development. */
export interface DirectBoot {
  readonly kind: "direct";
  readonly kernelPath: string;
  readonly deviceTreePath: string;
}

export interface QemuOptions {
  /** Halted at reset, waiting for gdb at `gdb.sock`. */
  readonly isHalted?: boolean;
  /** Virtual time counts instructions: repeatable figures, one thread. */
  readonly isCounting?: boolean;
  /** QEMU's `edu` device, whose DMA a program in dom0 can direct anywhere: for tests. */
  readonly hasEdu?: boolean;
}

export const QEMU_BINARY = "qemu-system-aarch64";
export const QMP_SOCKET = "qmp.sock";
export const GDB_SOCKET = "gdb.sock";
/** The console of Xen and dom0. */
export const NORMAL_UART_SOCKET = "uart-normal.sock";
export const NORMAL_UART_LOG = "uart-normal.log";
export const SECURE_UART_LOG = "uart-secure.log";

const MIB = 1024 * 1024;
const CPU = "cortex-a57";

/** For every virtio device: its DMA is translated by what stands before it on the bus, if anything does. */
const VIRTIO = "disable-legacy=on,iommu_platform=on";

/** QEMU's configuration interface would read and write memory by itself, past the SMMU. */
const FW_CFG_WITHOUT_DMA = ["-global", "fw_cfg_mem.dma_enabled=off"];

/** `-M` of the machine; the device tree must be dumped from the same words. With firmware there is an SMMU, which is the
 * monitor's. Without ITS: its tables would be DMA that no SMMU sees; INTx serves. */
export function machineWords(boot: QemuMachine["boot"]["kind"]): string {
  const [secure, smmu] = boot === "firmware" ? ["secure=on,", ",iommu=smmuv3"] : ["", ""];
  return `virt,${secure}virtualization=on,gic-version=3,its=off${smmu}`;
}

/** What of the machine its device tree describes, besides `machineWords`. */
export function hardwareWords({ coreCount, ramSize }: { coreCount: number; ramSize: number }): string[] {
  return ["-cpu", CPU, "-smp", String(coreCount), "-m", String(ramSize / MIB)];
}

/** Socket and log names are relative: QEMU runs in the machine's folder, whose own path may be long. */
export function qemuArguments(machine: QemuMachine): string[] {
  const { boot, options = {} } = machine;
  return [
    ["-nodefaults", "-no-user-config", "-no-reboot"],
    ["-display", "none"],
    ["-M", `${machineWords(boot.kind)}${options.hasEdu === true ? EDU_MACHINE : ""}`],
    hardwareWords(machine),
    FW_CFG_WITHOUT_DMA,
    timing(options),
    bootFrom(boot),
    ...machine.loads.map(({ path, addressPa }) => [
      "-device",
      `loader,file=${escapeComma(path)},addr=0x${addressPa.toString(16)},force-raw=on`,
    ]),
    ["-chardev", `socket,id=uart0,path=${NORMAL_UART_SOCKET},server=on,wait=off,logfile=${NORMAL_UART_LOG}`],
    ["-serial", "chardev:uart0"],
    boot.kind === "firmware" ? ["-serial", `file:${SECURE_UART_LOG}`] : [],
    ["-chardev", `socket,id=qmp,path=${QMP_SOCKET},server=on,wait=off`],
    ["-mon", "chardev=qmp,mode=control"],
    ...serialPorts(machine.ports),
    disk(machine.diskFile),
    network(machine.tftpFolder),
    options.hasEdu === true ? EDU : [],
    options.isHalted === true ? haltForGdb() : [],
  ].flat();
}

export function quoteCommand(words: readonly string[]): string {
  return words.map(quoteWord).join(" ");
}

function timing({ isCounting = false }: QemuOptions): string[] {
  return isCounting
    ? ["-accel", "tcg,thread=single,tb-size=256", "-icount", "shift=0,sleep=off"]
    : ["-accel", "tcg,thread=multi,tb-size=256"];
}

function bootFrom(boot: QemuMachine["boot"]): string[] {
  return boot.kind === "firmware"
    ? ["-bios", boot.flashPath]
    : ["-kernel", boot.kernelPath, "-dtb", boot.deviceTreePath];
}

/** Ports with a higher number than 16 stay dumb in Debian's Linux under Xen: further ones get a device of their own. */
const PORTS_PER_DEVICE = 16;

function serialPorts(ports: readonly PortSpec[]): string[][] {
  const words: string[][] = [];
  for (let first = 0; first < ports.length; first += PORTS_PER_DEVICE) {
    const bus = `channels${first / PORTS_PER_DEVICE}`;
    // Port 0 of a virtio-serial device is reserved for its console.
    words.push(["-device", `virtio-serial-pci,${VIRTIO},id=${bus},max_ports=${PORTS_PER_DEVICE + 1}`]);
    ports.slice(first, first + PORTS_PER_DEVICE).forEach(({ name, kind }, offset) => {
      const index = first + offset;
      words.push(
        ["-chardev", kind === "socket" ? socketBackend(index, name) : fileBackend(index, name)],
        ["-device", `virtserialport,bus=${bus}.0,nr=${offset + 1},chardev=port${index + 1},name=${name}`],
      );
    });
  }
  return words;
}

function socketBackend(index: number, name: string): string {
  return `socket,id=port${index + 1},path=${socketName(name)},server=on,wait=off`;
}

function fileBackend(index: number, name: string): string {
  return `file,id=port${index + 1},path=${fileName(name)}`;
}

export function socketName(port: string): string {
  return `${port}.sock`;
}

export function fileName(port: string): string {
  return `${port}.log`;
}

function disk(path: string): string[] {
  const file = `driver=file,node-name=disk-file,filename=${escapeComma(path)},discard=unmap`;
  const raw = "driver=raw,node-name=disk,file=disk-file,discard=unmap";
  return ["-blockdev", file, "-blockdev", raw, "-device", `virtio-blk-pci,${VIRTIO},drive=disk`];
}

/** A network that ends in QEMU: no packet reaches the host or leaves it. `romfile=`: no boot ROM is looked for. */
function network(tftpFolder: string): string[] {
  const backend = `user,id=network,restrict=on,tftp=${escapeComma(tftpFolder)}`;
  return ["-netdev", backend, "-device", `virtio-net-pci,${VIRTIO},netdev=network,romfile=`];
}

/** It would cut addresses to 28 bits: RAM begins behind them. */
const EDU = ["-device", "edu,dma_mask=0xffffffffff"];
/** `edu` insists on a machine that has MSI. The ITS is in no device tree, as that is dumped without this. */
const EDU_MACHINE = ",its=on";

function haltForGdb(): string[] {
  return ["-S", "-chardev", `socket,id=gdb,path=${GDB_SOCKET},server=on,wait=off`, "-gdb", "chardev:gdb"];
}

// QEMU's option syntax: a comma inside a value is doubled.
function escapeComma(text: string): string {
  return text.replaceAll(",", ",,");
}

function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
