import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { ManualClock } from '../../../src/lib/clock.ts';
import type { BearerClaim } from '../../../src/lib/membership/bearer-claims.ts';
import type { Grant } from '../../../src/lib/membership/verifier.ts';
import type { Realm } from '../../../src/realm/index.ts';
import { signToken } from '../../../src/realm/token.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { settled } from '../../support/waiting.ts';
import { NOW, contentOf, folder, makeKey, startNode } from './support.ts';
import type { TestNode } from './support.ts';

const KEY = makeKey();
const TOKEN = contentOf().id;
/** The tolerance for clocks that differ included. */
const END = (NOW + 3660) * 1000;
const [ANNA, BERT, CARL] = (await makePeerIds(3)).sort((one, other) => (one.toString() < other.toString() ? -1 : 1)) as [PeerId, PeerId, PeerId];

const bearerOf = (maxPeers: number): Uint8Array => signToken(contentOf({ peer: undefined, maxPeers }), KEY.privateKey);
const claimOf = (changes: Partial<BearerClaim> = {}): BearerClaim => ({ token: TOKEN, peer: ANNA.toString(), claimedAtWall: NOW * 1000, expiresAtWall: END, maxPeers: 1, ...changes });
const bearersFile = (dataDir: string): string => join(dataDir, 'realm', 'bearers.json');

/** Its clock is `aheadMs` ahead. */
const relay = (t: TestContext, { aheadMs = 0, dataDir = folder(t), inCluster = true } = {}): Promise<TestNode> =>
  startNode(t, { dataDir, authority: KEY.text, clock: new ManualClock(NOW * 1000 + aheadMs), inCluster });

/** Tells all that one knows, as over a link that has come up. */
function tell({ realm: { claims: from } }: TestNode, { realm: { claims: to } }: TestNode): void {
  to.take(from.after({ upTo: 0, othersUpTo: from.revision }, 10_000)?.claims ?? []);
}

function letIn(realm: Realm, peer: PeerId, token = bearerOf(1)): Grant {
  const verdict = realm.verify(token, peer, 'reserve');
  assert.ok(verdict.ok, JSON.stringify(verdict));
  verdict.grant.claim();
  return verdict.grant;
}

function answer(realm: Realm, peer: PeerId, token = bearerOf(1)): string {
  const verdict = realm.verify(token, peer, 'reserve');
  return verdict.ok ? 'ok' : verdict.problem;
}

async function outcomes({ registry }: TestNode): Promise<number[]> {
  const { values } = (await registry.getSingleMetric('relayd_realm_bearer_claims_total')?.get()) ?? { values: [] };
  return ['made', 'taken', 'displaced'].map((outcome) => values.find(({ labels }) => labels['outcome'] === outcome)?.value ?? NaN);
}

describe('a bearer token in a cluster', () => {
  it('that was used at one relay is used up at those that were told, also after a restart', async (t) => {
    const [first, second] = [await relay(t), await relay(t)];
    letIn(first.realm, ANNA);
    tell(first, second);
    const answers = (): string[] => [answer(second.realm, BERT), answer(second.realm, ANNA)];
    assert.deepEqual(answers(), ['token used up', 'ok']);
    await second.realm.stop();
    await second.realm.start();
    assert.deepEqual(answers(), ['token used up', 'ok']);
    assert.deepEqual([await outcomes(first), await outcomes(second)], [[1, 0, 0], [0, 1, 0]]);
  });

  it('is over for whoever was not the first, when relays that were apart meet', async (t) => {
    const [first, second] = [await relay(t, { aheadMs: 0 }), await relay(t, { aheadMs: 5 })];
    let told = 0;
    second.realm.onChange(() => told++);
    const [winner, loser] = [letIn(first.realm, BERT), letIn(second.realm, ANNA)];
    tell(second, first);
    tell(first, second);
    tell(first, second);
    assert.deepEqual([first.realm.endOf(winner), second.realm.endOf(loser), told], [undefined, 'token used up', 1]);
    for (const { realm } of [first, second]) assert.deepEqual([answer(realm, ANNA), answer(realm, BERT)], ['token used up', 'ok']);
    assert.deepEqual(first.realm.claims.digest(), second.realm.claims.digest());
    assert.deepEqual(await outcomes(second), [1, 1, 1]);
  });

  it('is over for whoever was verified before another relay told of the one that has used it', async (t) => {
    const { realm } = await relay(t);
    const late = realm.verify(bearerOf(1), BERT, 'reserve');
    assert.ok(late.ok);
    realm.claims.take([claimOf()]);
    assert.equal(realm.endOf(late.grant), undefined, 'nobody has let it in yet');
    late.grant.claim();
    await settled(1);
    assert.equal(realm.endOf(late.grant), 'token used up');
  });

  it('takes what is told of a token for what it is when the token is shown: those of before the cluster first', async (t) => {
    const dataDir = folder(t);
    mkdirSync(join(dataDir, 'realm'));
    writeFileSync(bearersFile(dataDir), JSON.stringify({ version: 1, tokens: [{ id: TOKEN, expiresAt: new Date(END).toISOString(), peers: [CARL.toString()] }] }));
    const [node, other] = [await relay(t, { dataDir }), await relay(t)];
    node.realm.claims.take([claimOf({ maxPeers: undefined })]);
    letIn(other.realm, BERT);
    tell(node, other);
    assert.deepEqual([answer(other.realm, BERT), answer(other.realm, CARL)], ['token used up', 'ok'], 'there it was seen before');
    assert.deepEqual([answer(node.realm, BERT), answer(node.realm, ANNA), answer(node.realm, CARL)], ['token used up', 'token used up', 'ok'], 'here it is seen now');
    assert.deepEqual(node.realm.claims.digest(), other.realm.claims.digest());
  });

  it('is told with the time at which a peer was let in, those that were let in here at once, all to a relay that is new', async (t) => {
    const { realm, clock } = await relay(t);
    let told = 0;
    const unlisten = realm.claims.onClaim(() => told++);
    realm.claims.take([claimOf({ token: '0000000000000001' })]);
    clock.advance(10);
    letIn(realm, BERT);
    letIn(realm, BERT);
    unlisten();
    assert.equal(told, 1);
    const own = claimOf({ peer: BERT.toString(), claimedAtWall: NOW * 1000 + 10 });
    const plain = (found: readonly BearerClaim[] | undefined): BearerClaim[] | undefined => found?.map(({ token, peer, claimedAtWall, expiresAtWall, maxPeers }) => ({ token, peer, claimedAtWall, expiresAtWall, maxPeers }));
    const { claims } = realm;
    assert.deepEqual(plain(claims.after({ upTo: 0, othersUpTo: 0 }, 9)?.claims), [own]);
    const [one, two] = [claims.after({ upTo: 0, othersUpTo: claims.revision }, 1), claims.after({ upTo: 1, othersUpTo: claims.revision }, 1)];
    assert.deepEqual([plain(one?.claims), one?.revision, plain(two?.claims), two?.revision], [[claimOf({ token: '0000000000000001' })], 1, [own], 2]);
    assert.equal(claims.after({ upTo: 2, othersUpTo: 2 }, 9), undefined);
  });

  it('keeps whom all relays know before those who come later, however far the clocks of their relays are behind', async (t) => {
    const nodes = await Promise.all([0, -1_200_000, -1_200_001].map((aheadMs) => relay(t, { aheadMs: 1_800_000 + aheadMs })));
    const [right, slow, slower] = nodes as [TestNode, TestNode, TestNode];
    letIn(right.realm, CARL, bearerOf(2));
    for (const node of [slow, slower]) tell(right, node);
    // These two do not see each other.
    letIn(slow.realm, ANNA, bearerOf(2));
    const last = letIn(slower.realm, BERT, bearerOf(2));
    for (const from of nodes) for (const to of nodes) tell(from, to);
    for (const from of nodes) for (const to of nodes) tell(from, to);
    for (const { realm } of nodes) assert.deepEqual([CARL, ANNA, BERT].map((peer) => answer(realm, peer, bearerOf(2))), ['ok', 'ok', 'token used up']);
    assert.equal(slower.realm.endOf(last), 'token used up');
  });

  it('keeps them also where a node is of no cluster meanwhile, and lets nobody in later than it ends', async (t) => {
    const timeAfter = async (claimedAtWall: number, inCluster: boolean): Promise<number | undefined> => {
      const { realm } = await relay(t, { inCluster });
      realm.claims.take([claimOf({ maxPeers: 2, claimedAtWall })]);
      letIn(realm, BERT, bearerOf(2));
      return realm.claims.after({ upTo: 0, othersUpTo: 0 }, 9)?.claims[0]?.claimedAtWall;
    };
    assert.deepEqual([await timeAfter(0, false), await timeAfter(NOW * 1000 + 5, false)], [0, NOW * 1000 + 6]);
    assert.deepEqual([await timeAfter(0, true), await timeAfter(END + 5, true)], [NOW * 1000, END]);
  });

  it('that has ended is neither told nor taken, and counts in no digest', async (t) => {
    const [node, empty] = [await relay(t), await relay(t)];
    letIn(node.realm, ANNA);
    const none = empty.realm.claims.digest();
    assert.notDeepEqual(node.realm.claims.digest(), none);
    node.clock.advance(END - NOW * 1000);
    assert.deepEqual(node.realm.claims.digest(), none);
    assert.equal(node.realm.claims.after({ upTo: 0, othersUpTo: 9 }, 9), undefined);
    node.realm.claims.take([claimOf({ token: '0000000000000001' })]);
    assert.equal(node.realm.claims.revision, 1);
    node.clock.stepWall(NOW * 1000 - END);
    assert.notDeepEqual(node.realm.claims.digest(), none, 'when the clock is right again');
  });

  it('is kept for 10,000 peers and no more, whoever tells of more', { timeout: 60_000 }, async (t) => {
    const { realm, warnings } = await relay(t);
    const many = Array.from({ length: 11 }, (_, token) => Array.from({ length: 1000 }, (__, peer) => claimOf({ token: String(token).padStart(16, '0'), peer: `peer${peer}`, maxPeers: 1000 })));
    many.forEach((told) => realm.claims.take(told));
    assert.equal(realm.claims.after({ upTo: 0, othersUpTo: Infinity }, Infinity)?.claims.length, 10_000);
    assert.match(warnings.join(), /no more users of bearer tokens can be kept/);
    assert.equal(answer(realm, ANNA), 'token used up');
    assert.equal(warnings.length, 1, 'said once, however many come');
  });

  it('that has ended makes room for what is told, when there is none, and what was displaced by it is over', { timeout: 60_000 }, async (t) => {
    const { realm, clock, warnings } = await relay(t);
    const grant = letIn(realm, BERT);
    const many = (token: number, expiresAtWall: number): BearerClaim[] => Array.from({ length: 1000 }, (_, i) => claimOf({ token: `${token}`.padStart(16, '0'), peer: `peer${i}`, maxPeers: 1000, expiresAtWall }));
    for (let token = 0; token < 9; token++) realm.claims.take(many(token, END));
    realm.claims.take(many(9, NOW * 1000 + 1000).slice(1));
    clock.advance(2000);
    realm.claims.take([claimOf({ claimedAtWall: NOW * 1000 - 1 })]);
    assert.equal(realm.endOf(grant), 'token used up');
    assert.deepEqual(warnings, []);
  });

  it('is not written anew for what is known already, or comes too late', async (t) => {
    const dataDir = folder(t);
    const { realm } = await relay(t, { dataDir });
    realm.claims.take([claimOf()]);
    await realm.stop();
    rmSync(bearersFile(dataDir));
    realm.claims.take([claimOf(), claimOf({ claimedAtWall: NOW * 1000 + 1 }), claimOf({ peer: BERT.toString() })]);
    await realm.stop();
    assert.equal(existsSync(bearersFile(dataDir)), false);
  });

  it('is kept with its times in a cluster alone', async (t) => {
    for (const inCluster of [false, true]) {
      const dataDir = folder(t);
      const { realm } = await relay(t, { dataDir, inCluster });
      letIn(realm, ANNA);
      await realm.stop();
      const [id, expiresAt, peer] = [TOKEN, new Date(END).toISOString(), ANNA.toString()];
      const expected = inCluster ? { version: 2, tokens: [{ id, expiresAt, maxPeers: 1, claims: [{ peer, claimedAt: new Date(NOW * 1000).toISOString() }] }] } : { version: 1, tokens: [{ id, expiresAt, peers: [peer] }] };
      assert.deepEqual(JSON.parse(readFileSync(bearersFile(dataDir), 'utf8')), expected);
    }
  });
});
