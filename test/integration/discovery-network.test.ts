import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { bucketAt, networkKey } from '../../src/discovery/network-key.ts';
import type { CandidateRow } from '../../src/lib/contracts.ts';
import { missing } from '../interop/support/peers.ts';
import { DhtNetwork } from '../support/dht-network.ts';
import { untilHeld } from '../support/fleet.ts';
import type { Running } from '../support/fleet.ts';
import { until } from '../support/waiting.ts';

/** What `scripts/bench discovery` measures, with fewer nodes and generous bounds. */

const HELD_WITHIN_MS = 20_000;
const MOVED_WITHIN_MS = 30_000;

describe('a DHT of go, js and our nodes', { skip: missing('go'), timeout: 180_000 }, () => {
  let network: DhtNetwork;
  let client: Running;

  before(async () => {
    network = await DhtNetwork.start({ go: 2, js: 2, ours: 2, relays: 2 });
  });

  after(() => network.stop());

  for (const [index, kind] of ['go', 'js', 'our'].entries()) {
    it(`leads a client that knows one ${kind} node to both relays`, async () => {
      client = await network.client(`client-${index}`, network.servers[index] ?? '');
      await untilHeld(client, 2, HELD_WITHIN_MS);
      const rows = await client.daemon.get<CandidateRow[]>('/api/v1/relays');
      assert.deepEqual(rows.filter(({ source }) => source === 'dht').map(({ peer }) => peer).sort(), network.relays.map(({ ready }) => ready.peerId).sort());
    });
  }

  it('loses a relay that drains: no client uses it, and it is not in the records of the hours to come', async () => {
    const [gone, left] = network.relays;
    await gone?.daemon.post('/api/v1/drain', {});
    const isMoved = async (): Promise<boolean> => {
      const rows = await client.daemon.get<CandidateRow[]>('/api/v1/relays');
      return rows.every(({ peer, state }) => (state === 'reserved') === (peer === left?.ready.peerId));
    };
    await until(isMoved, 'the client holds the other alone', MOVED_WITHIN_MS);
    assert.equal(await gone?.daemon.ended, 'exit code 0');
    const later = networkKey({ network: 'main', realm: undefined }, bucketAt(Date.now()) + 2).toString();
    assert.ok(!(await network.providers(later)).includes(gone?.ready.peerId ?? ''));
  });
});
