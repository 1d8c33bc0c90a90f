import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { peerIdFromString } from '@libp2p/peer-id';
import { Fleet, untilHeld } from '../support/fleet.ts';
import type { Running } from '../support/fleet.ts';
import { until } from '../support/waiting.ts';
import { WirePeer } from '../support/wire-peer.ts';

/** Every series that go-libp2p's dashboards read is there, and moves when the thing happens. */

let fleet: Fleet;

before(async () => {
  fleet = await Fleet.create();
});

after(async () => {
  await fleet.stopAll();
});

type Samples = Map<string, number>;

async function scrape({ ready }: Running): Promise<Samples> {
  const text = await (await fetch(`${ready.admin}/metrics`, { signal: AbortSignal.timeout(10_000) })).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

async function untilMoved(node: Running, series: readonly string[]): Promise<void> {
  let still: string[] = [];
  const moved = async (): Promise<boolean> => {
    const samples = await scrape(node);
    still = series.filter((name) => !((samples.get(name) ?? 0) > 0));
    return still.length === 0;
  };
  await until(moved, 'every series moved', 20_000).catch(() => assert.fail(`${node.daemon.name}: did not move: ${still.join(', ')}`));
}

const RELAY = [
  'libp2p_relaysvc_status',
  'libp2p_relaysvc_data_transferred_bytes_total',
  'libp2p_relaysvc_connection_duration_seconds_count',
  'libp2p_relaysvc_connection_duration_seconds_sum',
  ...['opened', 'renewed', 'closed'].map((type) => `libp2p_relaysvc_reservations_total{type="${type}"}`),
  ...['opened', 'closed'].map((type) => `libp2p_relaysvc_connections_total{type="${type}"}`),
  ...['ok', 'rejected'].map((status) => `libp2p_relaysvc_reservation_request_response_status_total{status="${status}"}`),
  ...['ok', 'rejected', 'error'].map((status) => `libp2p_relaysvc_connection_request_response_status_total{status="${status}"}`),
  ...['resource limit exceeded', 'malformed message'].map((reason) => `libp2p_relaysvc_reservation_rejections_total{reason="${reason}"}`),
  'libp2p_relaysvc_connection_rejections_total{reason="no reservation"}',
];

const CLIENT = [
  'libp2p_autorelay_status',
  'libp2p_autorelay_desired_reservations',
  'libp2p_autorelay_relay_addresses_count',
  'libp2p_autorelay_candidate_loop_state',
  'libp2p_autorelay_reservations_opened_total',
  'libp2p_autorelay_reservations_closed_total',
  'libp2p_autorelay_relay_addresses_updated_total',
  'libp2p_autorelay_candidates_circuit_v2_support_total{support="yes"}',
  'libp2p_autorelay_candidates_total{type="added"}',
  'libp2p_autorelay_reservation_requests_outcome_total{request_type="new",outcome="success"}',
  'libp2p_autorelay_reservation_requests_outcome_total{request_type="new",outcome="connection failed"}',
  'libp2p_autorelay_reservation_requests_outcome_total{request_type="refresh",outcome="success"}',
  'libp2p_autorelay_scheduled_work_time{work_type="reservation refresh"}',
];

test('libp2p_relaysvc_* and libp2p_autorelay_* move when the thing happens', { timeout: 120_000 }, async (t) => {
  const limits = { reservations: { max: 2, ttl: '4s' } };
  const relay = await fleet.start('relay', { role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0'] }, relay: { limits } });
  const addr = relay.ready.addrs[0] ?? '';
  const client = await fleet.start('client', { role: 'client', client: { relays: [addr] } });
  await untilHeld(client, 1);

  const peers: WirePeer[] = [];
  t.after(async () => void (await Promise.all(peers.map((peer) => peer.stop()))));
  const connected = async (): Promise<WirePeer> => {
    const peer = await WirePeer.start();
    peers.push(peer);
    await peer.connect(addr);
    return peer;
  };
  const [target, source] = [await connected(), await connected()];
  assert.equal((await target.reserve()).status, 100);
  assert.equal((await source.reserve()).status, 200, 'the pool of two is full');

  const circuit = await source.connectTo(target.peerId);
  circuit.stream.send(new Uint8Array(1000));
  await untilMoved(relay, ['libp2p_relaysvc_data_transferred_bytes_total']);
  circuit.stream.abort(new Error('enough'));
  assert.equal((await source.connectTo(source.peerId)).status, 202);
  assert.equal((await source.request({ type: undefined })).status, 400);
  assert.equal((await source.connectTo(peerIdFromString(relay.ready.peerId))).status, 204);
  // Its four seconds may be over where the machine is slow.
  assert.equal((await target.reserve()).status, 100);
  // A target that does not take the circuit makes the relay answer 203, which go-libp2p's metric calls an error.
  target.script = ({ stream }) => stream.abort(new Error('not today'));
  assert.equal((await source.connectTo(target.peerId)).status, 203);
  await target.stop();

  await untilMoved(relay, RELAY);
  await untilMoved(client, CLIENT.filter((name) => !name.includes('connection failed') && !name.includes('closed')));
  await fleet.kill('relay');
  await untilMoved(client, CLIENT.filter((name) => name.includes('connection failed') || name.includes('closed')));
  const seeded = await scrape(client);
  for (const work of ['reservation refresh', 'clear backoff', 'old candidate check', 'allowed peer source call']) {
    assert.ok(seeded.has(`libp2p_autorelay_scheduled_work_time{work_type="${work}"}`), work);
  }
});
