import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { Registry } from 'prom-client';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { Grant } from '../../../src/lib/membership/verifier.ts';
import { Granted, cutByToken } from '../../../src/tunnel/granted.ts';
import { TunnelMetrics } from '../../../src/tunnel/metrics.ts';
import { TunnelStatus } from '../../../src/tunnel/protocol.ts';
import { Refusal, Services } from '../../../src/tunnel/service.ts';
import { Tally } from '../../../src/tunnel/tally.ts';
import { FakeVerifier } from '../../support/fake-verifier.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

describe('a tunnel opened by a token', () => {
  let ann: PeerId;
  let bob: PeerId;
  let realm: FakeVerifier;
  let clock: ManualClock;
  let services: Services;

  before(async () => {
    [ann, bob] = (await makePeerIds(2)) as [PeerId, PeerId];
  });
  beforeEach(() => {
    realm = new FakeVerifier();
    clock = new ManualClock();
    const metrics = new TunnelMetrics(new Registry());
    services = new Services([{ name: 'ssh', to: { host: '127.0.0.1', port: 22 }, allow: [ann.toString()] }], 2, realm, () => new Tally({ direction: 'expose', log: silentLogger, metrics, clock }));
  });

  const refused = (reason: RegExp) => (error: unknown): boolean => error instanceof Refusal && error.status === TunnelStatus.UNKNOWN_OR_FORBIDDEN && reason.test(error.message);
  const grantOf = (name: string, options: Parameters<FakeVerifier['issue']>[1] = {}): Grant => services.take({ name: 'ssh', token: realm.issue(name, options) }, bob).grant ?? assert.fail();

  it('is for whom the token is, for the service that it names', () => {
    const { grant, service } = services.take({ name: 'ssh', token: realm.issue('T') }, bob);
    assert.deepEqual([grant?.tokenId, service.sockets, realm.claimed], ['T', 1, ['T']]);
    assert.deepEqual(realm.shown, [['T', bob.toString(), 'tunnel:ssh']]);
  });

  it('needs no token for a peer of the allow-list, whatever it shows', () => {
    assert.equal(services.take({ name: 'ssh', token: realm.issue('bad', { problem: 'token expired' }) }, ann).grant, undefined);
    assert.deepEqual(realm.shown, []);
  });

  it('is refused like any stranger\'s when the token does not count, or there is none', () => {
    assert.throws(() => services.take({ name: 'ssh' }, bob), refused(/is not on the allow-list$/));
    assert.throws(() => services.take({ name: 'ssh', token: realm.issue('bad', { problem: 'token use' }) }, bob), refused(/its token does not count: token use$/));
    assert.throws(() => services.take({ name: 'http', token: realm.issue('T') }, bob), refused(/no service/));
  });

  it('is told why its token does not count, and not by that whether there is such a service', () => {
    const token = realm.issue('bad', { problem: 'token used up' });
    for (const [name, problem] of [['ssh', 'token used up'], ['http', 'token used up']] as const) {
      assert.throws(() => services.take({ name, token }, bob), (error: unknown) => error instanceof Refusal && error.tokenProblem === problem, name);
    }
    assert.throws(() => services.take({ name: 'http', token: realm.issue('T') }, bob), (error: unknown) => error instanceof Refusal && error.tokenProblem === undefined);
    assert.deepEqual(realm.claimed, []);
  });

  it('is of a peer that strangers cannot keep out any more, until the token is over', () => {
    const known = (): boolean[] => [ann, bob].map((peer) => services.knows(peer.toString()));
    assert.throws(() => services.take({ name: 'ssh', token: realm.issue('bad', { problem: 'token use' }) }, bob));
    assert.deepEqual(known(), [true, false]);
    grantOf('T');
    assert.deepEqual(known(), [true, true]);
    realm.revoke('T');
    assert.deepEqual(known(), [true, false]);
  });

  it('uses up no place of its token while the tunnel is full', () => {
    services.take({ name: 'ssh' }, ann);
    services.take({ name: 'ssh' }, ann);
    assert.throws(() => services.take({ name: 'ssh', token: realm.issue('T') }, bob), (error: unknown) => error instanceof Refusal && error.status === TunnelStatus.OVERLOADED);
    assert.deepEqual(realm.claimed, []);
  });

  it('is cut when the token is revoked, at once, and others go on', () => {
    const granted = new Granted(realm, clock);
    granted.start();
    const cuts: string[] = [];
    granted.watch(grantOf('T'), ({ message }) => cuts.push(message));
    granted.watch(grantOf('U'), () => cuts.push('U'));
    realm.revoke('T');
    assert.deepEqual(cuts, ['the token T, by which the peer was admitted, was revoked']);
    realm.revoke('other');
    assert.equal(cuts.length, 1, 'once');
    granted.stop();
    realm.revoke('U');
    assert.equal(cuts.length, 1, 'not when stopped');
    assert.deepEqual([clock.pending, realm.listeners.size], [0, 0]);
  });

  it('is cut when others turn out to have the places of its token, which is no revocation', () => {
    const granted = new Granted(realm, clock);
    granted.start();
    const cuts: string[] = [];
    granted.watch(grantOf('T'), ({ message }) => cuts.push(message));
    realm.displace('T');
    assert.deepEqual(cuts, ['the token T, by which the peer was admitted, is used up: other peers were the first with it']);
    granted.stop();
  });

  it('is cut when the token expires, whatever the wall clock did; one that has ended is not', () => {
    const granted = new Granted(realm, clock);
    granted.start();
    const cuts: string[] = [];
    const endOf = realm.endOf.bind(realm);
    realm.endOf = (grant) => (grant.expiresAtWall <= clock.wall() ? 'token expired' : endOf(grant));
    const expiresAtWall = clock.wall() + 3_600_000;
    granted.watch(grantOf('T', { expiresAtWall }), ({ message }) => cuts.push(message));
    granted.watch(grantOf('U', { expiresAtWall }), () => cuts.push('U'))();
    clock.advance(10_000);
    clock.stepWall(3_600_000);
    assert.deepEqual(cuts, []);
    clock.advance(1_000);
    assert.deepEqual(cuts, ['the token T, by which the peer was admitted, has expired']);
    clock.advance(1_000);
    assert.equal(clock.pending, 0, 'nothing is looked at when nothing is left');
  });

  it('knows such a cut from the stop of the tunnels', () => {
    const [stopped, cut] = [new AbortController(), new AbortController()];
    const granted = new Granted(realm, clock);
    granted.start();
    granted.watch(grantOf('T'), (reason) => cut.abort(reason));
    stopped.abort(new Error('the tunnels were stopped'));
    realm.revoke('T');
    assert.deepEqual([cutByToken(stopped.signal), cutByToken(new AbortController().signal)], [undefined, undefined]);
    assert.match(cutByToken(cut.signal)?.message ?? '', /was revoked/);
    granted.stop();
  });
});
