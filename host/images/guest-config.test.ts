import assert from "node:assert/strict";
import { test } from "node:test";
import { findNode } from "../formats/device-tree.ts";
import { decodeDeviceTree } from "../formats/fdt.ts";
import { type GuestSpec, guestConfig, guestFilePaths, guestPartialDeviceTree } from "./guest-config.ts";
import { allPorts } from "./ports.ts";

const SPEC: GuestSpec = { name: "alpha", slot: 0, vcpuCount: 2, memoryMib: 256 };

test("a guest's configuration says what was asked for", () => {
  const config = guestConfig({ ...SPEC, extra: "loglevel=8" });
  assert.match(config, /^name = "alpha"$/m);
  assert.match(config, /^vcpus = 2$/m);
  assert.match(config, /^memory = 256$/m);
  assert.match(config, /^extra = ".*console=ttyAMA0.* loglevel=8"$/m);
  assert.ok(config.includes(`device_tree = "${guestFilePaths("alpha").deviceTree}"`));
});

test("a guest has a disk and a network card only when asked, each of its slot", () => {
  const config = guestConfig({ ...SPEC, slot: 3, disk: { start: 0, size: 4096 }, hasNetwork: true });
  assert.match(config, /^disk = \["phy:\/dev\/vda4,xvda,w"\]$/m);
  assert.match(config, /^vif = \["bridge=xenbr0,mac=00:16:3e:00:00:03"\]$/m);
  assert.match(config, /^extra = ".* vtz\.ip=10\.0\.2\.23"$/m);
  assert.doesNotMatch(guestConfig(SPEC), /^disk|^vif|vtz\.ip/m);
});

const wrong: [Partial<GuestSpec>, string][] = [
  [{ name: 'a"\nkernel = "/x' }, "bad-guest-name"],
  [{ name: "" }, "bad-guest-name"],
  [{ slot: 8 }, "too-many-guests"],
  [{ vcpuCount: 0 }, "bad-vcpus"],
  [{ memoryMib: 64 }, "bad-memory"],
  [{ extra: 'a" b' }, "bad-extra"],
];

for (const [change, code] of wrong) {
  test(`${JSON.stringify(change)} is refused as ${code}`, () => {
    assert.throws(() => guestConfig({ ...SPEC, ...change }), { code });
  });
}

test("the partial device tree holds the guest's identity where libxl copies from, and no node for a TEE", () => {
  const identities = ["alpha", "beta", "alpha"].map((name) => {
    const { root } = decodeDeviceTree(guestPartialDeviceTree(name));
    const passthrough = findNode({ root, reservations: [], bootCpu: 0 }, "/passthrough")!;
    assert.deepEqual(passthrough.children, []);
    return Buffer.from(passthrough.properties.get("vtz,guest-identity")!).toString("hex");
  });
  assert.match(identities[0]!, /^[0-9a-f]{64}$/);
  assert.notEqual(identities[0], identities[1]);
  assert.equal(identities[0], identities[2]);
});

test("every port has a name of its own", () => {
  const names = allPorts(8).map((port) => port.name);
  assert.equal(new Set(names).size, 25);
  assert.equal(names[0], "vtz.dom0");
});
