import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Candidate } from '../../../src/client/candidate.ts';
import type { HeldRelay } from '../../../src/client/held-relay.ts';
import { isFull } from '../../../src/client/score.ts';
import type { RelayStatement } from '../../../src/lib/directory/statement.ts';
import { settled, until } from '../../support/waiting.ts';
import { newPeer, statement } from './candidate-support.ts';
import { DIRECT, Rig } from './statements-rig.ts';

test('a statement is asked for again when two thirds of its time are over', async () => {
  const rig = await Rig.make();
  let sequence = 1;
  rig.answer = () => rig.seal({ sequence: sequence++, validMs: 90_000 });
  rig.relay.standby = { connection: rig.connection } as NonNullable<Candidate['standby']>;
  rig.statements.refresh(rig.candidates);
  await until(() => rig.relay.statement?.content.sequence === 1, 'the first is there');
  rig.clock.advance(59_999);
  rig.statements.refresh(rig.candidates);
  await settled();
  assert.equal(rig.asked, 1);
  rig.clock.advance(1);
  rig.statements.refresh(rig.candidates);
  await until(() => rig.relay.statement?.content.sequence === 2, 'the second is there');
  assert.equal(rig.relay.statement?.until, 60_000 + 90_000);
});

test('a relay that gives nothing newer, or fails, is asked again after a minute', async () => {
  const rig = await Rig.make();
  await rig.statements.ask(rig.relay, rig.connection);
  rig.clock.advance(40_000);
  rig.answer = async () => {
    throw new Error('the stream was reset');
  };
  await rig.statements.ask(rig.relay, rig.connection);
  assert.equal(await rig.count('failed'), 1);
  await rig.statements.ask(rig.relay, rig.connection);
  assert.equal(rig.asked, 2, 'not at once');
  rig.answer = () => rig.seal();
  rig.clock.advance(60_000);
  await rig.statements.ask(rig.relay, rig.connection);
  assert.equal(rig.asked, 3);
});

test('a relay without the protocol is not asked', async () => {
  const rig = await Rig.make();
  rig.protocols = ['/ipfs/id/1.0.0'];
  await rig.statements.ask(rig.relay, rig.connection);
  await rig.statements.ask(rig.relay, rig.connection);
  assert.deepEqual([rig.asked, await rig.count('unsupported')], [0, 1]);
});

test('how full a relay is for anyone says nothing of the room that members have, to a node that has a token for it', async () => {
  const { classes: [anyone] } = statement();
  const says = { classes: [anyone!, { ...anyone!, name: 'member' as const }], load: { reservations: 1, circuits: 1, bandwidth: 1, eventLoopDelayMs: 20 } };
  const fullness = async (token: Uint8Array | undefined, traits: Partial<Candidate> = {}, changes: Partial<RelayStatement> = {}): Promise<unknown> => {
    const rig = await Rig.make();
    rig.token = token;
    Object.assign(rig.relay, traits);
    rig.answer = () => rig.seal({ ...says, ...changes });
    await rig.statements.ask(rig.relay, rig.connection);
    rig.relay.held = undefined;
    return [isFull(rig.relay, 0), rig.relay.statement?.content.load.eventLoopDelayMs];
  };
  const token = Uint8Array.of(1);
  assert.deepEqual(await fullness(token), [false, 20]);
  assert.deepEqual(await fullness(undefined), [true, 20]);
  assert.deepEqual(await fullness(token, {}, { classes: [anyone!] }), [true, 20], 'it knows no members');
  assert.deepEqual(await fullness(token, { held: {} as HeldRelay }), [true, 20], 'it knows as what it serves this node');
});

test('what is not newer is dropped, until what is known has expired', async () => {
  const rig = await Rig.make();
  await rig.push(await rig.seal({ sequence: 7, region: 'new', validMs: 60_000 }));
  await rig.push(await rig.seal({ sequence: 7, region: 'again' }));
  await rig.push(await rig.seal({ sequence: 6, region: 'old' }));
  assert.deepEqual([rig.relay.statement?.content.region, await rig.count('old')], ['new', 2]);
  rig.clock.advance(60_000);
  await rig.push(await rig.seal({ sequence: 6, region: 'after its clock was set back' }));
  assert.equal(rig.relay.statement?.content.sequence, 6);
});

test('nothing is taken from strangers, over a circuit, signed by another, or that is no statement; each is answered', async () => {
  const rig = await Rig.make();
  await rig.push(await rig.seal(), { ...DIRECT, remotePeer: await newPeer() } as Connection);
  await rig.push(await rig.seal(), { ...rig.connection, direct: false });
  await rig.push(await rig.seal({}, await generateKeyPair('Ed25519')));
  await rig.push(new Uint8Array(5_000));
  await rig.push(Uint8Array.of(1, 2, 3));
  assert.equal(rig.relay.statement, undefined);
  assert.deepEqual([await rig.count('foreign'), await rig.count('malformed'), await rig.count('accepted')], [4, 1, 0]);
});

test('a drain, its end, and the relays that are named are passed on', async () => {
  const rig = await Rig.make();
  const other = multiaddr(`/ip4/192.0.2.2/tcp/1/p2p/${(await newPeer()).toString()}`);
  await rig.push(await rig.seal({ sequence: 1, draining: true, alternatives: [other] }));
  await rig.push(await rig.seal({ sequence: 2 }));
  assert.deepEqual(rig.seen, ['names 1', 'draining', 'names 0', 'staying']);
});

test('of many pushes at once one waits: the newest; all are answered', async () => {
  const rig = await Rig.make();
  const sealed = await Promise.all(Array.from({ length: 100 }, (_, i) => rig.seal({ sequence: i + 1 })));
  await Promise.all(sealed.map((bytes) => rig.push(bytes)));
  assert.equal(rig.relay.statement?.content.sequence, 100);
  assert.equal(await rig.count('accepted'), 2, 'the first and the last');
});

test('a relay that pushes all the time is heard twelve times a minute, and answered each time', async () => {
  const rig = await Rig.make();
  const pushAll = async (from: number): Promise<void> => {
    for (let sequence = from; sequence < from + 20; sequence++) await rig.push(await rig.seal({ sequence, draining: sequence % 2 === 0 }));
  };
  await pushAll(1);
  assert.deepEqual([rig.relay.statement?.content.sequence, await rig.count('accepted'), await rig.count('excess')], [12, 12, 8]);
  rig.clock.advance(60_000);
  await pushAll(21);
  assert.deepEqual([rig.relay.statement?.content.sequence, await rig.count('accepted'), await rig.count('excess')], [32, 24, 16]);
});

test('a statement that comes when its relay is no candidate any more is dropped', async () => {
  const rig = await Rig.make();
  const bytes = await rig.seal();
  const told = rig.push(bytes);
  rig.candidates.clear();
  await told;
  assert.equal(rig.relay.statement, undefined);
});
