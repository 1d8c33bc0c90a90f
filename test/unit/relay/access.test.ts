import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { Access } from '../../../src/relay/access.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

describe('Access', () => {
  let ann: PeerId;
  let bob: PeerId;
  const home = multiaddr('/ip4/192.0.2.7/tcp/1');
  const away = multiaddr('/ip4/198.51.100.7/tcp/1');

  before(async () => {
    [ann, bob] = (await makePeerIds(2)) as [PeerId, PeerId];
  });

  it('lets anyone in when both lists are empty', () => {
    const access = new Access({ allow: [], deny: [] });
    assert.ok(access.permits(ann, home) && access.permits(ann, undefined));
  });

  it('lets in only whom a list of the allowed names, by peer id or by address', () => {
    const access = new Access({ allow: [ann.toString(), '192.0.2.0/24', '2001:db8::/32'], deny: [] });
    assert.ok(access.permits(ann, away));
    assert.ok(access.permits(bob, home));
    assert.ok(access.permits(bob, multiaddr('/ip6/2001:db8::1/tcp/1')));
    assert.ok(access.permits(bob, multiaddr('/ip6/::ffff:192.0.2.9/tcp/1')));
    assert.ok(!access.permits(bob, away));
  });

  it('keeps out whom the other list names, even when they are allowed', () => {
    const access = new Access({ allow: [ann.toString(), '192.0.2.0/24'], deny: ['192.0.2.7', bob.toString()] });
    assert.ok(!access.permits(ann, home));
    assert.ok(access.permits(ann, away));
    assert.ok(!access.permits(bob, multiaddr('/ip4/192.0.2.8/tcp/1')));
  });

  it('cannot match a CIDR where there is no IP address', () => {
    for (const addr of [undefined, multiaddr('/dns4/example.org/tcp/1'), multiaddr(`/ip4/192.0.2.7/tcp/1/p2p/${ann.toString()}/p2p-circuit`)]) {
      assert.ok(!new Access({ allow: ['0.0.0.0/0'], deny: [] }).permits(bob, addr));
      assert.ok(new Access({ allow: [], deny: ['0.0.0.0/0'] }).permits(bob, addr));
    }
  });

  it('tells whom it may let in where the address is not known: not whom it denies by id, nor whom no CIDR could save', () => {
    const may = (allow: string[], deny: string[] = []): boolean => new Access({ allow, deny }).mayPermit(bob);
    assert.ok(may([]) && may([bob.toString()]) && may(['192.0.2.0/24']) && may([ann.toString(), '192.0.2.0/24']) && may([], ['192.0.2.0/24', ann.toString()]));
    assert.ok(!may([ann.toString()]) && !may([], [bob.toString()]) && !may(['192.0.2.0/24'], [bob.toString()]));
  });
});
