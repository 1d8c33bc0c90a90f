import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { chooseTarget } from '../../../src/reachability/autonat-target.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

describe('the address that a server dials', () => {
  let asker: PeerId;
  let other: PeerId;

  before(async () => {
    [asker, other] = (await makePeerIds(2)) as [PeerId, PeerId];
  });

  async function chosen(addrs: string[], { from = '/ip4/8.9.10.7/tcp/50000', allowPrivate = false, isDialable = true } = {}): Promise<string | undefined> {
    const target = await chooseTarget(addrs.map((addr) => multiaddr(addr).bytes), { peer: asker, addr: multiaddr(from) }, { allowPrivate, isDialable: () => Promise.resolve(isDialable) });
    return target === undefined ? undefined : `${target.index} ${target.addr.toString().replace(`/p2p/${asker.toString()}`, '')}`;
  }

  it('is the first whose host is where the asker comes from, whatever the port', async () => {
    assert.equal(await chosen(['/ip4/8.9.10.8/tcp/4001', '/ip6/2001:41d0::1/tcp/4001', '/ip4/8.9.10.7/tcp/4002', '/ip4/8.9.10.7/tcp/4001']), '2 /ip4/8.9.10.7/tcp/4002');
    assert.equal(await chosen(['/ip4/8.9.10.7/tcp/4001'], { from: '/ip6/::ffff:8.9.10.7/tcp/9' }), '0 /ip4/8.9.10.7/tcp/4001');
    assert.equal(await chosen(['/ip6/2001:41d0::1/udp/4001/quic-v1'], { from: '/ip6/2001:41d0:0::0001/tcp/9' }), '0 /ip6/2001:41d0::1/udp/4001/quic-v1');
  });

  it('ends in the id of the asker, who may write it and nobody else', async () => {
    const target = await chooseTarget([multiaddr('/ip4/8.8.4.4/tcp/1').bytes], { peer: asker, addr: multiaddr('/ip4/8.8.4.4/tcp/9') }, { allowPrivate: false, isDialable: () => Promise.resolve(true) });
    assert.equal(target?.addr.toString(), `/ip4/8.8.4.4/tcp/1/p2p/${asker.toString()}`);
    assert.equal(await chosen([`/ip4/8.9.10.7/tcp/1/p2p/${asker.toString()}`]), '0 /ip4/8.9.10.7/tcp/1');
    assert.equal(await chosen([`/ip4/8.9.10.7/tcp/1/p2p/${other.toString()}`]), undefined);
  });

  it('is none that another host could be behind', async () => {
    const relay = `/ip4/8.9.10.7/tcp/1/p2p/${other.toString()}/p2p-circuit`;
    for (const addr of ['/ip4/8.9.10.8/tcp/1', '/dns4/8.9.10.7/tcp/1', '/dns/example.org/tcp/1', relay, `${relay}/p2p/${asker.toString()}`, '/ip4/8.9.10.7/tcp/1/ip4/8.8.8.8/tcp/2', '/unix/tmp']) {
      assert.equal(await chosen([addr]), undefined, addr);
    }
    assert.equal(await chosen(['/ip4/8.9.10.7/tcp/1'], { from: relay }), undefined, 'an asker behind a relay');
  });

  it('is no private one unless those are allowed', async () => {
    for (const ip of ['10.1.2.3', '127.0.0.1', '169.254.1.1']) {
      assert.equal(await chosen([`/ip4/${ip}/tcp/1`], { from: `/ip4/${ip}/tcp/9` }), undefined, ip);
      assert.equal(await chosen([`/ip4/${ip}/tcp/1`], { from: `/ip4/${ip}/tcp/9`, allowPrivate: true }), `0 /ip4/${ip}/tcp/1`, ip);
    }
  });

  it('is one that a transport goes to, among the first fifty, and a multiaddr', async () => {
    assert.equal(await chosen(['/ip4/8.9.10.7/tcp/1'], { isDialable: false }), undefined);
    assert.equal(await chosen([...Array<string>(49).fill('/ip4/8.8.8.8/tcp/1'), '/ip4/8.9.10.7/tcp/1']), '49 /ip4/8.9.10.7/tcp/1');
    assert.equal(await chosen([...Array<string>(50).fill('/ip4/8.8.8.8/tcp/1'), '/ip4/8.9.10.7/tcp/1']), undefined);
    const garbage = await chooseTarget([Uint8Array.of(255, 255, 255)], { peer: asker, addr: multiaddr('/ip4/8.8.4.4/tcp/9') }, { allowPrivate: true, isDialable: () => Promise.resolve(true) });
    assert.equal(garbage, undefined);
  });
});
