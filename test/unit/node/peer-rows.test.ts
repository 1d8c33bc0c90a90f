import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Libp2p } from 'libp2p';
import { peerRows } from '../../../src/node/status.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

const PEERS = 250;

/** As much of a host as is asked for its peers. */
async function host(): Promise<{ libp2p: Libp2p; peers: string[]; lookups: () => number }> {
  const ids = await makePeerIds(PEERS);
  let lookups = 0;
  const connections = ids.map((remotePeer, i) => ({ remotePeer, remoteAddr: multiaddr(`/ip4/192.0.2.1/tcp/${1024 + i}`), direction: 'inbound', timeline: { open: 0 }, streams: [] }) as unknown as Connection);
  const peerStore = {
    get: async () => {
      lookups++;
      return { metadata: new Map([['AgentVersion', new TextEncoder().encode('go-libp2p/1')]]) };
    },
  };
  return { libp2p: { getConnections: () => connections, peerStore } as unknown as Libp2p, peers: ids.map(String), lookups: () => lookups };
}

describe('the rows of the peers', () => {
  it('are all there, in order, and each peer is looked up once', async () => {
    const { libp2p, peers, lookups } = await host();
    const sources = { internal: new Set<string>(), reserved: new Set([peers[7] ?? '']), upgradeOf: () => ({ state: 'none' as const }) };
    const rows = await peerRows(libp2p, sources);
    assert.deepEqual(rows.map(({ peer }) => peer), peers);
    assert.deepEqual(rows.flatMap(({ peer, reserved }) => (reserved ? [peer] : [])), [peers[7]]);
    assert.deepEqual(await peerRows(libp2p, sources), rows);
    assert.equal(lookups(), PEERS);
  });

  it('let the event loop go on between them', async () => {
    const { libp2p } = await host();
    let turns = 0;
    const count = (): void => void (turns++, (timer = setImmediate(count)));
    let timer = setImmediate(count);
    await peerRows(libp2p, { internal: new Set(), reserved: new Set(), upgradeOf: () => ({ state: 'none' }) });
    clearImmediate(timer);
    assert.ok(turns >= 2, `${turns} turns`);
  });
});
