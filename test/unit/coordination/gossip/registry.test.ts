import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { LEASE_MS } from '../../../../src/coordination/backend.ts';
import type { ReservationChange, SharedRevocations } from '../../../../src/coordination/backend.ts';
import { encodeGossip } from '../../../../src/coordination/gossip/messages.ts';
import type { ListMark } from '../../../../src/coordination/gossip/messages.ts';
import { encodePage, encodeQuestion } from '../../../../src/coordination/gossip/sync-messages.ts';
import type { ShardMark } from '../../../../src/coordination/gossip/sync-messages.ts';
import { LINK_KINDS } from '../../../../src/coordination/links.ts';
import { GossipNetwork } from '../../../support/coordination/gossip-network.ts';
import type { MemoryRelay } from '../../../support/coordination/gossip-network.ts';
import { signedList, signedRecord } from '../../../support/coordination/signed.ts';

const HOUR_MS = 3_600_000;
const BATCH_MS = 100;
/** What faults.md allows. */
const CONVERGE_MS = 5_000;

describe('the gossip registry', () => {
  let network: GossipNetwork;
  beforeEach(() => (network = new GossipNetwork()));
  afterEach(async () => await network.stopAll());

  const three = async (): Promise<[MemoryRelay, MemoryRelay, MemoryRelay]> => {
    const relays: [MemoryRelay, MemoryRelay, MemoryRelay] = [await network.start('a'), await network.start('b'), await network.start('c')];
    await network.run(BATCH_MS);
    return relays;
  };

  it('tells every relay who holds what, in one batch a twentieth of a second', async () => {
    const [a, b, c] = await three();
    let messages = 0;
    network.arrives = () => ++messages > 0;
    for (let i = 0; i < 10; i++) await a.registry.publish([{ peer: `p${i}`, ttlMs: HOUR_MS }]);
    await network.run(BATCH_MS);
    assert.equal(messages, 2, 'one message to each of the two');
    assert.deepEqual([await b.holders('p9'), await c.holders('p0'), await a.holders('p5')], [['a'], ['a'], ['a']]);
    await b.registry.publish([{ peer: 'p9', ttlMs: HOUR_MS }]);
    await network.run(BATCH_MS);
    assert.deepEqual(await c.holders('p9'), ['b', 'a'], 'the one that got it last comes first');
    await assert.rejects(a.registry.holders('p9', AbortSignal.abort()), { code: 'CLOSED' });
  });

  it('forgets what a dead relay holds, and knows it again when the relay is back', async () => {
    const [a, b, c] = await three();
    await c.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
    await network.run(BATCH_MS);
    network.cut('c');
    await network.run(LEASE_MS + 500);
    assert.deepEqual([await a.holders('p'), a.heard.goneBecause.get('c'), b.registry.problem], [[], 'lapsed', undefined]);
    assert.match(String(c.registry.problem), /none of the 2 relays known answers/);
    await c.registry.publish([{ peer: 'p2', ttlMs: HOUR_MS }, { peer: 'p', ttlMs: undefined }]);
    await a.registry.publish([{ peer: 'p3', ttlMs: HOUR_MS }]);
    network.heal('c');
    await network.run(CONVERGE_MS);
    assert.deepEqual([await a.holders('p'), await b.holders('p2'), await c.holders('p3')], [[], ['c'], ['a']]);
    assert.deepEqual(c.heard.problems, ['none of the 2 relays known answers', undefined]);
  });

  it('has a problem where the configuration names relays and none is linked, once they had the time to answer', async () => {
    network.named = [{ peer: 'b', isRefused: false }, { peer: 'c', isRefused: false }];
    const a = await network.start('a');
    await network.run(4_000);
    assert.deepEqual(a.heard.problems, [], 'they have a few seconds to answer');
    await network.run(2_000);
    assert.deepEqual(a.heard.problems, ['none of the 2 relays of coordination.relays answers']);
    network.named = [{ peer: 'b', isRefused: true }, { peer: 'c', isRefused: false }];
    await network.run(500);
    assert.match(String(a.registry.problem), /none of the 2 relays of coordination.relays is linked: 1 of them refused, .*secretFile differs/);
    await network.start('b');
    await network.run(CONVERGE_MS);
    assert.equal(a.registry.problem, undefined);
  });

  it('has no problem where the configuration names nobody', async () => {
    const a = await network.start('a');
    await network.run(30_000);
    assert.deepEqual([a.registry.problem, a.heard.problems], [undefined, []]);
  });

  it('makes good within a second what gossip loses', async () => {
    const [a, b] = await three();
    network.arrives = (_from, to) => to !== 'b';
    await a.registry.publish([{ peer: 'lost', ttlMs: HOUR_MS }]);
    await network.run(BATCH_MS);
    network.arrives = () => true;
    assert.deepEqual(await b.holders('lost'), []);
    await a.registry.publish([{ peer: 'next', ttlMs: HOUR_MS }]);
    await network.run(500);
    assert.deepEqual([await b.holders('lost'), await b.holders('next')], [['a'], ['a']]);
  });

  it('converges without any gossip at all', async () => {
    network.arrives = () => false;
    const [a, b, c] = await three();
    await a.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
    await network.run(CONVERGE_MS);
    assert.deepEqual([await b.holders('p'), await c.holders('p')], [['a'], ['a']]);
    await network.run(2 * LEASE_MS);
    assert.deepEqual([[...a.heard.relays.keys()].sort(), a.heard.goneBecause.size], [['b', 'c'], 0], 'beats go that way too');
  });

  it('learns from who asks as well as from whom it asks', async () => {
    network.arrives = () => false;
    // Each asks the last one that it is linked to: nobody asks the first.
    network.random = () => 0.999;
    const [a, b, c] = await three();
    await a.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
    await network.run(2_500);
    assert.deepEqual([await b.holders('p'), await c.holders('p')], [['a'], ['a']]);
  });

  it('believes that a relay is alive as long as another hears it', async () => {
    const [a, b] = await three();
    network.arrives = (from, to) => !(from === 'c' && to === 'a');
    await network.run(3 * LEASE_MS);
    assert.ok(a.heard.relays.has('c'));
    assert.equal(a.heard.goneBecause.size + b.heard.goneBecause.size, 0);
  });

  it('tells one that joins late everything, also of relays to which it has no way', async () => {
    const [a] = await three();
    await a.registry.publish(Array.from({ length: 5_000 }, (_, i) => ({ peer: `p${i}`, ttlMs: HOUR_MS })));
    await a.registry.tellRevocations(signedList(3));
    await a.registry.report([{ key: 'k', window: '2026-11', bytes: 5 }], AbortSignal.timeout(10_000));
    await network.run(1_000);
    const late = await network.start('late');
    await network.run(CONVERGE_MS);
    assert.deepEqual([await late.holders('p0'), await late.holders('p4999'), late.heard.lists.get('aa')?.sequence], [['a'], ['a'], 3]);
    assert.deepEqual(await late.registry.report([{ key: 'k', window: '2026-11', bytes: 2 }], AbortSignal.timeout(10_000)), [7]);
  });

  it('has exactly what publishAll says, and tells only what is new of it', async () => {
    const [a, b] = await three();
    const held = (from: number, to: number): ReservationChange[] => Array.from({ length: to - from }, (_, i) => ({ peer: `p${from + i}`, ttlMs: HOUR_MS }));
    await a.registry.publish(held(0, 100));
    await network.run(BATCH_MS);
    let bytes = 0;
    network.arrives = () => ++bytes > 0;
    await a.registry.publishAll(held(0, 100));
    await network.run(BATCH_MS);
    assert.equal(bytes, 0, 'nothing is new');
    await a.registry.publishAll(held(50, 150));
    await network.run(BATCH_MS);
    assert.deepEqual([await b.holders('p49'), await b.holders('p50'), await b.holders('p149')], [[], ['a'], ['a']]);
  });

  it('ends what was not renewed when its time is over', async () => {
    const [a, b] = await three();
    await a.registry.publish([{ peer: 'p', ttlMs: 2_000 }]);
    await network.run(1_000);
    assert.deepEqual(await b.holders('p'), ['a']);
    await network.run(1_500);
    assert.deepEqual([await a.holders('p'), await b.holders('p')], [[], []]);
  });

  it('adds up usage over relays and runs; a stop of the whole cluster forgets none', async () => {
    const [a, b] = await three();
    const report = async (relay: MemoryRelay, bytes: number): Promise<number | undefined> => (await relay.registry.report([{ key: 'quota/1', window: '2026-11-21', bytes }], AbortSignal.timeout(10_000)))[0];
    assert.equal(await report(a, 100), 100);
    await network.run(BATCH_MS);
    assert.equal(await report(b, 50), 150);
    await network.run(BATCH_MS);
    for (const relay of network.relays.slice()) await relay.leave();
    const again = await network.start('b', { epoch: 2 });
    assert.equal(await report(again, 1), 151);
    const next = await network.start('d');
    await network.run(CONVERGE_MS);
    assert.equal(await report(next, 1_000), 1_151, 'who has no file learns it');
  });

  it('forgets usage a day after its window, and tells nobody of it', async () => {
    const [a, b] = await three();
    const report = async (relay: MemoryRelay, window: string): Promise<number | undefined> => (await relay.registry.report([{ key: 'k', window, bytes: 0 }], AbortSignal.timeout(10_000)))[0];
    await a.registry.report([{ key: 'k', window: '2026-11-21', bytes: 5 }, { key: 'k', window: '2026-11', bytes: 6 }], AbortSignal.timeout(10_000));
    await network.run(BATCH_MS);
    network.clock.stepWall(2 * 24 * HOUR_MS);
    await network.run(70_000);
    assert.deepEqual([await report(a, '2026-11-21'), await report(b, '2026-11-21'), await report(b, '2026-11')], [0, 0, 6]);
    const late = await network.start('late');
    await network.run(1_000);
    assert.deepEqual([await report(late, '2026-11-21'), await report(late, '2026-11')], [0, 6]);
  });

  it('tells of revocation lists at once; the long ones, and those that were missed, are fetched within two seconds', async () => {
    const [a, b, c] = await three();
    const list = (sequence: number, bytes: number): SharedRevocations => signedList(sequence, 'aa', bytes);
    await a.registry.tellRevocations(list(1, 100));
    await network.run(BATCH_MS);
    assert.deepEqual([b.heard.lists.get('aa'), c.heard.lists.get('aa')?.sequence], [list(1, 100), 1]);
    await a.registry.tellRevocations(list(2, 400 * 1024));
    await network.run(BATCH_MS);
    assert.deepEqual(b.heard.lists.get('aa')?.list.byteLength, 400 * 1024);
    network.arrives = () => false;
    await a.registry.tellRevocations(list(3, 100));
    await network.run(BATCH_MS);
    network.arrives = () => true;
    await network.run(2_000);
    assert.deepEqual([b.heard.lists.get('aa')?.sequence, c.heard.lists.get('aa')?.sequence], [3, 3]);
    await b.registry.tellRevocations(list(1, 5));
    await network.run(2_000);
    assert.deepEqual([a.heard.lists.size, c.heard.lists.get('aa')?.sequence], [0, 3], 'an older one is not told, and nobody is told its own');
  });

  it('says at once that a relay leaves', async () => {
    const [a, b, c] = await three();
    await c.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
    await network.run(BATCH_MS);
    await c.leave();
    assert.deepEqual([a.heard.goneBecause.get('c'), b.heard.goneBecause.get('c'), await a.holders('p')], ['left', 'left', []]);
    assert.equal(a.registry.problem, undefined);
    await b.leave();
    assert.equal(a.registry.problem, undefined, 'all others have left, and that is no trouble');
  });

  it('is fenced when a newer run of the same relay is alive', async () => {
    const [, b] = await three();
    const older = await network.start('same', { epoch: 7 });
    await network.run(1_000);
    await older.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
    await network.run(BATCH_MS);
    const newer = await network.start('same', { epoch: 8 });
    await network.run(2_000);
    assert.deepEqual([older.heard.fencedTimes, newer.heard.fencedTimes], [1, 0]);
    await assert.rejects(older.registry.beat(new Uint8Array()), { code: 'FENCED' });
    assert.deepEqual([await b.holders('p'), Buffer.from(b.heard.relays.get('same') ?? []).toString().slice(0, 2)], [[], '8 ']);
  });

  const digestOf = (shards: Partial<ShardMark>[], lists: ListMark[] = []): Uint8Array => {
    const whole = shards.map((shard) => ({ relay: '', epoch: Number.MAX_SAFE_INTEGER, complete: 1, ageMs: 0, hasLeft: false, ...shard }));
    return encodeQuestion({ kind: 'digest', digest: { shards: whole, lists, pastUsage: new Uint8Array(8) } });
  };
  const ask = (from: MemoryRelay, to: MemoryRelay, question: Uint8Array): Promise<Uint8Array> => from.links.ask(to.id, LINK_KINDS.sync, question, AbortSignal.timeout(10_000));

  it('is not fenced by who says that there is a newer run and has no record of it', async () => {
    const [a, b, c] = await three();
    await ask(c, a, digestOf([{ relay: 'a' }]));
    await network.run(500);
    assert.deepEqual([a.heard.fencedTimes, a.heard.problems.length], [0, 1]);
    assert.match(String(a.registry.problem), /newer run of this one/);
    await a.registry.beat(Uint8Array.of(1));
    await a.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
    await network.run(LEASE_MS + 500);
    assert.deepEqual([a.registry.problem, await b.holders('p')], [undefined, ['a']]);
  });

  it('hears a relay though another tells of a newer run that the relay has not signed', async () => {
    const [a, b, c] = await three();
    // As the others answer: a page with a record of somebody else.
    const delta = { relay: 'a', epoch: 9_999, from: 0, to: 1, beat: { sequence: 1, ageMs: 0 }, record: { sequence: 1, bytes: signedRecord({ id: 'c', epoch: 9_999 }, 'x') }, held: [], ended: [], usage: [] };
    for (const isWhole of [true, false]) {
      c.links.answer(LINK_KINDS.sync, () => encodePage({ delta, horizon: 0, isWhole, hasMore: false }));
      await ask(c, b, digestOf([{ relay: 'a', epoch: 9_999 }]));
      await network.run(500);
    }
    await a.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
    await network.run(BATCH_MS);
    assert.deepEqual(await b.holders('p'), ['a']);
  });

  it('keeps no revocation list, and no number of one, that its authority has not signed', async () => {
    const [a, b, c] = await three();
    const forged = { ...signedList(1), authority: 'aa', sequence: Number.MAX_SAFE_INTEGER, list: Uint8Array.of(1) };
    const message = (lists: SharedRevocations[]): Uint8Array => encodeGossip({ delta: { relay: 'c', epoch: 1, from: 0, to: 0, held: [], ended: [], usage: [] }, marks: [], lists });
    a.hear('c', message([forged, { ...signedList(2), sequence: 500 }]));
    assert.equal(a.heard.lists.get('aa')?.sequence, 2, 'the number is the one that is signed');
    for (let i = 0; i < 200; i++) a.hear('c', message([signedList(1, `bogus${i}`)]));
    await network.run(CONVERGE_MS);
    await b.registry.tellRevocations(signedList(6));
    await network.run(BATCH_MS);
    assert.deepEqual([a, c].map(({ heard }) => heard.lists.get('aa')?.sequence), [6, 6]);
  });

  it('starts again after a stop', async () => {
    const [a, b] = await three();
    await b.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
    await network.run(BATCH_MS);
    await b.registry.leave();
    await b.registry.stop();
    assert.equal(a.heard.goneBecause.get('b'), 'left');
    await b.registry.start();
    await b.registry.beat(Uint8Array.of(1));
    await b.registry.publishAll([{ peer: 'p2', ttlMs: HOUR_MS }]);
    await network.run(1_000);
    assert.deepEqual([await a.holders('p'), await a.holders('p2'), [...b.heard.relays.keys()].sort()], [[], ['b'], ['a', 'c']]);
  });

  it('hears nothing from a relay about another, nor a record that is too long', async () => {
    const [a, b] = await three();
    const message = encodeGossip({ delta: { relay: 'a', epoch: 1, from: 1_000, to: 1_001, held: [{ peer: 'p', sequence: 1_001, ttlMs: HOUR_MS, ageMs: 0 }], ended: [], usage: [] }, marks: [], lists: [] });
    b.hear('c', message);
    assert.deepEqual(await b.holders('p'), []);
    b.hear('a', message);
    assert.deepEqual(await b.holders('p'), ['a']);
    await assert.rejects(a.registry.beat(new Uint8Array(20_000)), { code: 'BODY_TOO_LARGE' });
  });

  it('converges whatever is told where, whatever gossip loses, and whoever is cut off meanwhile', async () => {
    const step = fc.record({ who: fc.nat(2), peer: fc.nat(5), does: fc.constantFrom('hold', 'end', 'cut', 'heal', 'wait') });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.infiniteStream(fc.boolean()), async (steps, arrives) => {
        await network.stopAll();
        network = new GossipNetwork();
        const relays = await three();
        const model = new Map<string, Set<string>>();
        network.arrives = () => arrives.next().value === true;
        for (const { who, peer, does } of steps) await play(network, relays[who] as MemoryRelay, `p${peer}`, does, model);
        relays.forEach(({ id }) => network.heal(id));
        network.arrives = () => true;
        await network.run(CONVERGE_MS);
        for (const relay of relays) {
          for (let i = 0; i <= 5; i++) assert.deepEqual((await relay.holders(`p${i}`)).sort(), [...(model.get(`p${i}`) ?? [])].sort(), `p${i} at ${relay.id}`);
        }
      }),
      { numRuns: 15, timeout: 60_000, interruptAfterTimeLimit: 20_000 },
    );
  });
});

async function play(network: GossipNetwork, relay: MemoryRelay, peer: string, does: string, model: Map<string, Set<string>>): Promise<void> {
  const holders = model.get(peer) ?? new Set();
  model.set(peer, holders);
  if (does === 'hold') {
    holders.add(relay.id);
    await relay.registry.publish([{ peer, ttlMs: HOUR_MS }]);
  } else if (does === 'end') {
    holders.delete(relay.id);
    await relay.registry.publish([{ peer, ttlMs: undefined }]);
  } else if (does === 'cut') network.cut(relay.id);
  else if (does === 'heal') network.heal(relay.id);
  else await network.run(200);
}
