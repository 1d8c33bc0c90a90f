import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { reachOf } from '../../../src/lib/addresses.ts';
import { inOrderFor, ownCandidates } from '../../../src/reachability/autonat-candidates.ts';

interface Sources {
  listen?: string[];
  announce?: string[];
  observed?: string[];
}

/** Own addresses as they are, guesses in brackets. */
function candidates({ listen = [], announce = [], observed = [] }: Sources): string[] {
  const found = ownCandidates({ listen: listen.map((addr) => multiaddr(addr)), announce: announce.map((addr) => multiaddr(addr)), observed, mayTell: (addr) => reachOf(addr) === 'public' });
  return found.map(({ addr, guessed }) => (guessed ? `[${addr.toString()}]` : addr.toString()));
}

const QUIC = '/udp/4001/quic-v1';

describe('the addresses that a node has checked', () => {
  it('are those that it may tell, without its id', () => {
    const listen = ['/ip4/8.8.8.8/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN', '/ip4/10.0.0.2/tcp/4001', '/ip6/2001:4860::1/tcp/4001', '/ip4/127.0.0.1/tcp/4001'];
    assert.deepEqual(candidates({ listen }), ['/ip4/8.8.8.8/tcp/4001', '/ip6/2001:4860::1/tcp/4001']);
  });

  it("are the operator's in place of the sockets'", () => {
    assert.deepEqual(candidates({ listen: ['/ip4/8.8.8.8/tcp/4001'], announce: ['/ip4/9.9.9.9/tcp/4001'], observed: ['1.1.1.1'] }), ['/ip4/9.9.9.9/tcp/4001']);
  });

  it('are its ports under the addresses that peers see, each once, behind its own', () => {
    const listen = ['/ip4/10.0.0.2/tcp/4001', '/ip4/127.0.0.1/tcp/4001', `/ip4/10.0.0.2${QUIC}`, '/ip4/8.8.8.8/tcp/4002', '/ip6/::1/tcp/4001'];
    assert.deepEqual(candidates({ listen, observed: ['9.9.9.9'] }), ['/ip4/8.8.8.8/tcp/4002', '[/ip4/9.9.9.9/tcp/4001]', `[/ip4/9.9.9.9${QUIC}]`, '[/ip4/9.9.9.9/tcp/4002]']);
    assert.deepEqual(candidates({ listen, observed: ['2001:4860::1'] }), ['/ip4/8.8.8.8/tcp/4002', '[/ip6/2001:4860::1/tcp/4001]']);
    assert.deepEqual(candidates({ listen: ['/ip4/8.8.8.8/tcp/4002'], observed: ['8.8.8.8'] }), ['/ip4/8.8.8.8/tcp/4002'], 'what peers see and the node has is its own');
    assert.deepEqual(candidates({ listen, observed: ['192.168.1.1'] }), ['/ip4/8.8.8.8/tcp/4002']);
  });

  it('take the place of a name, which no server looks up', () => {
    assert.deepEqual(candidates({ announce: ['/dns4/example.org/tcp/443', '/ip4/8.8.8.8/tcp/1', '/dns6/example.org/tcp/444'], observed: ['9.9.9.9'] }), ['/ip4/8.8.8.8/tcp/1', '[/ip4/9.9.9.9/tcp/443]']);
    assert.deepEqual(candidates({ announce: ['/dns/example.org/tcp/443'], observed: ['9.9.9.9', '2001:4860::1'] }), ['[/ip4/9.9.9.9/tcp/443]', '[/ip6/2001:4860::1/tcp/443]']);
  });

  it('are sixteen at most, its own first', () => {
    const observed = Array.from({ length: 32 }, (_, i) => `9.9.9.${i}`);
    const found = candidates({ listen: ['/ip4/8.8.8.8/tcp/1'], observed });
    assert.equal(found.length, 16);
    assert.equal(found[0], '/ip4/8.8.8.8/tcp/1');
  });

  it('are given to a peer in the order in which it will dial one at once', () => {
    const [first, second] = ['/ip4/8.8.8.8/tcp/1', '/ip6/2001:4860::1/tcp/1'].map((addr) => ({ addr: multiaddr(addr), guessed: false }));
    assert.ok(first && second);
    assert.deepEqual(inOrderFor([first, second], '2001:4860::1'), [second, first]);
    assert.deepEqual(inOrderFor([first, second], undefined), [first, second]);
  });
});
