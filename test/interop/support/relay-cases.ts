import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { formatRealmKey } from '../../../src/lib/membership/realm-key.ts';
import { eventually } from '../../conformance/waiting.ts';
import type { Failure } from './answers.ts';
import type { PeerProcess } from './peer-process.ts';
import { missing } from './peers.ts';
import type { PeerKind, PeerOptions } from './peers.ts';
import { UNLIMITED } from './relay-daemon.ts';
import type { RelayDaemon } from './relay-daemon.ts';
import { MiB, clientReaches, peerReaches } from './relayed.ts';
import { Scene } from './scene.ts';

/** What every implementation must be able to do at our relay; each file of this room plays these with its own peers. */

const TIMEOUT = { timeout: 60_000 };
const SETTLE_MS = 15_000;

/** A peer reserves at our relay, and is reached through it by peers of other implementations and by our client. */
export function reachedThroughOurRelay(kind: PeerKind, callers: readonly PeerKind[], security?: PeerOptions['security']): void {
  const name = `a ${kind} peer is reached through our relay by ${callers.join(', ')} and our client${security === undefined ? '' : ` over ${security}`}`;
  test(name, { ...TIMEOUT, skip: missing(kind, ...callers) }, async (context) => {
    const scene = new Scene(context);
    const [relay, target] = await Promise.all([scene.relay({ limits: UNLIMITED }), scene.peer(kind, { security })]);
    await target.run('reserve', { relay: relay.addr });
    await assertEncryption(target, relay, security);
    assert.deepEqual((await relay.reservations()).map(({ peer, class: of, renewals }) => ({ peer, of, renewals })), [{ peer: target.peerId, of: 'public', renewals: 0 }]);

    const addr = relay.circuitTo(target.peerId);
    const peers = await Promise.all(callers.map((caller) => scene.peer(caller, { security })));
    for (const caller of peers) {
      const { limited } = await peerReaches(caller, target.peerId, addr);
      assert.ok(limited !== true, 'a circuit without limits counts as a whole connection');
    }
    const client = await scene.client();
    await clientReaches(client, target.peerId, addr, relay.peerId);

    const sources = [...peers.map(({ peerId }) => peerId), client.peerId];
    await assertCircuits(relay, sources, target.peerId);
    await Promise.all([...peers.map((caller) => caller.stop()), client.stop()]);
    await assertOver(relay, sources.length);
    await target.stop();
    await eventually(async () => (await relay.reservations()).length === 0, SETTLE_MS, 'the end of the reservation with its peer');
  });
}

/** Only go and js say how a connection is encrypted; a peer that offers one way has no other. */
async function assertEncryption(peer: PeerProcess, relay: RelayDaemon, security: PeerOptions['security']): Promise<void> {
  const { connections } = await peer.run('connections');
  const used = connections.find((connection) => connection.peer === relay.peerId)?.security;
  if (used !== undefined && security !== undefined) {
    assert.equal(used, { noise: '/noise', tls: '/tls/1.0.0' }[security]);
  }
}

async function assertCircuits(relay: RelayDaemon, sources: readonly string[], target: string): Promise<void> {
  const rows = await relay.circuits();
  assert.deepEqual(rows.map((row) => row.source).toSorted(), sources.toSorted());
  for (const row of rows) {
    assert.equal(row.target, target);
    assert.ok(row.bytesToTarget > MiB && row.bytesToSource > MiB, `a MiB each way: ${JSON.stringify(row)}`);
  }
  const scrape = await relay.metrics();
  assert.equal(scrape.value('libp2p_relaysvc_connections_total', { type: 'opened' }), sources.length);
  assert.equal(scrape.value('libp2p_relaysvc_connection_request_response_status_total', { status: 'ok' }), sources.length);
  assert.equal(scrape.value('libp2p_relaysvc_reservations_total', { type: 'opened' }), 1);
  assert.equal(scrape.value('libp2p_relaysvc_reservation_request_response_status_total', { status: 'ok' }), 1);
  const moved = rows.reduce((sum, row) => sum + row.bytesToTarget + row.bytesToSource, 0);
  assert.ok(scrape.value('libp2p_relaysvc_data_transferred_bytes_total') >= moved);
}

async function assertOver(relay: RelayDaemon, circuits: number): Promise<void> {
  await eventually(async () => (await relay.circuits()).length === 0, SETTLE_MS, 'the end of every circuit with its source');
  const scrape = await relay.metrics();
  assert.equal(scrape.value('libp2p_relaysvc_connections_total', { type: 'closed' }), circuits);
  assert.equal(scrape.value('libp2p_relaysvc_connection_duration_seconds_count'), circuits);
}

/** Peers read the limits of a default relay as they are meant, and stay in force. */
export function readsOurLimits(kind: PeerKind): void {
  test(`a ${kind} peer reads the limits of our relay, and cannot pass them`, { ...TIMEOUT, skip: missing(kind) }, async (context) => {
    const scene = new Scene(context);
    const [relay, target, caller] = await Promise.all([scene.relay(), scene.peer(kind), scene.peer(kind)]);
    const reserved = await target.run('reserve', { relay: relay.addr });
    if (reserved.limitBytes !== undefined) {
      assert.deepEqual([reserved.limitDurationSeconds, reserved.limitBytes], [120, 131_072]);
    }
    const { limited, limits } = await peerReaches(caller, target.peerId, relay.circuitTo(target.peerId), 65_536);
    assert.ok(limited !== false);
    if (limits !== undefined) {
      // It counts down, in time and bytes, by what its own handshake took.
      assert.ok(limits !== null && limits.seconds !== null && limits.seconds <= 120 && limits.seconds > 100, String(limits?.seconds));
      assert.ok(limits.bytes !== null && limits.bytes <= 131_072 && limits.bytes > 131_072 - 4_096, String(limits.bytes));
    }
    await caller.failure('echo', { peer: target.peerId, bytes: MiB });
    await eventually(async () => (await relay.circuits()).length === 0, SETTLE_MS, 'the end of a circuit over its limit');
    assert.equal((await relay.metrics()).value('relayd_relay_circuits_ended_total', { reason: 'byte limit', class: 'public' }), 1);
    assert.equal((await relay.reservations()).length, 1, 'the reservation outlives the circuit');
  });
}

/** A relay without limits sends none: not a limit of nothing. */
export function readsNoLimits(kind: 'go' | 'rust'): void {
  test(`a ${kind} peer sees that our relay sets no limits`, { ...TIMEOUT, skip: missing(kind) }, async (context) => {
    const scene = new Scene(context);
    const [relay, target] = await Promise.all([scene.relay({ limits: UNLIMITED }), scene.peer(kind)]);
    const { limitDurationSeconds, limitBytes } = await target.run('reserve', { relay: relay.addr });
    const none = { go: 0, rust: null }[kind];
    assert.deepEqual([limitDurationSeconds, limitBytes], [none, none]);
  });
}

/** What a peer says of a refusal. rust has no numbers, but a text of its own for each status that it knows. */
const RUST_TEXTS: Record<number, string> = {
  200: 'Reservation refused.',
  201: 'Remote reported resource limit exceeded.',
  204: 'Relay has no reservation for destination.',
};

function assertRefusal(kind: PeerKind, failure: Failure, status: number): void {
  if (kind === 'rust') {
    assert.ok(failure.error.includes(RUST_TEXTS[status] ?? 'no text'), failure.error);
  } else {
    assert.equal(failure.status, status, failure.error);
    assert.ok(failure.fromRelay !== false, 'the status is the relay\'s own');
  }
}

export function understandsOurRefusals(kind: PeerKind): void {
  test(`a ${kind} peer understands why our relay refuses`, { ...TIMEOUT, skip: missing(kind) }, async (context) => {
    const scene = new Scene(context);
    const [full, crowded] = await Promise.all([
      scene.relay({ limits: { reservations: { max: 1 } } }),
      scene.relay({ limits: { reservations: { perPrefix: 1 } }, exempt: [] }),
    ]);
    const [first, second, third] = await Promise.all([scene.peer(kind), scene.peer(kind), scene.peer(kind)]);
    await first.run('reserve', { relay: full.addr });
    assertRefusal(kind, await second.failure('reserve', { relay: full.addr }), 200);
    await first.run('reserve', { relay: crowded.addr });
    assertRefusal(kind, await second.failure('reserve', { relay: crowded.addr }), 201);
    assertRefusal(kind, await second.failure('connect', { addr: full.circuitTo(third.peerId) }), 204);
    await assertRefusalsCounted(full, crowded);
  });
}

/** Who knows nothing of tokens is a member by its id, and is told by the status that it is none. */
export function servesMembersByPeerId(kind: PeerKind): void {
  test(`a ${kind} peer is served by a relay of a realm when it is a member, and denied when it is not`, { ...TIMEOUT, skip: missing(kind) }, async (context) => {
    const scene = new Scene(context);
    const [target, caller, stranger] = await Promise.all([scene.peer(kind), scene.peer(kind), scene.peer(kind)]);
    const authority = formatRealmKey(randomBytes(32));
    const relay = await scene.relay({ realm: { name: 'home', authority, members: [target.peerId, caller.peerId] } });
    await target.run('reserve', { relay: relay.addr });
    await peerReaches(caller, target.peerId, relay.circuitTo(target.peerId));
    assert.deepEqual((await relay.circuits()).map((row) => row.class), ['member']);
    const denied = await stranger.failure('reserve', { relay: relay.addr });
    // To rust, a RESERVE that is refused with anything but 200 and 201 is a protocol error.
    if (kind !== 'rust') assertRefusal(kind, denied, 202);
    const scrape = await relay.metrics();
    assert.equal(scrape.value('relayd_relay_refusals_total', { request: 'reserve', limit: 'members only', class: 'public' }), 1);
    assert.equal(scrape.value('libp2p_relaysvc_reservation_rejections_total', { reason: 'permission denied' }), 1);
  });
}

async function assertRefusalsCounted(full: RelayDaemon, crowded: RelayDaemon): Promise<void> {
  const [atFull, atCrowded] = await Promise.all([full.metrics(), crowded.metrics()]);
  const refusals = 'relayd_relay_refusals_total';
  assert.equal(atFull.value(refusals, { request: 'reserve', limit: 'reservations.max', class: 'public' }), 1);
  assert.equal(atFull.value('libp2p_relaysvc_reservation_rejections_total', { reason: 'resource limit exceeded' }), 1);
  assert.equal(atFull.value(refusals, { request: 'connect', limit: 'no reservation', class: 'public' }), 1);
  assert.equal(atFull.value('libp2p_relaysvc_connection_rejections_total', { reason: 'no reservation' }), 1);
  assert.equal(atCrowded.value(refusals, { request: 'reserve', limit: 'reservations.perPrefix', class: 'public' }), 1);
  assert.equal(atCrowded.value('libp2p_relaysvc_reservation_rejections_total', { reason: 'ip constraint violation' }), 1);
}
