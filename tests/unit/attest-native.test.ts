// The attestation compartment as native code at S-EL0 on QEMU (el3/fixture/attest): the same bytes as its wasm's.

import assert from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import * as abi from "../../abi/attest-compartment.ts";
import { secureConsole } from "../../host/qemu/bare-machine.ts";
import { buildFirmware } from "../../host/toolchain/build-firmware.ts";
import { firmwareSources } from "../../host/toolchain/layout.ts";
import { COMPARTMENTS } from "../../sel0/manifest.ts";
import { evidenceOf, FIELDS, filled, signerOf } from "../drivers/evidence.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-attest-native-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("what it signs natively is what the document says, byte for byte", async () => {
  const { bin } = await buildFirmware({
    outDir: join(folder, "build"),
    sources: {
      ...firmwareSources,
      entry: "el3/fixture/attest/main.ts",
      interface: "el3/fixture/attest.gen.txt",
    },
    compartments: COMPARTMENTS.filter(({ name }) => name === "attest"),
  });

  const end = /[0-9a-f]+ [0-9a-f]{16}\n/;
  const options = { bin, folder, end, coreCount: 1, memoryMib: 128, isCounting: true };
  const [hex] = (await secureConsole(options)).split(" ");

  const info = abi.ATTEST_SIGNING_KEY_INFO;
  const signer = signerOf(new Uint8Array(hkdfSync("sha256", filled(1), filled(1), info, 32)));
  const expected = evidenceOf(signer, {
    ...FIELDS,
    nonce: filled(7),
    device: filled(1),
    verifiedBoot: false,
    debug: 0,
    packageVersion: 0n,
    guest: filled(abi.ATTEST_RECORD_GUEST),
    monitor: filled(abi.ATTEST_RECORD_MONITOR),
    hypervisor: filled(abi.ATTEST_RECORD_HYPERVISOR),
    tee: filled(abi.ATTEST_RECORD_TEE),
    teeName: "tee",
    teeVersion: "",
  });
  assert.equal(hex, Buffer.from(expected).toString("hex"));
});
