import type { IdentifyResult } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Observations } from '../../../src/reachability/dcutr-observations.ts';
import { settled } from '../../support/waiting.ts';
import { FakeLink, newPeer } from './dcutr-support.ts';

const SEEN_AT = '/ip4/45.0.2.2/tcp/40000';

const told = ({ connection }: FakeLink, observedAddr: string, listenAddrs: string[] = []): CustomEvent<IdentifyResult> =>
  new CustomEvent('peer:identify', { detail: { connection, observedAddr: multiaddr(observedAddr), listenAddrs: listenAddrs.map((addr) => multiaddr(addr)) } as unknown as IdentifyResult });

const closing = ({ connection }: FakeLink): CustomEvent => new CustomEvent('connection:close', { detail: connection });

describe('where this node is seen', () => {
  it('is what the peers say that it has dialled, the relay of a circuit first, for as long as the connection lasts', async () => {
    const seen = new Observations();
    const [one, two] = [new FakeLink(await newPeer(), '/ip4/45.0.1.2/tcp/1', 'outbound'), new FakeLink(await newPeer(), '/ip4/45.0.1.3/tcp/1', 'outbound')];
    seen.identified(told(one, `${SEEN_AT}/p2p/${one.remotePeer.toString()}`));
    seen.identified(told(two, '/ip4/45.0.2.2/tcp/40001'));
    const list = (relay?: FakeLink): string[] => seen.list(relay?.remotePeer.toString()).map(({ seenAt }) => seenAt.toString());
    assert.deepEqual(list(one), [SEEN_AT, '/ip4/45.0.2.2/tcp/40001']);
    assert.deepEqual(list(two), ['/ip4/45.0.2.2/tcp/40001', SEEN_AT]);
    seen.closed(closing(one));
    assert.deepEqual(list(), ['/ip4/45.0.2.2/tcp/40001']);
  });

  it('is not what a peer says that came by itself, or over a relay, or that names a circuit', async () => {
    const seen = new Observations();
    const peer = await newPeer();
    const circuit = `/ip4/45.0.1.2/tcp/1/p2p/${peer.toString()}/p2p-circuit`;
    seen.identified(told(new FakeLink(peer, '/ip4/45.0.1.2/tcp/1', 'inbound'), SEEN_AT));
    seen.identified(told(new FakeLink(peer, circuit, 'outbound'), SEEN_AT));
    seen.identified(told(new FakeLink(peer, '/ip4/45.0.1.2/tcp/1', 'outbound'), circuit));
    assert.deepEqual(seen.list(undefined), []);
  });
});

describe('what a peer says of itself', () => {
  it('is known once identify has run on its connection: its direct addresses, sixteen at most', async () => {
    const seen = new Observations();
    const link = new FakeLink(await newPeer(), '/ip4/45.0.1.2/tcp/1', 'inbound');
    let known = false;
    const identified = seen.untilIdentified(link.connection).then(() => (known = true));
    await settled();
    assert.equal(known, false);
    const many = Array.from({ length: 20 }, (_, i) => `/ip4/45.0.3.2/tcp/${i + 1}`);
    seen.identified(told(link, SEEN_AT, [`/ip4/45.0.1.2/tcp/1/p2p/${link.remotePeer.toString()}/p2p-circuit`, ...many]));
    await identified;
    await seen.untilIdentified(link.connection);
    assert.deepEqual(seen.told(link.connection).map(String), many.slice(0, 16));
  });
});
