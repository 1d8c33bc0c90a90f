import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { Alternatives } from '../../../src/relay/alternatives.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

describe('Alternatives', () => {
  it('are the configured relays, then those found, each once, at most eight, never this one', async () => {
    const [own, ...others] = await makePeerIds(13);
    const addr = (i: number): string => `/ip4/192.0.2.${i}/tcp/4001/p2p/${others[i]}`;
    assert.ok(own);
    const alternatives = new Alternatives(own, [addr(0), `/ip4/192.0.2.1/tcp/1/p2p/${own}`]);
    assert.deepEqual(alternatives.texts, [addr(0)]);
    alternatives.setFound([addr(0), addr(1), `/ip4/192.0.2.1/tcp/1/p2p/${own}`, '/ip4/192.0.2.9/tcp/1', `${addr(2)}/p2p-circuit/p2p/${others[3]}`].map((text) => multiaddr(text)));
    assert.deepEqual(alternatives.texts, [addr(0), addr(1)]);
    assert.deepEqual(alternatives.addrs.map(String), alternatives.texts);
    alternatives.setFound(Array.from({ length: 12 }, (_, i) => multiaddr(addr(i))));
    alternatives.configure([addr(11)]);
    assert.deepEqual(alternatives.texts, [addr(11), ...[0, 1, 2, 3, 4, 5, 6].map(addr)]);
  });
});
