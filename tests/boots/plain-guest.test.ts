// A VM that dom0's own toolstack makes, from a configuration that says nothing of TEEs: its Linux finds one.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as abi from "../../abi/guest-boot-compartment.ts";
import { GUEST_INITRD_PATH, GUEST_KERNEL_PATH } from "../../host/images/initrds.ts";
import { DOM0, Machine } from "../../host/machine/machine.ts";
import { timeScale } from "./rows.ts";

const MINUTE = 60_000 * timeScale;
const name = `test-plain-guest-${process.pid}`;

/** Its kernel's console is read in dom0 until its first process says whether there is a TEE. */
const script = (guest: string, vcpus: number) => `
cat >/tmp/${guest}.cfg <<END
name = "${guest}"
kernel = "${GUEST_KERNEL_PATH}"
ramdisk = "${GUEST_INITRD_PATH}"
vcpus = ${vcpus}
memory = 256
vuart = "sbsa_uart"
extra = "console=ttyAMA0"
END
xl create -q -p /tmp/${guest}.cfg && id=$(xl domid ${guest}) || exit 1
tty=
for _ in $(seq 100); do
	tty=$(xenstore-read /local/domain/$id/vuart/0/tty 2>/dev/null) && [ -n "$tty" ] && break
	usleep 50000
done
stty raw -echo <$tty
(timeout ${Math.round((4 * MINUTE) / 1000)} sed '/vtz-init. ready/q' <$tty) &
xl unpause $id
wait
xl destroy $id
`;

describe("a VM of a plain xl", { timeout: 12 * MINUTE }, () => {
  let machine: Machine;

  before(async () => {
    machine = await Machine.start({ name, tee: "optee-4.5", lifetime: "attached" });
  });

  after(async () => {
    await machine?.close();
    await Machine.remove(name);
  });

  // Not more than OP-TEE has cores: its driver probes on any of them.
  for (const vcpus of [1, 4]) {
    test(`with ${vcpus} vCPUs finds its TEE by the node that it was not given`, async () => {
      const guest = `plain${vcpus}`;

      const stdout = await machine.run(DOM0, script(guest, vcpus), 5 * MINUTE);

      assert.match(stdout, /optee: probing for conduit method/);
      assert.match(stdout, /optee: revision 4\.5/);
      assert.match(stdout, /ready, with a TEE/);
      const event = (await machine.status())!.events.findLast(({ kind }) => kind === "guest-tree")!;
      assert.equal(Number(event.arguments[0]), abi.GUEST_BOOT_DONE);
    });
  }
});
