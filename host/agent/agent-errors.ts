// What can go wrong between the host and an agent, said to the user.

import { explainFileError, UserError } from "../errors.ts";

export class TimeoutError extends Error {}

export function nameTimeout(error: unknown, what: string, timeoutMs: number | undefined): unknown {
  if (!(error instanceof TimeoutError)) return error;
  return new UserError("timeout", `not done within ${(timeoutMs ?? 0) / 1000} s: ${what}`);
}

export function localFileError(error: unknown, path: string): unknown {
  if ((error as NodeJS.ErrnoException).code === "ENOENT")
    return new UserError("no-such-file", `${path} is not there`, "check the path");
  return explainFileError(error, `reading ${path}`);
}

export function connectionLost(name: string, cause?: Error): UserError {
  return new UserError(
    "agent-lost",
    `the connection to ${name} is lost`,
    "vtz ps shows what still runs",
    cause,
  );
}

export function hasEnded(name: string): UserError {
  return new UserError("guest-ended", `${name} has ended`, "vtz ps; vtz logs");
}

export function notRunning(name: string, cause: Error): UserError {
  return new UserError("agent-absent", `cannot connect to ${name}`, "does the machine run? vtz ps", cause);
}

export function noAnswer(name: string): UserError {
  return new UserError(
    "agent-silent",
    `${name} does not answer`,
    "another vtz may hold it, or it does not run: vtz ps; vtz logs",
  );
}
