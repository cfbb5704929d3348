// What is taken from Debian, by purpose. `version` is what we tested with: taken while the suite has it, else
// the suite's current one; what was really taken is recorded beside every image (see host/images).

import { UserError } from "../errors.ts";

export interface PackageSpec {
  name: string;
  suite: Suite;
  version?: string;
}

export type Suite = "bookworm" | "trixie" | "sid";
export type TeeName = "optee-4.5" | "optee-4.10";
export type XenVersion = "4.20" | "4.17";

export const TEE_NAMES: readonly TeeName[] = ["optee-4.5", "optee-4.10"];

const XEN_4_20 = "4.20.3+127-gc42374a105-0+deb13u1";

export const HYPERVISOR: Record<XenVersion, PackageSpec[]> = {
  "4.20": [{ name: "xen-hypervisor-4.20-arm64", suite: "trixie", version: XEN_4_20 }],
  "4.17": [{ name: "xen-hypervisor-4.17-arm64", suite: "bookworm" }],
};

/** The kernel of dom0 and of the guests. The name carries the version; see `currentKernel` in fetch.ts. */
export const KERNEL: PackageSpec[] = [{ name: "linux-image-6.12.107+deb13-arm64", suite: "trixie" }];
export const KERNEL_METAPACKAGE: PackageSpec = { name: "linux-image-arm64", suite: "trixie" };

/** A shell, and Perl for the agent: neither would do alone (el1/agent/agent.pl). */
const BASE: PackageSpec[] = from("trixie", [
  "busybox-static",
  "perl-base",
  "libc6",
  "libcrypt1",
  "libgcc-s1",
]);

/** Programs and libraries of dom0: Xen's toolstack and what it is linked against. */
export const DOM0: PackageSpec[] = [
  ...BASE,
  ...from("trixie", ["zlib1g", "libzstd1", "liblzma5", "libuuid1", "libfdt1", "libyajl2"]),
  ...from("trixie", ["xenstore-utils"], XEN_4_20),
  ...from(
    "trixie",
    ["xen-utils-4.20", "libxenmisc4.20", "libxencall1", "libxendevicemodel1", "libxenevtchn1"],
    XEN_4_20,
  ),
  ...from("trixie", ["libxenforeignmemory1", "libxengnttab1", "libxenhypfs1", "libxenstore4"], XEN_4_20),
  ...from("trixie", ["libxentoolcore1", "libxentoollog1"], XEN_4_20),
];

const GUEST_BASE: PackageSpec[] = [...BASE, ...from("trixie", ["zlib1g", "libzstd1", "libssl3t64"])];

/** Programs of a guest: OP-TEE's client and test suite. Debian has no 4.10 client; 4.11's speaks to OP-TEE 4.10. */
export const GUEST: Record<TeeName, PackageSpec[]> = {
  "optee-4.5": [
    ...GUEST_BASE,
    ...from("trixie", ["libteec2", "libckteec0t64", "tee-supplicant", "optee-test-qemu"], "4.5.0-1"),
  ],
  "optee-4.10": [
    ...GUEST_BASE,
    ...from("sid", ["libteec2", "libckteec0t64", "tee-supplicant"], "4.11.0-1"),
    ...from("sid", ["optee-test-qemu"], "4.10.0-1"),
  ],
};

/** The TEE itself, and the SDK package that holds the PKCS#11 TA built with it. */
export const TEE: Record<TeeName, PackageSpec[]> = {
  "optee-4.5": from("trixie", ["optee-os", "optee-os-dev"], "4.5.0-2"),
  "optee-4.10": from("sid", ["optee-os", "optee-os-dev"], "4.10.0-2"),
};

export function teeNameOf(text: string): TeeName {
  const name = TEE_NAMES.find((candidate) => candidate === text);
  if (name === undefined)
    throw new UserError("unknown-tee", `no TEE is called ${text}`, `one of: ${TEE_NAMES.join(" ")}`);
  return name;
}

function from(suite: Suite, names: string[], version?: string): PackageSpec[] {
  return names.map((name) => (version === undefined ? { name, suite } : { name, suite, version }));
}
