// What `vtz up` is asked for: a JSON file, and options that go before it.

import { readFile } from "node:fs/promises";
import { TEE_NAMES } from "../../el1/tees/profiles.ts";
import { UserError } from "../errors.ts";
import { DISK_SIZE_MAX_MIB, type DiskSpec } from "../machine/disk.ts";
import type { GuestSpec, MachineOptions } from "../machine/machine.ts";
import { wholeNumber } from "./command.ts";

/** As written in the file; sizes in MiB, `pool` in guests. */
export interface UpConfig {
  readonly machine?: string;
  readonly tee?: string;
  readonly teeImage?: string;
  readonly profile?: string;
  readonly cores?: number;
  readonly ram?: number;
  readonly pool?: number;
  readonly files?: string;
  readonly guests?: readonly GuestWords[];
}

interface GuestWords {
  readonly name?: string;
  readonly vcpus?: number;
  readonly memory?: number;
  /** MiB, or a file that the disk begins as a copy of. */
  readonly disk?: number | string;
  readonly network?: boolean;
}

export interface UpRequest {
  readonly machine: Omit<MachineOptions, "lifetime">;
  readonly guests: readonly GuestSpec[];
}

const DEFAULT_GUESTS = 2;
const DEFAULT_VCPUS = 2;
const DEFAULT_MEMORY = 320;
const GUESTS_MAX = 8;
const MIB = 2 ** 20;

const WORDS = ["machine", "tee", "teeImage", "profile", "cores", "ram", "pool", "files", "guests"];
const WORDS_OF_GUEST = ["name", "vcpus", "memory", "disk", "network"];

/** Options as citty gives them: text, or absent. */
export type UpOptions = {
  readonly [Name in
    | "machine"
    | "guests"
    | "vcpus"
    | "memory"
    | "tee"
    | "tee-image"
    | "profile"
    | "files"
    | "cores"
    | "ram"
    | "pool"
    | "disk"]?: string | undefined;
} & { readonly network?: boolean | undefined };

export function resolveUp(options: UpOptions, config: UpConfig): UpRequest {
  const number = (name: "cores" | "ram" | "pool", fallback: number, min: number, max: number) =>
    wholeNumber(name, options[name] ?? String(config[name] ?? fallback), min, max);
  const guestFiles = options.files ?? config.files;
  return {
    machine: {
      name: options.machine ?? config.machine ?? "default",
      ...resolveTee(options, config),
      coreCount: number("cores", 2, 1, 8),
      ramSize: number("ram", 2048, 1024, 65536) * MIB,
      guestTeeCount: number("pool", 4, 1, GUESTS_MAX),
      ...(guestFiles === undefined ? {} : { guestFiles }),
    },
    guests: resolveGuests(options, config.guests),
  };
}

/** With a profile, a `tee` that is no name of ours is an image of that profile. */
function resolveTee(
  options: UpOptions,
  config: UpConfig,
): Pick<MachineOptions, "tee" | "teeImage" | "teeProfile"> {
  const teeProfile = options.profile ?? config.profile;
  const asked = options.tee ?? config.tee ?? TEE_NAMES[0]!;
  const tee = TEE_NAMES.find((name) => name === asked);
  const teeImage = options["tee-image"] ?? config.teeImage ?? (tee === undefined ? asked : undefined);
  if (tee === undefined && (teeProfile === undefined || teeImage !== asked)) {
    const hint = `one of: ${TEE_NAMES.join(" ")}; or an image of your own and --profile FILE.json`;
    throw new UserError("unknown-tee", `no TEE is called “${asked}”`, hint);
  }
  return {
    tee: tee ?? TEE_NAMES[0]!,
    ...(teeImage === undefined ? {} : { teeImage }),
    ...(teeProfile === undefined ? {} : { teeProfile }),
  };
}

function resolveGuests(options: UpOptions, listed: readonly GuestWords[] | undefined): GuestSpec[] {
  const count = wholeNumber("guests", options.guests ?? String(DEFAULT_GUESTS), 0, GUESTS_MAX);
  const words =
    options.guests === undefined && listed !== undefined ? listed : Array<GuestWords>(count).fill({});
  return words.map(({ name, vcpus, memory, disk, network }, index) => ({
    name: name ?? `guest${index + 1}`,
    vcpuCount: wholeNumber("vcpus", options.vcpus ?? String(vcpus ?? DEFAULT_VCPUS), 1, 4),
    memoryMib: wholeNumber("memory", options.memory ?? String(memory ?? DEFAULT_MEMORY), 128, 65536),
    ...resolveDisk(options.disk ?? disk),
    ...((options.network ?? network) === true ? { hasNetwork: true } : {}),
  }));
}

/** On the command line a number is a size too; a file of such a name is `./512`. */
function resolveDisk(words: string | number | undefined): { disk?: DiskSpec } {
  if (words === undefined) return {};
  if (typeof words === "string" && !/^\d+$/.test(words)) return { disk: { file: words } };
  return { disk: { sizeMib: wholeNumber("disk", String(words), 1, DISK_SIZE_MAX_MIB) } };
}

export async function readConfig(path: string): Promise<UpConfig> {
  const text = await readFile(path, "utf8").catch(() => {
    throw new UserError("no-file", `${path} cannot be read`, "give a JSON file: see `vtz up --help`");
  });
  try {
    return checkConfig(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError("bad-config", `${path} is not JSON: ${error.message}`);
  }
}

const TEXT_WORDS: readonly string[] = ["machine", "tee", "teeImage", "profile", "files", "name"];

function checkConfig(config: unknown): UpConfig {
  checkWords(config, WORDS, "the file");
  const { guests } = config as UpConfig;
  if (guests !== undefined && !Array.isArray(guests)) throw complaint("“guests” must be a list");
  for (const guest of guests ?? []) checkGuest(guest);
  const names = (guests ?? []).map(({ name }) => name).filter((name) => name !== undefined);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw complaint(`two guests are named “${twice}”`);
  return config as UpConfig;
}

function checkGuest(guest: GuestWords): void {
  checkWords(guest, WORDS_OF_GUEST, "a guest");
  const { disk = 1, network = false } = guest;
  if (typeof disk !== "number" && typeof disk !== "string")
    throw complaint("“disk” of a guest must be a number of MiB or a file");
  if (typeof network !== "boolean") throw complaint("“network” of a guest must be true or false");
}

function checkWords(value: unknown, known: readonly string[], of: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw complaint(`${of} must be an object`);
  for (const key of Object.keys(value))
    if (!known.includes(key)) throw complaint(`unknown word “${key}” of ${of}`);
  for (const [key, word] of Object.entries(value))
    if (TEXT_WORDS.includes(key) && typeof word !== "string")
      throw complaint(`“${key}” of ${of} must be a text`);
}

function complaint(what: string): UserError {
  const hint = `known words: ${WORDS.join(" ")}; of a guest: ${WORDS_OF_GUEST.join(" ")}`;
  return new UserError("bad-config", what, hint);
}
