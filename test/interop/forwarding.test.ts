import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { peerIdFromString } from '@libp2p/peer-id';
import type { ClusterView } from '../../src/lib/contracts.ts';
import { Status } from '../../src/lib/circuit/protocol.ts';
import { WirePeer } from '../support/wire-peer.ts';
import { until } from '../support/waiting.ts';
import type { Scrape } from './support/metrics.ts';
import { missing } from './support/peers.ts';
import type { PeerKind } from './support/peers.ts';
import { UNLIMITED } from './support/relay-daemon.ts';
import type { RelayDaemon } from './support/relay-daemon.ts';
import { MiB, clientReaches, peerReaches } from './support/relayed.ts';
import { Scene } from './support/scene.ts';

/** Standard peers at two relays of a cluster: whoever is reserved at one is reached through the other. */

const CALLERS: readonly PeerKind[] = ['go', 'rust', 'js3', 'js2'];

describe('a cluster of two relays', () => {
  for (const kind of ['go', 'rust', 'js3'] as const) {
    test(`a ${kind} peer that is reserved at the first is reached through the second by ${CALLERS.join(', ')} and our client`, { timeout: 120_000, skip: missing(kind, ...CALLERS) }, async (context) => {
      const scene = new Scene(context);
      const { exit, entry } = await cluster(scene);
      const target = await scene.peer(kind);
      await target.run('reserve', { relay: exit.addr });
      await untilKnown(context, entry, target.peerId);

      const before = await scrapes(entry, exit);
      const addr = entry.circuitTo(target.peerId);
      for (const caller of CALLERS) {
        const { limited } = await peerReaches(await scene.peer(caller), target.peerId, addr);
        assert.ok(limited !== true, 'a circuit without limits counts as a whole connection');
      }
      await clientReaches(await scene.client(), target.peerId, addr, entry.peerId);

      const [atEntry, atExit] = await Promise.all([entry.circuits(), exit.circuits()]);
      assert.deepEqual(atEntry.map(({ source }) => source).toSorted(), atExit.map(({ source }) => source).toSorted(), 'both know who the source is');
      assert.ok(atEntry.every(({ forwarded }) => forwarded?.relay === exit.peerId && forwarded.as === 'entry') && atExit.every(({ forwarded }) => forwarded?.relay === entry.peerId && forwarded.as === 'exit'));
      for (const row of [...atEntry, ...atExit]) assert.ok(row.bytesToTarget > MiB && row.bytesToSource > MiB, `a MiB each way: ${JSON.stringify(row)}`);
      await assertCountedOnce(before, entry, exit);
    });
  }

  // Go's autorelay announces the relay that it is connected to, whatever the reservation says.
  for (const kind of ['rust', 'js3', 'js2'] as const) {
    test(`a ${kind} peer announces both where its reservation names both, and is reached by what it announces`, { timeout: 60_000, skip: missing(kind) }, async (context) => {
      const scene = new Scene(context);
      const { exit, entry } = await cluster(scene, 'cluster');
      const target = await scene.peer(kind);
      await target.run('reserve', { relay: exit.addr });
      const both = [exit, entry].map((relay) => relay.circuitTo(target.peerId)).toSorted();
      await until(async () => (await target.run('addrs')).addrs.filter((addr) => addr.includes('/p2p-circuit')).toSorted().join() === both.join(), 'both to be announced');
      await untilKnown(context, entry, target.peerId);
      await peerReaches(await scene.peer(kind), target.peerId, entry.circuitTo(target.peerId));
    });
  }
});

async function cluster(scene: Scene, reservationAddrs: 'own' | 'cluster' = 'own'): Promise<{ exit: RelayDaemon; entry: RelayDaemon }> {
  const secret = randomBytes(32).toString('hex');
  const exit = await scene.relay({ limits: UNLIMITED, cluster: { secret, relays: [], reservationAddrs } });
  const entry = await scene.relay({ limits: UNLIMITED, cluster: { secret, relays: [exit.addr], reservationAddrs } });
  for (const relay of [exit, entry]) await until(async () => (await relay.get<ClusterView>('/api/v1/cluster')).relays.some(({ linked }) => linked === true), 'the two relays to know each other');
  return { exit, entry };
}

/** By a peer that has nothing but CONNECT: a dial that fails would make a library wait before it tries again. */
async function untilKnown(context: TestContext, relay: RelayDaemon, target: string): Promise<void> {
  const probe = await WirePeer.start();
  context.after(() => probe.stop());
  await probe.connect(relay.addr);
  await until(async () => {
    const { status, stream } = await probe.connectTo(peerIdFromString(target));
    stream.abort(new Error('that is all'));
    return status === Status.OK;
  }, 'the second relay to know of the reservation');
  await until(async () => (await relay.circuits()).length === 0, 'the circuit of the probe to be over');
}

function scrapes(...relays: RelayDaemon[]): Promise<Scrape[]> {
  return Promise.all(relays.map((relay) => relay.metrics()));
}

/** The sum over the cluster is what one relay would have counted. */
async function assertCountedOnce(before: readonly Scrape[], entry: RelayDaemon, exit: RelayDaemon): Promise<void> {
  let now: Scrape[] = [];
  const moved = (i: number, name: string, labels?: Record<string, string>): number => (now[i]?.value(name, labels) ?? NaN) - (before[i]?.value(name, labels) ?? NaN);
  const rows = async (relay: RelayDaemon): Promise<number> => (await relay.circuits()).reduce((sum, { bytesToTarget, bytesToSource }) => sum + bytesToTarget + bytesToSource, 0);
  await until(async () => {
    const carried = await rows(entry);
    now = await scrapes(entry, exit);
    // Peers may chat: what is compared is one moment in which nothing moved.
    return carried === (await rows(exit)) && carried === moved(0, 'libp2p_relaysvc_data_transferred_bytes_total');
  }, 'both relays to have counted the same bytes');
  assert.ok(moved(0, 'libp2p_relaysvc_data_transferred_bytes_total') > 2 * MiB * CALLERS.length);
  assert.deepEqual([moved(0, 'libp2p_relaysvc_connections_total', { type: 'opened' }), moved(1, 'libp2p_relaysvc_connections_total', { type: 'opened' })], [CALLERS.length + 1, 0]);
  assert.equal(now[1]?.value('libp2p_relaysvc_data_transferred_bytes_total'), 0);
  assert.equal(moved(1, 'relayd_forward_bytes_total', { direction: 'in' }), moved(0, 'relayd_forward_bytes_total', { direction: 'out' }));
  assert.equal(moved(0, 'relayd_forward_bytes_total', { direction: 'out' }), moved(0, 'libp2p_relaysvc_data_transferred_bytes_total'));
}
