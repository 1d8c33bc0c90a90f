import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { RelayNode } from '../../src/index.ts';
import { LISTEN, Nodes } from '../support/nodes.ts';
import { TraceCollector } from '../support/trace-collector.ts';
import { until, within } from '../support/waiting.ts';
import { WirePeer } from '../support/wire-peer.ts';

const SERVER = 2;
const CLIENT = 3;
const STOPPED_WITHIN_MS = 10_000;

const nodes = new Nodes();
const peers: WirePeer[] = [];

async function peerOf(relay: RelayNode): Promise<WirePeer> {
  const peer = await WirePeer.start();
  peers.push(peer);
  await peer.connect(relay.addrs[0] ?? '');
  return peer;
}

function relayConfig(endpoint: string, sampleRatio: number): Parameters<Nodes['start']>[1] {
  return { role: 'relay', network: { listen: LISTEN }, relay: { maxEventLoopDelay: 'unlimited', limits: { reservations: { max: 1 } }, prefixes: { exempt: ['127.0.0.0/8'] } }, tracing: { endpoint, sampleRatio } };
}

after(async () => {
  await Promise.all(peers.map((peer) => peer.stop()));
  await nodes.stopAll();
});

describe('traces', () => {
  let collector: TraceCollector;

  before(async () => {
    collector = await TraceCollector.start();
    const relay = await nodes.start('relay', relayConfig(collector.url, 1));
    const [target, source] = [await peerOf(relay), await peerOf(relay)];
    assert.equal((await target.reserve()).status, 100);
    assert.equal((await source.reserve()).status, 200);
    assert.equal((await source.connectTo(target.peerId)).status, 100);
    target.script = ({ stream }) => stream.abort(new Error('not today'));
    assert.equal((await source.connectTo(target.peerId)).status, 203);
    // The node's own check is no request of anybody's.
    assert.deepEqual(await relay.view.readinessProblems(AbortSignal.timeout(STOPPED_WITHIN_MS)), []);
    await nodes.stop('relay');
  });

  after(() => collector.stop());

  it('of what waits to be sent reach the collector when the node stops', () => {
    assert.deepEqual([...collector.paths], ['/v1/traces']);
    const { 'service.name': name, 'relayd.role': role } = collector.resource;
    assert.deepEqual([name, role], ['relayd', 'relay']);
    assert.deepEqual([collector.named('RESERVE').length, collector.named('CONNECT').length], [2, 2]);
  });

  it('say what became of a RESERVE, and which limit refused it', () => {
    const [ok, refused] = collector.named('RESERVE');
    assert.deepEqual(ok?.attributes, { 'relayd.class': 'public', 'relayd.status': 'OK' });
    assert.deepEqual(refused?.attributes, { 'relayd.class': 'public', 'relayd.status': 'RESERVATION_REFUSED', 'relayd.limit': 'reservations.max' });
    assert.deepEqual([ok?.kind, ok?.parentSpanId ?? '', ok?.statusCode], [SERVER, '', 0]);
    assert.deepEqual(ok === undefined || refused === undefined ? [] : [collector.stagesOf(ok), collector.stagesOf(refused)], [['admission', 'voucher'], ['admission']]);
  });

  it('show the STOP of a CONNECT as a part of it, also when the target does not take it', () => {
    const [ok, failed] = collector.named('CONNECT');
    assert.deepEqual([ok?.attributes['relayd.status'], failed?.attributes['relayd.status'], failed?.attributes['relayd.limit']], ['OK', 'CONNECTION_FAILED', 'connection failed']);
    for (const root of [ok, failed]) assert.deepEqual(root === undefined ? [] : collector.stagesOf(root), ['admission', 'STOP']);
    assert.deepEqual(collector.named('STOP').map(({ kind }) => kind), [CLIENT, CLIENT]);
    assert.ok(collector.spans.every((span) => BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano)));
  });

  it('name no peer and no address', () => {
    for (const text of [...peers.map(({ peerId }) => peerId.toString()), '127.0.0.1', '/ip4/']) {
      assert.ok(!collector.bodies.some((body) => body.includes(text)), text);
    }
  });
});

describe('tracing', () => {
  it('leaves out what the sample leaves out', async () => {
    const collector = await TraceCollector.start();
    const relay = await nodes.start('unsampled', relayConfig(collector.url, 0));
    const peer = await peerOf(relay);
    assert.equal((await peer.reserve()).status, 100);
    await nodes.stop('unsampled');
    assert.equal(collector.requests, 0);
    await collector.stop();
  });

  it('does not hold up requests or the stop of a node when the collector takes nothing and says nothing', async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const relay = await nodes.start('held-up', relayConfig(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`, 1));
    const peer = await peerOf(relay);
    assert.equal((await peer.reserve()).status, 100);
    await within(nodes.stop('held-up'), 'the node to stop', STOPPED_WITHIN_MS);
    await until(() => sockets.size > 0, 'the traces to have been offered');
    sockets.forEach((socket) => socket.destroy());
    silent.close();
  });
});
