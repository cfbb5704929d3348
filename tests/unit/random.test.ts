// The compartment of random numbers (sel0/random) by itself, against a model with Node's HMAC.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { COMPARTMENT_MESSAGE_PTR, COMPARTMENT_STATICS_PTR } from "../../abi/compartments.ts";
import * as abi from "../../abi/random-compartment.ts";
import { aCompartment, type CompartmentLab } from "../drivers/compartment.ts";
import { NodeDrbg } from "../drivers/node-drbg.ts";

const USED_MEMORY_END = 0x20000;
const SEED = new Uint8Array(40).map((_, index) => index * 7);
const WORLDS = [abi.RANDOM_WORLD_NORMAL, abi.RANDOM_WORLD_SECURE];

const word = (...values: (bigint | number)[]) =>
  Buffer.from(new Uint8Array(BigUint64Array.from(values.map(BigInt)).buffer));

class Random {
  readonly lab: CompartmentLab<{ call(operation: number, a: bigint, b: bigint, c: bigint): bigint }>;

  constructor(lab: Random["lab"]) {
    this.lab = lab;
  }

  call(operation: number, a: bigint | number, b: bigint | number = 0, c: bigint | number = 0): number {
    return Number(this.lab.exports.call(operation, BigInt(a), BigInt(b), BigInt(c)));
  }

  seed(seed: Uint8Array = SEED, timestamp = 1n): number {
    this.lab.message.set(seed);
    return this.call(abi.RANDOM_SEED, seed.length, timestamp);
  }

  /** The bits as one number, as TRNG_RND64 has them. */
  generate(slot = 0, world = 0, bits = 192, sample = 0n): bigint {
    this.lab.message.fill(0xee, 0, abi.RANDOM_OUTPUT_SIZE);
    this.lab.message.set(word(sample));
    assert.equal(this.call(abi.RANDOM_GENERATE, bits, slot, world), abi.RANDOM_DONE);
    return this.output();
  }

  output(): bigint {
    const view = new DataView(this.lab.memory.buffer, COMPARTMENT_MESSAGE_PTR, abi.RANDOM_OUTPUT_SIZE);
    return [0, 8, 16].reduce((sum, at) => sum | (view.getBigUint64(at, true) << BigInt(8 * at)), 0n);
  }

  /** All that it could have changed. */
  memory(): Buffer {
    return Buffer.from(this.lab.memory.slice(0, USED_MEMORY_END));
  }

  statics(): Buffer {
    return this.memory().subarray(COMPARTMENT_STATICS_PTR);
  }
}

async function aRandom(isSeeded = true): Promise<Random> {
  const random = new Random(await aCompartment("sel0/random/main.ts"));
  if (isSeeded) assert.equal(random.seed(), abi.RANDOM_DONE);
  return random;
}

const numberOf = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex") || "0"}`);

/** What abi/random-compartment.ts and the README say, again. */
class Model {
  root: NodeDrbg;
  inputCount = 1;
  madeCount = 0;
  drawn: Uint8Array = new Uint8Array(0);
  readonly generators = new Map<string, { drbg: NodeDrbg; inputCount: number }>();

  constructor(seed: Uint8Array, timestamp: bigint) {
    this.root = new NodeDrbg(Buffer.concat([seed, word(timestamp), Buffer.from("vTZ rng1")]));
  }

  seed(seed: Uint8Array, timestamp: bigint): void {
    this.root.update(Buffer.concat([seed, word(timestamp)]));
    this.inputCount++;
  }

  mix(sample: bigint): void {
    this.root.generate(0, word(sample));
    this.inputCount++;
  }

  draw(size: number): Uint8Array {
    this.drawn = Buffer.from(this.root.generate(size, new Uint8Array(0)), "hex");
    return this.drawn;
  }

  generate(slot: number, world: number, bits: number, sample: bigint): bigint {
    const name = `${slot} ${world}`;
    const { inputCount } = this;
    const known = this.generators.get(name);
    if (known === undefined) {
      const drbg = new NodeDrbg(Buffer.concat([this.draw(48), word(slot, world, this.madeCount++)]));
      this.generators.set(name, { drbg, inputCount });
    } else if (known.inputCount !== inputCount) {
      known.drbg.update(this.draw(32));
      known.inputCount = inputCount;
    }
    const output = this.generators.get(name)!.drbg.generate(Math.ceil(bits / 8), word(sample));
    return numberOf(Buffer.from(output, "hex")) & (2n ** BigInt(bits) - 1n);
  }

  forget(slot: number): void {
    for (const world of WORLDS) this.generators.delete(`${slot} ${world}`);
  }
}

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const slots = fc.constantFrom(0, 1, 63);

test("any history of operations gives what the model gives", async () => {
  const act = fc.oneof(
    fc.record({
      kind: fc.constant("generate" as const),
      slot: slots,
      world: fc.constantFrom(...WORLDS),
      bits: fc.integer({ min: 1, max: 192 }),
      sample: u64,
    }),
    fc.record({ kind: fc.constant("mix" as const), sample: u64 }),
    fc.record({ kind: fc.constant("forget" as const), slot: slots }),
    fc.record({ kind: fc.constant("seed" as const), seed: fc.uint8Array({ minLength: 32 }), when: u64 }),
  );
  const random = await aRandom();
  const start = random.memory();
  fc.assert(
    fc.property(fc.array(act, { maxLength: 12 }), (acts) => {
      random.lab.memory.set(start);
      const model = new Model(SEED, 1n);
      for (const it of acts) {
        if (it.kind === "generate") {
          const { slot, world, bits, sample } = it;
          assert.equal(random.generate(slot, world, bits, sample), model.generate(slot, world, bits, sample));
        } else if (it.kind === "mix") {
          assert.equal(random.call(abi.RANDOM_ENTROPY, it.sample), abi.RANDOM_DONE);
          model.mix(it.sample);
        } else if (it.kind === "forget") {
          assert.equal(random.call(abi.RANDOM_FORGET, it.slot), abi.RANDOM_DONE);
          model.forget(it.slot);
        } else {
          assert.equal(random.seed(it.seed, it.when), abi.RANDOM_DONE);
          model.seed(it.seed, it.when);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("before it is seeded it gives nothing", async () => {
  const random = await aRandom(false);
  const before = random.memory();

  assert.equal(random.call(abi.RANDOM_GENERATE, 64), abi.RANDOM_UNSEEDED);
  assert.equal(random.call(abi.RANDOM_ENTROPY, 5), abi.RANDOM_UNSEEDED);

  assert.deepEqual(random.memory(), before);
});

test("what it refuses changes nothing", async () => {
  const random = await aRandom();
  random.generate();
  const before = random.memory();
  const refused: [operation: number, a: bigint | number, b?: bigint | number, c?: bigint | number][] = [
    [abi.RANDOM_SEED, abi.RANDOM_SEED_SIZE_MIN - 1],
    [abi.RANDOM_SEED, abi.RANDOM_SEED_SIZE_MAX + 1],
    [abi.RANDOM_SEED, 2n ** 32n + 64n],
    [abi.RANDOM_GENERATE, 0],
    [abi.RANDOM_GENERATE, abi.RANDOM_BITS_MAX + 1],
    [abi.RANDOM_GENERATE, 2n ** 32n + 64n],
    [abi.RANDOM_GENERATE, 64, abi.RANDOM_SLOT_COUNT],
    [abi.RANDOM_GENERATE, 64, 2n ** 32n],
    [abi.RANDOM_GENERATE, 64, 0, abi.RANDOM_WORLD_COUNT],
    [abi.RANDOM_GENERATE, 64, 0, 2n ** 32n],
    [abi.RANDOM_FORGET, abi.RANDOM_SLOT_COUNT],
    [abi.RANDOM_FORGET, 2n ** 32n],
    [abi.RANDOM_FORGET + 1, 0],
  ];

  for (const [operation, a, b, c] of refused) {
    assert.equal(random.call(operation, a, b, c), abi.RANDOM_INVALID, `${operation} ${a} ${b} ${c}`);
    assert.deepEqual(random.memory(), before, `${operation} ${a} ${b} ${c}`);
  }
});

test("as many bits as are asked for, and zeros above them", async () => {
  const random = await aRandom();
  for (let bits = 1; bits <= 192; bits++) {
    let all = 0n;
    for (let round = 0; round < 24; round++) all |= random.generate(1, 0, bits);
    assert.equal(all, 2n ** BigInt(bits) - 1n, `${bits} bits`); // in 24 rounds each bit was 1
  }
});

test("no two generators, worlds, guests of a slot or samples give the same", async () => {
  const random = await aRandom();
  const seen = new Set<bigint>();
  for (let slot = 0; slot < abi.RANDOM_SLOT_COUNT; slot++) {
    for (const world of WORLDS) seen.add(random.generate(slot, world));
  }
  for (let guest = 0; guest < 10; guest++) {
    random.call(abi.RANDOM_FORGET, 3);
    seen.add(random.generate(3));
  }
  assert.equal(seen.size, abi.RANDOM_SLOT_COUNT * abi.RANDOM_WORLD_COUNT + 10);

  const twins = [await aRandom(), await aRandom()];
  assert.equal(twins[0]!.generate(), twins[1]!.generate(), "the same history");
  assert.notEqual(
    twins[0]!.generate(0, 0, 192, 1n),
    twins[1]!.generate(0, 0, 192, 2n),
    "not the same sample",
  );
});

test("a seed and a sample change what all guests get afterwards", async () => {
  const [plain, seeded, mixed] = [await aRandom(), await aRandom(), await aRandom()];
  for (const random of [plain, seeded, mixed]) random.generate(5);

  seeded.seed(SEED, 2n);
  mixed.call(abi.RANDOM_ENTROPY, 1);

  assert.equal(new Set([plain, seeded, mixed].map((random) => random.generate(5))).size, 3);
});

/** The words of a secret that are somewhere in the compartment's own memory. */
const found = (random: Random, secret: Uint8Array) =>
  [0, 8, 16, 24].filter((at) => random.statics().includes(Buffer.from(secret.subarray(at, at + 8))));

test("neither output nor the state that made it is left, and no seed", async () => {
  const random = await aRandom();
  const model = new Model(SEED, 1n);
  assert.ok(
    random.lab.message.subarray(0, SEED.length).every((byte) => byte === 0),
    "the message has the seed",
  );
  random.generate(2, 1);
  model.generate(2, 1, 192, 0n);
  const { drbg } = model.generators.get("2 1")!;
  const { key, v } = drbg;
  assert.equal(found(random, key).length, 4, "where the state is");

  const output = random.generate(2, 1);

  const outputBytes = word(...[0n, 64n, 128n].map((shift) => (output >> shift) & (2n ** 64n - 1n)));
  for (const secret of [SEED, model.drawn, key, v]) assert.deepEqual(found(random, secret), []);
  for (const at of [0, 8, 16]) assert.ok(!random.statics().includes(outputBytes.subarray(at, at + 8)));
});

test("of a guest that has ended no state is left, and others keep theirs", async () => {
  const random = await aRandom();
  const model = new Model(SEED, 1n);
  for (const world of WORLDS) {
    for (const slot of [6, 7]) {
      random.generate(slot, world);
      model.generate(slot, world, 192, 0n);
    }
  }

  random.call(abi.RANDOM_FORGET, 6);

  for (const world of WORLDS) {
    const [ended, other] = [6, 7].map((slot) => model.generators.get(`${slot} ${world}`)!.drbg);
    for (const secret of [ended!.key, ended!.v]) assert.deepEqual(found(random, secret), []);
    for (const secret of [other!.key, other!.v]) assert.equal(found(random, secret).length, 4);
  }
});

/** A generator's state lies where its key is; this many requests it has served. */
function wear(random: Random, { key }: NodeDrbg): void {
  const ptr = random.memory().indexOf(Buffer.from(key));
  assert.ok(ptr > 0);
  new DataView(random.lab.memory.buffer, ptr + 0x40, 8).setBigUint64(0, 2n ** 48n + 1n, true);
}

test("a worn root gives nothing until there is a seed, a worn generator is seeded from the root", async () => {
  const random = await aRandom();
  const model = new Model(SEED, 1n);
  assert.equal(random.generate(9), model.generate(9, 0, 192, 0n));

  wear(random, model.generators.get("9 0")!.drbg);
  model.generators.get("9 0")!.inputCount = 0;
  assert.equal(random.generate(9), model.generate(9, 0, 192, 0n));

  wear(random, model.root);
  const before = random.memory();
  assert.equal(random.call(abi.RANDOM_GENERATE, 64, 9), abi.RANDOM_UNSEEDED);
  assert.equal(random.call(abi.RANDOM_ENTROPY, 1), abi.RANDOM_UNSEEDED);
  assert.deepEqual(random.memory(), before);
  random.seed(SEED, 3n);
  model.seed(SEED, 3n);
  assert.equal(random.generate(9), model.generate(9, 0, 192, 0n));
});
