import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { blocksInUse } from '../../../src/lib/block-pool.ts';
import { Outgoing } from '../../../src/transport/native/outgoing.ts';
import type { Owner, Sealer } from '../../../src/transport/native/outgoing.ts';
import { PLAIN } from '../../../src/transport/native/link.ts';
import { blocksHeld, HandGround, turns } from './link-rig.ts';

/** Records as noise has them, with a tag that the test can check: each payload byte counts. */
class CheckedSealer implements Sealer {
  readonly head = 2;
  readonly tail = 16;
  readonly maxPayloadBytes: number;
  /** So many records can be made. */
  left = Infinity;

  constructor(maxPayloadBytes = 65_519) {
    this.maxPayloadBytes = maxPayloadBytes;
  }

  seal(block: Buffer, start: number, end: number): void {
    assert.ok(end > start && end - start <= this.maxPayloadBytes);
    if (this.left-- <= 0) throw new Error('the counter is at its end');
    block.writeUInt16BE((end - start + 16) & 0xffff, start - 2);
    block.fill(block.subarray(start, end).reduce((sum, byte) => (sum * 31 + byte) & 0xff, 7), end, end + 16);
  }
}

function unseal(bytes: Buffer): Buffer {
  const payloads: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt16BE(at);
    const payload = bytes.subarray(at + 2, at + 2 + length - 16);
    const tag = payload.reduce((sum, byte) => (sum * 31 + byte) & 0xff, 7);
    assert.ok(bytes.subarray(at + 2 + length - 16, at + 2 + length).every((byte) => byte === tag) && payload.length + 16 === length, 'a whole record');
    payloads.push(payload);
    at += 2 + length;
  }
  return Buffer.concat(payloads);
}

class Counted implements Owner {
  wrote = 0;
  told = 0;
  onWritten: () => void = () => undefined;

  written(bytes: number): void {
    this.told += bytes;
    assert.ok(this.told <= this.wrote, 'no more than was written');
    this.onWritten();
  }
}

/** Writes bytes that count up, and remembers what it wrote. */
class Rig {
  readonly ground = new HandGround();
  readonly sealer: Sealer;
  readonly out: Outgoing;
  readonly owners = [new Counted(), new Counted(), new Counted()];
  readonly errors: Error[] = [];
  rooms = 0;
  next = 0;
  closed = false;

  constructor(sealer: Sealer = new CheckedSealer()) {
    this.sealer = sealer;
    this.ground.flowing = false;
    this.ground.open(() => undefined);
    this.out = new Outgoing(
      this.ground,
      sealer,
      () => this.rooms++,
      (error) => {
        this.errors.push(error);
        this.close();
      },
    );
  }

  write(bytes: number, owner: number): number {
    let written = 0;
    while (written < bytes) {
      const step = Math.min(bytes - written, this.out.room(76));
      if (step === 0) break;
      this.#put(step, this.owners[owner]);
      written += step;
    }
    return written;
  }

  control(bytes = 12): void {
    if (this.out.roomForControl(bytes) > 0) this.#put(bytes);
  }

  close(): void {
    this.closed = true;
    this.out.close();
  }

  get left(): Buffer {
    const bytes = Buffer.concat(this.ground.left);
    return this.sealer.head === 0 ? bytes : unseal(bytes);
  }

  check(): void {
    const { left } = this;
    for (let i = 0; i < left.length; i++) {
      if (left[i] !== pattern(i)) assert.fail(`byte ${i} of ${left.length} is ${left[i]} and not ${pattern(i)}`);
    }
    assert.ok(left.length <= this.next);
  }

  #put(bytes: number, owner?: Counted): void {
    const { out } = this;
    for (let i = 0; i < bytes; i++) out.bytes[out.at + i] = pattern(this.next + i);
    this.next += bytes;
    if (owner === undefined) {
      out.wrote(bytes);
    } else {
      owner.wrote += bytes;
      out.wrote(bytes, owner, bytes);
    }
  }
}

const pattern = (i: number): number => (i * 7 + (i >> 8) * 13 + (i >> 16)) & 0xff;

type Step =
  | { kind: 'write'; bytes: number; owner: number }
  | { kind: 'control'; count: number }
  | { kind: 'turn' | 'finish' | 'push' | 'close' | 'fail' }
  // What the owner does the next time it is told.
  | { kind: 'react'; owner: number; by: Exclude<Step, { kind: 'react' }> };

const owner = fc.nat({ max: 2 });
const simple = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('write' as const), bytes: fc.integer({ min: 1, max: 150_000 }), owner }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), bytes: fc.integer({ min: 1, max: 300 }), owner }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('control' as const), count: fc.constantFrom(1, 3, 2000, 12_000) }) },
  { weight: 5, arbitrary: fc.constant({ kind: 'turn' as const }) },
  { weight: 8, arbitrary: fc.constant({ kind: 'finish' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'push' as const }) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: 'close' as const }, { kind: 'fail' as const }) },
);
const step: fc.Arbitrary<Step> = fc.oneof({ weight: 5, arbitrary: simple }, { weight: 2, arbitrary: fc.record({ kind: fc.constant('react' as const), owner, by: simple }) });

async function run(rig: Rig, steps: readonly Step[]): Promise<void> {
  for (const one of steps) {
    if (one.kind === 'turn') {
      await turns(1);
    } else {
      act(rig, one);
    }
    rig.check();
  }
}

function act(rig: Rig, one: Step): void {
  switch (one.kind) {
    case 'write':
      rig.write(one.bytes, one.owner);
      break;
    case 'control':
      for (let i = 0; i < one.count; i++) rig.control();
      break;
    case 'finish':
      rig.ground.finish();
      break;
    case 'push':
      rig.out.push();
      break;
    case 'close':
      rig.close();
      break;
    case 'fail':
      rig.ground.finish(new Error('the network is gone'));
      break;
    case 'turn':
      break;
    case 'react': {
      const told = rig.owners[one.owner] as Counted;
      told.onWritten = () => {
        told.onWritten = () => undefined;
        act(rig, one.by);
      };
    }
  }
}

/** Until the peer has taken all there is. */
async function finishAll(rig: Rig): Promise<void> {
  for (let i = 0; i < 60; i++) {
    await turns(1);
    rig.ground.finish();
  }
}

describe('Outgoing', () => {
  for (const [name, sealer] of [
    ['noise-like records', () => new CheckedSealer()],
    ['small records', () => new CheckedSealer(16_384)],
    ['no records', () => PLAIN.sealer],
  ] as const) {
    it(`sends each byte once and in order, tells owners exactly, and gives all memory back, whatever happens: ${name}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 50 }), async (steps) => {
          const held = await blocksHeld();
          const rig = new Rig(sealer());
          await run(rig, steps);
          await finishAll(rig);
          rig.check();
          assert.ok(rig.out.empty || rig.closed);
          if (!rig.closed) {
            assert.equal(rig.left.length, rig.next, 'all of it');
            rig.owners.forEach((each) => assert.equal(each.told, each.wrote));
          }
          rig.close();
          await finishAll(rig);
          assert.equal(blocksInUse(), held);
          assert.equal(rig.out.room(1), 0);
          assert.equal(rig.out.roomForControl(1), 0);
        }),
        { numRuns: 120 },
      );
    });
  }

  it('holds two blocks at most, however much is offered', async () => {
    const held = await blocksHeld();
    const rig = new Rig();
    const taken = rig.write(10_000_000, 0);
    assert.ok(taken > 200_000 && taken < 300_000, `${taken}`);
    assert.equal(blocksInUse() - held, 2);
    rig.ground.finish();
    assert.equal(rig.rooms, 1);
    assert.equal(blocksInUse() - held, 1, 'what waited is on its way');
    rig.close();
    rig.ground.finish();
    assert.equal(blocksInUse(), held);
  });

  it('tells owners of what has left, when it has left', async () => {
    const rig = new Rig();
    rig.write(1000, 0);
    rig.write(500, 1);
    rig.write(1, 0);
    await turns();
    assert.deepEqual(rig.owners.map(({ told }) => told), [0, 0, 0]);
    rig.ground.finish();
    assert.deepEqual(rig.owners.map(({ told }) => told), [1001, 500, 0]);
    rig.close();
  });

  it('tells nobody of what the kernel did not take', async () => {
    const rig = new Rig();
    rig.write(1000, 0);
    await turns();
    rig.ground.finish(new Error('gone'));
    assert.deepEqual([rig.owners[0]?.told, rig.errors.length], [0, 1]);
  });

  it('resolves whenEmpty when the last byte has left, or never will', async () => {
    const rig = new Rig();
    await rig.out.whenEmpty();
    rig.write(200_000, 0);
    let empty = false;
    const wait = rig.out.whenEmpty().then(() => (empty = true));
    await turns();
    rig.ground.finish();
    await turns();
    assert.equal(empty, false);
    rig.ground.finish();
    await wait;
    rig.write(1000, 0);
    const other = rig.out.whenEmpty();
    rig.close();
    await other;
  });

  it('leaves in one write what one turn wrote', async () => {
    const rig = new Rig();
    for (let i = 0; i < 50; i++) rig.write(100, i % 3);
    await turns();
    assert.equal(rig.ground.writes, 1);
    rig.close();
  });

  for (const [name, afterRecords] of [['at once', 0], ['within a block', 1], ['later', 3]] as const) {
    it(`ends with an error when no more records can be made, ${name}: nothing is thrown and nothing kept`, async () => {
      const held = await blocksHeld();
      const sealer = new CheckedSealer();
      sealer.left = afterRecords;
      const rig = new Rig(sealer);
      for (let i = 0; i < 4; i++) {
        rig.write(120_000, 0);
        await turns(1);
        rig.ground.finish();
      }
      assert.equal(rig.errors[0]?.message, 'the counter is at its end');
      rig.check();
      assert.equal(rig.out.room(1), 0);
      await rig.out.whenEmpty();
      assert.equal(await blocksHeld(), held);
    });
  }

  it('ends so, too, when the block is full and the writer asks for more', async () => {
    const held = await blocksHeld();
    const sealer = new CheckedSealer();
    sealer.left = 0;
    const rig = new Rig(sealer);
    rig.write(400_000, 0);
    assert.equal(rig.errors.length, 1);
    assert.equal(await blocksHeld(), held);
  });

  it('sends no more when an owner closes it as it is told', async () => {
    const held = await blocksHeld();
    const rig = new Rig();
    rig.write(200_000, 0);
    rig.write(50_000, 1);
    (rig.owners[0] as Counted).onWritten = () => rig.close();
    await turns();
    rig.ground.finish();
    await turns();
    assert.deepEqual([rig.ground.pending, rig.ground.writes, rig.rooms], [false, 1, 0]);
    assert.equal(blocksInUse(), held);
  });

  it('keeps the order when an owner writes as it is told, while others wait to be told', async () => {
    const rig = new Rig();
    rig.write(60_000, 0);
    rig.write(60_000, 1);
    (rig.owners[0] as Counted).onWritten = () => void rig.write(200_000, 2);
    await turns();
    await finishAll(rig);
    rig.check();
    assert.equal(rig.left.length, rig.next);
    rig.close();
  });
});
