import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, describe, it } from 'node:test';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { LINK_KINDS, MAX_LINK_FRAME_BYTES } from '../../../../src/coordination/links.ts';
import { CLUSTER_PROTOCOL, encodeNonce, encodeProof } from '../../../../src/coordination/links/messages.ts';
import { readFrame, writeFrame } from '../../../../src/lib/circuit/frames.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { closeStream } from '../../../../src/lib/close-stream.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import type { ErrorCode } from '../../../../src/lib/errors.ts';
import { LinkNodes, addrOf, bareNode, linked } from '../../../support/coordination/link-nodes.ts';
import type { LinkNode } from '../../../support/coordination/link-nodes.ts';
import { PATIENCE_MS, until, within } from '../../../support/waiting.ts';

const nodes = new LinkNodes();
const strangers: Libp2p[] = [];
const signal = AbortSignal.timeout(120_000);
const { sync, shares } = LINK_KINDS;

afterEach(async () => {
  await nodes.stopAll();
  await Promise.all(strangers.splice(0).map(async (node) => node.stop()));
});

const code = (expected: ErrorCode) => (error: unknown) => error instanceof RelaydError && error.code === expected;
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

async function handshakes(node: LinkNode, outcome: string): Promise<number> {
  const { values } = (await node.metrics.getSingleMetric('relayd_cluster_link_handshakes_total')?.get()) ?? { values: [] };
  return values.find(({ labels }) => labels.outcome === outcome)?.value ?? NaN;
}

async function stranger(): Promise<Libp2p> {
  const node = await bareNode();
  strangers.push(node);
  return node;
}

/** A stream of the protocol that a stranger opens, and when it ends. */
async function intrude(from: Libp2p, to: LinkNode): Promise<{ stream: Stream; ended: Promise<unknown> }> {
  const stream = await from.dialProtocol(multiaddr(to.addr), CLUSTER_PROTOCOL, { signal });
  const ended = new Promise((resolve) => stream.addEventListener('close', resolve, { once: true }));
  return { stream, ended: stream.status === 'open' ? ended : Promise.resolve() };
}

function streamsBetween(node: LinkNode, other: LinkNode): number {
  const connections: Connection[] = node.libp2p.getConnections(other.libp2p.peerId);
  return connections.flatMap(({ streams }) => streams).filter((stream) => stream.protocol === CLUSTER_PROTOCOL && stream.status === 'open').length;
}

describe('links between relays', () => {
  it('stand where both know the secret, and carry questions both ways', async () => {
    const a = await nodes.start();
    const changes: [string, boolean][] = [];
    a.links.onChange((...change) => changes.push(change));
    a.links.answer(sync, (from, question) => bytes(`${from} asked ${text(question)}`));
    const b = await nodes.start({ configured: [a.addr] });
    b.links.answer(sync, async (from, question) => bytes(`${from} asked ${text(question)}`));
    await linked([a, b]);
    assert.equal(text(await b.links.ask(a.id, sync, bytes('x'), signal)), `${b.id} asked x`);
    assert.equal(text(await a.links.ask(b.id, sync, bytes('y'), signal)), `${a.id} asked y`);
    assert.deepEqual([a.links.members(), b.links.members()], [[b.id], [a.id]]);
    assert.ok(a.links.isMember(b.libp2p.peerId) && !a.links.isMember(a.libp2p.peerId));
    assert.deepEqual(changes, [[b.id, true]]);
    assert.equal(await handshakes(a, 'ok'), 1);
    await until(() => a.links.rttMs(b.id) !== undefined && b.links.rttMs(a.id) !== undefined, 'both have measured the way');
    assert.equal(a.links.rttMs(a.id), undefined);
  });

  it('tell how far the clock of the other relay is off, and the worst of them in the metric', async () => {
    const a = await nodes.start();
    const worst = async (node: LinkNode): Promise<number | undefined> => (await node.metrics.getSingleMetric('relayd_cluster_clock_skew_seconds')?.get())?.values[0]?.value;
    assert.equal(await worst(a), NaN, 'nothing is known yet');
    const aheadMs = 35_000;
    const b = await nodes.start({ configured: [a.addr], clock: { ...systemClock, wall: () => systemClock.wall() + aheadMs } });
    const c = await nodes.start({ configured: [a.addr] });
    await until(() => [b, c].every(({ id }) => a.links.skew(id) !== undefined && [b, c].every(({ links }) => links.skew(a.id) !== undefined)), 'all have compared their clocks');
    for (const [from, to, expectedMs] of [[a, b, aheadMs], [b, a, -aheadMs], [a, c, 0], [c, a, 0]] as const) {
      const skew = from.links.skew(to.id) ?? assert.fail();
      assert.ok(Math.abs(skew.aheadMs - expectedMs) <= skew.errorMs, JSON.stringify({ expectedMs, skew }));
    }
    // A later answer may say it otherwise by some milliseconds, and by half of a ping's second at most.
    for (const node of [a, b]) assert.equal(Math.round(((await worst(node)) ?? NaN) / 5) * 5, 35);
    assert.equal(a.links.skew(a.id), undefined);
  });

  for (const [what, options] of [['another secret', { secrets: ['a5'.repeat(32)] }], ['another cluster name', { cluster: 'other' }]] as const) {
    it(`do not stand where one has ${what}, and the relay that was told to link says so`, async () => {
      const a = await nodes.start();
      const warnings: object[] = [];
      const b = await nodes.start({ configured: [a.addr], ...options, log: recording(warnings) });
      await until(async () => (await handshakes(b, 'refused')) >= 2, 'b was refused twice');
      assert.ok((await handshakes(a, 'refused')) >= 2);
      assert.deepEqual([a.links.members(), b.links.members()], [[], []]);
      assert.equal(warnings.length, 1, 'and it says so once');
      assert.deepEqual([a.links.configured(), b.links.configured()], [[], [{ peer: a.id, isRefused: true }]]);
      await assert.rejects(b.links.ask(a.id, sync, bytes('x'), signal), code('CLOSED'));
      await assert.rejects(b.links.openStream(a.id, '/x', signal), code('CLOSED'));
    });
  }

  it('are closed to who replays what a relay said', async () => {
    const a = await nodes.start();
    const b = await nodes.start();
    const thief = await stranger();
    // The thief is dialled by b, relays a's nonce to it, and has b's proof.
    const proof = new Promise<Uint8Array>((resolve) => {
      void thief.handle(CLUSTER_PROTOCOL, async (stream) => {
        const outward = await intrude(thief, a);
        writeFrame(stream, await readFrame(outward.stream, { signal }));
        writeFrame(outward.stream, await readFrame(stream, { signal }));
        const sent = await readFrame(stream, { signal });
        writeFrame(outward.stream, sent);
        await outward.ended;
        resolve(sent);
        stream.abort(new Error('enough'));
      });
    });
    b.links.want([{ peer: thief.peerId.toString(), addrs: [addrOf(thief)] }]);
    const sent = await within(proof, 'a ends the stream of the thief');
    assert.equal(await handshakes(a, 'refused'), 1);
    const again = await intrude(thief, a);
    writeFrame(again.stream, encodeNonce(randomBytes(32)));
    writeFrame(again.stream, sent);
    await within(again.ended, 'a ends it again');
    assert.deepEqual([a.links.members(), b.links.members()], [[], []]);
  });

  it('are closed to who gives a relay its own proof back', async () => {
    const a = await nodes.start();
    const mirror = await stranger();
    const seen: number[] = [];
    void mirror.handle(CLUSTER_PROTOCOL, async (stream) => {
      writeFrame(stream, await readFrame(stream, { signal }));
      writeFrame(stream, await readFrame(stream, { signal }));
      seen.push(1);
    });
    a.links.want([{ peer: mirror.peerId.toString(), addrs: [addrOf(mirror)] }]);
    await until(async () => (await handshakes(a, 'refused')) >= 1, 'a refuses its own proof');
    assert.ok(seen.length > 0);
    assert.deepEqual(a.links.members(), []);
  });

  it('give a stranger a nonce and a reset, and nothing before it proves', async () => {
    const a = await nodes.start();
    const node = await stranger();
    const { stream, ended } = await intrude(node, a);
    assert.equal((await readFrame(stream, { signal })).byteLength, 34);
    writeFrame(stream, encodeNonce(randomBytes(32)));
    writeFrame(stream, encodeProof(randomBytes(32)));
    let more = 0;
    stream.addEventListener('message', (event) => (more += event.data.byteLength));
    await within(ended, 'the stream is reset');
    assert.equal(more, 0);
    assert.equal(await handshakes(a, 'refused'), 1);
    assert.equal(a.links.isMember(node.peerId), false);
  });

  it('reset a stranger who says nothing', async () => {
    const a = await nodes.start();
    const { ended } = await intrude(await stranger(), a);
    await within(ended, 'the stream is reset', 2 * PATIENCE_MS);
    assert.equal(await handshakes(a, 'failed'), 1);
  });

  it('stand through a flood of strangers', async () => {
    const a = await nodes.start();
    const crowd = await Promise.all(Array.from({ length: 12 }, stranger));
    const visits = await Promise.all(crowd.flatMap((node) => Array.from({ length: 8 }, () => intrude(node, a).catch(() => undefined))));
    const open = visits.filter((visit) => visit?.stream.status === 'open');
    await until(() => open.filter((visit) => visit?.stream.status === 'open').length <= 24, 'each has two at most');
    const b = await nodes.start({ configured: [a.addr] });
    await linked([a, b]);
  });

  it('settle on one where both dial at once', async () => {
    const [a, b] = await Promise.all([nodes.start(), nodes.start()]);
    a.links.answer(sync, () => bytes('a'));
    b.links.answer(sync, () => bytes('b'));
    // Connections first, so that both open their streams in the same moment.
    await Promise.all([a.libp2p.dial(multiaddr(b.addr)), b.libp2p.dial(multiaddr(a.addr))]);
    const gone: string[] = [];
    for (const { links } of [a, b]) links.onChange((relay, isMember) => isMember || gone.push(relay));
    a.links.want([{ peer: b.id, addrs: [b.addr] }]);
    b.links.want([{ peer: a.id, addrs: [a.addr] }]);
    await linked([a, b]);
    for (let i = 0; i < 20; i++) {
      assert.equal(text(await a.links.ask(b.id, sync, bytes(''), signal)), 'b');
      assert.equal(text(await b.links.ask(a.id, sync, bytes(''), signal)), 'a');
    }
    await until(() => streamsBetween(a, b) === 1 && streamsBetween(b, a) === 1, 'one stream is left');
    assert.deepEqual(gone, []);
  });

  it('come back when the other relay was restarted, and are wanted', async () => {
    const a = await nodes.start();
    const b = await nodes.start({ configured: [a.addr] });
    await linked([a, b]);
    const changes: boolean[] = [];
    b.links.onChange((_relay, isMember) => changes.push(isMember));
    await a.links.stop();
    await until(() => b.links.members().length === 0, 'b has noticed');
    await a.links.start();
    await linked([a, b]);
    assert.deepEqual(changes, [false, true]);
  });

  it('find out that the other side is cut off silently, and come back when it is not any more', async () => {
    const [a, b] = await nodes.mesh(2);
    const waiting = assert.rejects(a!.links.ask(b!.id, sync, bytes('x'), signal), code('CLOSED'));
    b!.links.answer(sync, () => new Promise(() => {}));
    const cutAt = performance.now();
    b!.network.cut();
    await until(() => a!.links.members().length === 0 && b!.links.members().length === 0, 'both have noticed');
    const noticedMs = performance.now() - cutAt;
    // What was heard last was heard at most a second before, on a machine that does not stand still.
    assert.ok(noticedMs > 1_000, `after ${noticedMs} ms`);
    await waiting;
    b!.network.heal();
    await linked([a!, b!]);
    assert.ok(a!.links.isMember(b!.libp2p.peerId));
  });

  it('come back over a new connection where an old one is silent', async () => {
    const [a, b] = await nodes.mesh(2);
    // The one of the link, and one that stays when that is given up.
    await a!.libp2p.dial(multiaddr(b!.addr), { force: true });
    await until(() => b!.libp2p.getConnections(a!.libp2p.peerId).length === 2, 'there are two');
    a!.network.stall();
    await until(() => a!.links.members().length === 0 && b!.links.members().length === 0, 'both have noticed');
    await linked([a!, b!]);
  });

  it('carry answers of the longest kind, and no longer ones', async () => {
    const [a, b] = await nodes.mesh(2);
    const longest = randomBytes(MAX_LINK_FRAME_BYTES);
    b!.links.answer(sync, (_from, question) => question);
    b!.links.answer(shares, () => new Uint8Array(MAX_LINK_FRAME_BYTES + 1));
    const answers = await Promise.all(Array.from({ length: 3 }, () => a!.links.ask(b!.id, sync, longest, signal)));
    assert.ok(answers.every((answer) => longest.equals(answer)));
    await assert.rejects(a!.links.ask(b!.id, shares, bytes('x'), signal), code('BAD_REQUEST'));
    await assert.rejects(a!.links.ask(b!.id, sync, new Uint8Array(MAX_LINK_FRAME_BYTES + 1), signal), code('BAD_REQUEST'));
  });

  it('answer many questions at once, whatever the order of the answers', async () => {
    const [a, b] = await nodes.mesh(2);
    b!.links.answer(sync, async (_from, question) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
      return question;
    });
    const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => a!.links.ask(b!.id, sync, bytes(String(i)), signal)));
    assert.deepEqual(answers.map(text), Array.from({ length: 500 }, (_, i) => String(i)));
  });

  it('refuse a question that nobody answers, and one whose handler throws, without its text', async () => {
    const [a, b] = await nodes.mesh(2);
    b!.links.answer(sync, () => {
      throw new Error('a secret');
    });
    await assert.rejects(a!.links.ask(b!.id, shares, bytes('x'), signal), code('BAD_REQUEST'));
    await assert.rejects(a!.links.ask(b!.id, sync, bytes('x'), signal), (error: Error) => code('BAD_REQUEST')(error) && !error.message.includes('secret'));
  });

  it('give a question up when its signal aborts', async () => {
    const [a, b] = await nodes.mesh(2);
    b!.links.answer(sync, () => new Promise(() => {}));
    const abort = new AbortController();
    const question = assert.rejects(a!.links.ask(b!.id, sync, bytes('x'), abort.signal), code('CLOSED'));
    abort.abort(new Error('too late'));
    await question;
    await assert.rejects(a!.links.ask(b!.id, sync, bytes('x'), abort.signal), code('CLOSED'));
  });

  it('are busy, in place of growing, when too many questions wait or are not read', async () => {
    const [a, b] = await nodes.mesh(2);
    b!.links.answer(sync, () => new Promise(() => {}));
    const abort = new AbortController();
    const many = Array.from({ length: 1_024 }, () => assert.rejects(a!.links.ask(b!.id, sync, bytes('x'), abort.signal), code('CLOSED')));
    await assert.rejects(a!.links.ask(b!.id, sync, bytes('x'), abort.signal), code('BUSY'));
    abort.abort();
    await Promise.all(many);
    b!.network.cut();
    const large = new Uint8Array(MAX_LINK_FRAME_BYTES);
    const results = await Promise.all(Array.from({ length: 16 }, () => a!.links.ask(b!.id, shares, large, AbortSignal.timeout(500)).catch((error: RelaydError) => error.code)));
    assert.ok(results.includes('BUSY'), results.join());
  });

  it('carry streams of other protocols on their connection', async () => {
    const [a, b] = await nodes.mesh(2);
    await b!.libp2p.handle('/test/echo', (stream) => {
      stream.addEventListener('message', (event) => stream.send(event.data));
      stream.addEventListener('remoteCloseWrite', () => closeStream(stream));
    });
    const stream = await a!.links.openStream(b!.id, '/test/echo', signal);
    writeFrame(stream, bytes('hello'));
    assert.equal(text(await readFrame(stream, { signal })), 'hello');
    stream.abort(new Error('done'));
    await assert.rejects(a!.links.openStream(b!.id, '/test/none', signal), code('CLOSED'));
  });

  it('are made to the relays that are wanted, over whichever address works, and never to this one', async () => {
    const a = await nodes.start();
    const b = await nodes.start();
    const dead = '/ip4/127.0.0.1/tcp/1';
    b.links.want([{ peer: b.id, addrs: [b.addr] }, { peer: a.id, addrs: ['/what/is/this', dead, a.addr] }]);
    await linked([a, b]);
    assert.deepEqual(b.links.members(), [a.id]);
    assert.ok(!b.links.isMember(peerIdFromString(b.id)));
  });

  it('are gone after a stop, and back after a start', async () => {
    const [a, b] = await nodes.mesh(2);
    await b!.links.stop();
    assert.deepEqual(b!.links.members(), []);
    assert.equal(streamsBetween(b!, a!), 0);
    await until(() => a!.links.members().length === 0, 'a has noticed');
    await b!.links.start();
    await linked([a!, b!]);
  });
});

function recording(warnings: object[]): NonNullable<Parameters<LinkNodes['start']>[0]>['log'] {
  const none = (): void => {};
  const log = { level: 'warn', trace: none, debug: none, info: none, error: none, warn: (line: object) => void warnings.push(line), child: () => log };
  return log as unknown as NonNullable<Parameters<LinkNodes['start']>[0]>['log'];
}
