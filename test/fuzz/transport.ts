// fuzz: what a peer sends, against the yamux muxer and the noise records
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { parseArgs } from 'node:util';
import { runInNewContext } from 'node:vm';
import { blocksInUse } from '../../src/lib/block-pool.ts';
import { ManualClock } from '../../src/lib/clock.ts';
import { KeepAlive } from '../../src/transport/native/keep-alive.ts';
import type { SecureLink } from '../../src/transport/native/link.ts';
import { NoiseOpener, NoiseSealer } from '../../src/transport/native/noise-records.ts';
import { YamuxMuxer } from '../../src/transport/native/yamux-muxer.ts';
import type { YamuxStream } from '../../src/transport/native/yamux-stream.ts';
import { seededRandom } from '../support/random.ts';
import { cut, encodeFrame, FrameParser, joinBytes } from '../unit/transport/frames.ts';
import { linkRig, turns } from '../unit/transport/link-rig.ts';
import type { LinkRig } from '../unit/transport/link-rig.ts';

/**
 * Each execution is one connection: it gets random bytes, or a session that was valid before it was changed, divided anywhere, while the
 * streams that it opens are used at random. Whatever comes, nothing is thrown, what is answered is yamux, and all memory comes back.
 * A failure names the seed that repeats it.
 */

type Random = () => number;

const below = (random: Random, bound: number): number => Math.floor(random() * bound);
const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)] as T;
const chance = (random: Random, share: number): boolean => random() < share;

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => below(random, 256));
}

// What comes.

function randomFrame(random: Random): Uint8Array {
  const type = pick(random, [0, 0, 0, 0, 1, 1, 1, 2, 3]);
  // Mostly what a peer that listens may open, sometimes not.
  const id = chance(random, 0.9) ? 1 + 2 * below(random, 6) : below(random, 8);
  const flags = pick(random, [0, 0, 0, 1, 1, 1, 2, 4, 5, 8, 9, 12, 15]);
  if (type === 0) return encodeFrame({ type, flags, id, body: randomBytes(random, pick(random, [0, 1, 10, 300])) });
  if (type === 3) return chance(random, 0.9) ? new Uint8Array(0) : encodeFrame({ type, length: below(random, 4) });
  return encodeFrame({ type, flags: type === 2 ? pick(random, [1, 1, 2, 0]) : flags, id: type === 2 ? 0 : id, length: pick(random, [0, 1, 1000, 262_144, 0xffff_ffff]) });
}

/** Streams that are opened before they are used, so that what follows goes further in. */
function session(random: Random): Uint8Array {
  const openings = Array.from({ length: 1 + below(random, 4) }, (_, i) => encodeFrame({ type: 1, flags: 1, id: 1 + 2 * i }));
  return joinBytes([...openings, ...Array.from({ length: below(random, 30) }, () => randomFrame(random))]);
}

function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes;
  const at = below(random, bytes.length);
  const to = at + below(random, 40);
  switch (below(random, 5)) {
    case 0:
      return bytes.map((byte, i) => (i === at ? byte ^ (1 << below(random, 8)) : byte));
    case 1:
      return joinBytes([bytes.subarray(0, at), bytes.subarray(to)]);
    case 2:
      return joinBytes([bytes.subarray(0, to), bytes.subarray(at)]);
    case 3:
      return joinBytes([bytes.subarray(0, at), randomBytes(random, below(random, 30)), bytes.subarray(at)]);
    default:
      return bytes.subarray(0, at);
  }
}

function divided(random: Random, bytes: Uint8Array): Uint8Array[] {
  const most = pick(random, [1, 13, 100, 5000]);
  return cut(bytes, Array.from({ length: 20 }, () => 1 + below(random, most)));
}

// Who gets it.

function use(random: Random, stream: YamuxStream): void {
  switch (below(random, 6)) {
    case 0:
      stream.addEventListener('message', (event) => chance(random, 0.3) && stream.writeStatus === 'writable' && stream.send(event.data));
      break;
    case 1:
      stream.readRaw({ take: (_chunk, from, to) => chance(random, 0.8) && stream.taken(to - from), ended: () => void stream.close().catch(() => undefined) }, 300_000);
      break;
    case 2:
      if (stream.writeStatus === 'writable') stream.send(new Uint8Array(below(random, 400_000)));
      break;
    case 3:
      void stream.close().catch(() => undefined);
      break;
    case 4:
      stream.addEventListener('message', () => stream.abort(new Error('no more')));
      break;
    default:
      if (stream.readStatus === 'readable') stream.pause();
  }
}

function act(random: Random, muxer: YamuxMuxer): void {
  const stream = pick(random, muxer.streams);
  if (stream !== undefined && chance(random, 0.5)) {
    if (stream.readStatus === 'paused') stream.resume();
    else if (chance(random, 0.2)) stream.abort(new Error('no more'));
  } else if (chance(random, 0.2)) {
    void muxer.createStream().then((opened) => use(random, opened), () => undefined);
  } else if (chance(random, 0.02)) {
    void muxer.close({ signal: AbortSignal.abort() }).catch(() => undefined);
  }
}

function makeMuxer(random: Random, link: SecureLink): YamuxMuxer {
  const keepAlive = new KeepAlive(new ManualClock());
  const muxer = new YamuxMuxer(link, { maxInboundStreams: 4, maxOutboundStreams: 4, maxWindowBytes: 1_000_000, keepAlive });
  if (chance(random, 0.9)) muxer.addEventListener('stream', ({ detail }) => use(random, detail));
  return muxer;
}

/** What the muxer writes must be whole frames, whatever it was given. */
function watchAnswers({ ground }: LinkRig): void {
  const parser = new FrameParser();
  ground.onWrite = (bytes) => parser.add(bytes).forEach(({ type, flags }) => assert.ok(type <= 3 && flags <= 15));
}

async function end({ link, ground }: LinkRig, muxer: YamuxMuxer): Promise<void> {
  muxer.abort(new Error('over'));
  link.abort(new Error('over'));
  ground.finish(new Error('over'));
  await turns(2);
  assert.equal(muxer.streams.length, 0);
}

async function fuzzYamux(random: Random): Promise<void> {
  const rig = linkRig('inbound');
  rig.ground.flowing = chance(random, 0.8);
  watchAnswers(rig);
  const muxer = makeMuxer(random, rig.link);
  let bytes = chance(random, 0.1) ? randomBytes(random, below(random, 300)) : session(random);
  for (let i = below(random, 4); i > 0; i--) bytes = mutated(random, bytes);
  for (const piece of divided(random, bytes)) {
    if (!rig.ground.paused) rig.ground.arrive(piece);
    if (chance(random, 0.1)) act(random, muxer);
    if (chance(random, 0.02)) await turns(1);
  }
  await end(rig, muxer);
}

const KEY = new Uint8Array(32).fill(9);

function record(sealer: NoiseSealer, payload: Uint8Array): Uint8Array {
  const block = Buffer.alloc(2 + payload.length + 16);
  block.set(payload, 2);
  sealer.seal(block, 2, 2 + payload.length);
  return block;
}

/** Records whose payload is a session, most of them as they should be, with something changed somewhere. */
async function fuzzNoise(random: Random): Promise<void> {
  const sealer = new NoiseSealer(KEY);
  const rig = linkRig('inbound', { opener: new NoiseOpener(KEY) });
  watchAnswers(rig);
  const muxer = makeMuxer(random, rig.link);
  let bytes = joinBytes(divided(random, session(random)).slice(0, 40).map((payload) => record(sealer, payload)));
  if (chance(random, 0.1)) bytes = randomBytes(random, below(random, 300));
  if (chance(random, 0.7)) bytes = mutated(random, bytes);
  for (const piece of divided(random, bytes)) {
    rig.ground.arrive(piece);
    if (chance(random, 0.05)) act(random, muxer);
  }
  await end(rig, muxer);
}

const TARGETS = [fuzzYamux, fuzzYamux, fuzzNoise];

// The rounds.

export interface FuzzResult {
  executions: number;
  perSecond: number;
  /** Of heap and external memory, after collection, since the warm-up. */
  growthBytes: number;
}

export interface FuzzOptions {
  seconds: number;
  seed: number;
  /** At most so many. */
  count?: number;
}

/** The warm-up: after it, pools and caches have their sizes. */
const WARM_UP = 300;
const MAX_GROWTH_BYTES = 12 * 1024 * 1024;

/** @throws Error that names the seed of the execution that failed */
export async function fuzz({ seconds, seed, count = Infinity }: FuzzOptions): Promise<FuzzResult> {
  const failures: unknown[] = [];
  const onUncaught = (error: unknown): void => void failures.push(error);
  process.on('uncaughtException', onUncaught);
  process.on('unhandledRejection', onUncaught);
  try {
    const start = performance.now();
    let executions = 0;
    let base = usedBytes();
    for (; executions < count && performance.now() - start < seconds * 1000; executions++) {
      await execute(seed + executions, failures);
      if (executions === WARM_UP) base = usedBytes();
    }
    const perSecond = executions / ((performance.now() - start) / 1000);
    const growthBytes = usedBytes() - base;
    assert.ok(executions <= WARM_UP || growthBytes < MAX_GROWTH_BYTES, `memory grew by ${growthBytes} bytes in ${executions} executions from seed ${seed}`);
    return { executions, perSecond, growthBytes };
  } finally {
    process.off('uncaughtException', onUncaught);
    process.off('unhandledRejection', onUncaught);
  }
}

async function execute(seed: number, failures: readonly unknown[]): Promise<void> {
  const held = blocksInUse();
  try {
    const random = seededRandom(seed);
    await pick(random, TARGETS)(random);
    if (failures.length > 0) throw failures[0];
    assert.equal(blocksInUse(), held, 'all blocks came back');
  } catch (cause) {
    throw new Error(`execution failed; to repeat it: scripts/fuzz --seed ${seed} --count 1`, { cause });
  }
}

function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' }, count: { type: 'string' } } });
  const seed = values.seed === undefined ? below(Math.random, 2 ** 31) : Number(values.seed);
  const result = await fuzz({ seconds: Number(values.minutes) * 60, seed, count: values.count === undefined ? Infinity : Number(values.count) });
  console.log(`${result.executions} executions from seed ${seed}, ${result.perSecond.toFixed(0)}/s, memory ${(result.growthBytes / 1024).toFixed(0)} KiB more than after the warm-up`);
}

if (import.meta.main) {
  await main();
}
