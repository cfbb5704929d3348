// A compartment that tries what compartments may not, so that tests can see each boundary hold. Never in a shipped
// firmware: sel0/manifest.ts has it for tests only.

import {
  COMPARTMENT_MESSAGE_PTR,
  COMPARTMENT_MESSAGE_SIZE,
  COMPARTMENT_WINDOW_PTR,
} from "../../abi/compartments";
import {
  MISBEHAVE_DIVIDE,
  MISBEHAVE_LOAD,
  MISBEHAVE_LOOP,
  MISBEHAVE_NOT,
  MISBEHAVE_REMEMBER,
  MISBEHAVE_STORE,
  MISBEHAVE_SUM,
} from "../../abi/misbehaving-compartment";

const REMEMBERED: usize = memory.data(8, 8);

export function call(operation: u32, a: u64, b: u64, c: u64): u64 {
  switch (operation) {
    case MISBEHAVE_NOT:
      return behave(a + b + c);
    case MISBEHAVE_LOAD:
      return load<u64>(<usize>a);
    case MISBEHAVE_STORE:
      store<u64>(<usize>a, b);
      return 0;
    case MISBEHAVE_DIVIDE:
      return a / b;
    case MISBEHAVE_LOOP:
      return loop(a);
    case MISBEHAVE_REMEMBER:
      return remember(a);
    case MISBEHAVE_SUM:
      return sum(a + b);
    default:
      return unreachable();
  }
}

function behave(answer: u64): u64 {
  const message = <usize>COMPARTMENT_MESSAGE_PTR;
  for (let offset: usize = 0; offset < <usize>COMPARTMENT_MESSAGE_SIZE; offset++) {
    store<u8>(message + offset, load<u8>(message + offset) + 1);
  }
  return answer;
}

/** Xorshift never comes to 0, but a compiler does not know. */
function loop(turns: u64): u64 {
  let state: u64 = 1;
  let turn: u64 = 0;
  do {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    turn++;
  } while (turns === 0 ? state !== 0 : turn !== turns);
  return turn;
}

function remember(value: u64): u64 {
  const before = load<u64>(REMEMBERED);
  store<u64>(REMEMBERED, value);
  return before;
}

function sum(size: u64): u64 {
  let total: u64 = 0;
  for (let offset: usize = 0; offset < <usize>size; offset++)
    total += load<u8>(<usize>COMPARTMENT_WINDOW_PTR + offset);
  return total;
}
