// The table of commands. Each is a file beside this one; only the one that is called is loaded.

import type { CommandTable } from "./run.ts";

export const COMMANDS: CommandTable = {
  demo: () => import("./demo.ts"),
  test: () => import("./test.ts"),
  up: () => import("./up.ts"),
  ps: () => import("./ps.ts"),
  tee: () => import("./tee.ts"),
  console: () => import("./console.ts"),
  exec: () => import("./exec.ts"),
  cp: () => import("./cp.ts"),
  logs: () => import("./logs.ts"),
  down: () => import("./down.ts"),
  attest: () => import("./attest.ts"),
  verify: () => import("./verify.ts"),
  doctor: () => import("./doctor.ts"),
  debug: () => import("./debug.ts"),
  decode: () => import("./decode.ts"),
  build: () => import("./build.ts"),
  harden: () => import("./harden.ts"),
  image: () => import("./image.ts"),
  keys: () => import("./keys.ts"),
  fuse: () => import("./fuse.ts"),
  tcb: () => import("./tcb.ts"),
  check: () => import("./check.ts"),
  bench: () => import("./bench.ts"),
  completion: () => import("./completion.ts"),
};
