import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import type { TokenUse } from '../../../src/lib/membership/verifier.ts';
import { OwnToken } from '../../../src/node/own-token.ts';
import type { TokenFacts } from '../../../src/realm/index.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

describe('the node\'s own token', () => {
  let ids: PeerId[];
  before(async () => {
    ids = await makePeerIds(4);
  });
  const id = (i: number): PeerId => ids[i] ?? assert.fail();
  const lists = (relays: string[], bootstrap: string[] = []): ConstructorParameters<typeof OwnToken>[1] => ({ client: { relays }, discovery: { bootstrap } }) as unknown as ConstructorParameters<typeof OwnToken>[1];
  const at = (i: number): string => `/ip4/192.0.2.1/tcp/4001/p2p/${String(id(i))}`;
  const facts = (text: string, peer?: string, uses: TokenUse[] = ['reserve', 'tunnel:ssh']): TokenFacts => ({ bytes: Buffer.from(text), peer, uses }) as unknown as TokenFacts;
  const seenBy = (token: OwnToken): boolean[] => ids.map((peer) => token.forRelay(peer) !== undefined);

  it('of a bearer is shown to the relays whose id the operator wrote, and to none that a name stands for', () => {
    const token = new OwnToken({ token: facts('T') }, lists([at(0), `/dnsaddr/relays.example/p2p/${String(id(1))}`, '/dnsaddr/relays.example'], [at(2)]));
    assert.deepEqual(seenBy(token), [true, true, true, false]);
    assert.deepEqual(token.forTunnel('ssh'), Buffer.from('T'));
  });

  it('of a bearer that opens a tunnel alone is shown to no relay, and one that does not open it not at the tunnel', () => {
    const tunnel = new OwnToken({ token: facts('T', undefined, ['tunnel:ssh']) }, lists([at(0)]));
    assert.deepEqual([seenBy(tunnel), tunnel.forTunnel('ssh') !== undefined, tunnel.forTunnel('http')], [[false, false, false, false], true, undefined]);
    const member = new OwnToken({ token: facts('T', undefined, ['connect']) }, lists([at(0)]));
    assert.deepEqual([seenBy(member), member.forTunnel('ssh')], [[true, false, false, false], undefined]);
    assert.ok(new OwnToken({ token: facts('T', 'this node', ['connect']) }, lists([])).forTunnel('ssh'));
  });

  it('that is bound to this node is shown to any relay', () => {
    assert.deepEqual(seenBy(new OwnToken({ token: facts('T', 'this node') }, lists([]))), [true, true, true, true]);
  });

  it('is none where there is none', () => {
    const token = new OwnToken({ token: undefined }, lists([at(0)]));
    assert.deepEqual([seenBy(token), token.forTunnel('ssh'), token.shown], [[false, false, false, false], undefined, '']);
  });

  it('is shown anew when it is another one, or a bearer\'s goes to others', () => {
    const realm = { token: facts('T') as TokenFacts | undefined };
    const token = new OwnToken(realm, lists([at(0)]));
    const first = token.shown;
    token.update(lists([at(0)], [at(0)]));
    assert.equal(token.shown, first);
    token.update(lists([at(1)]));
    assert.notEqual(token.shown, first);
    assert.deepEqual(seenBy(token), [false, true, false, false]);
    const second = token.shown;
    realm.token = facts('U');
    assert.notEqual(token.shown, second);
    realm.token = facts('U', 'this node');
    const bound = token.shown;
    token.update(lists([]));
    assert.equal(token.shown, bound);
  });
});
