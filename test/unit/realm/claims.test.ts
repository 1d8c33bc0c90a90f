import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { BearerClaim } from '../../../src/lib/membership/bearer-claims.ts';
import { formatBearers, parseBearers } from '../../../src/realm/bearers-file.ts';
import { Claims } from '../../../src/realm/claims.ts';

const END = 1_800_000_000_000;
const NODES = 4;
const PLACES: Record<string, number> = { t1: 1, t2: 2, t3: 3 };

/** Few tokens, peers and times, so that they meet. */
const claims = fc.record({
  token: fc.constantFrom(...Object.keys(PLACES)),
  peer: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  claimedAtWall: fc.nat({ max: 4 }),
  isMaxKnown: fc.boolean(),
}).map(({ token, peer, claimedAtWall, isMaxKnown }): BearerClaim => ({ token, peer, claimedAtWall, expiresAtWall: END, maxPeers: isMaxKnown ? PLACES[token] : undefined }));

const node = fc.nat({ max: NODES - 1 });
const steps = fc.oneof(
  fc.record({ do: fc.constant('claim' as const), at: node, claim: claims }),
  // What is told is any part of what is known, in any order, more than once.
  fc.record({ do: fc.constant('tell' as const), from: node, to: node, every: fc.integer({ min: 1, max: 3 }), isReversed: fc.boolean() }),
  fc.record({ do: fc.constant('show' as const), at: node, token: fc.constantFrom(...Object.keys(PLACES)) }),
  fc.record({ do: fc.constant('restart' as const), at: node }),
);

const plain = (known: Claims): string[] => [...known.all()].map(({ token, peer, claimedAtWall }) => `${token} ${peer} ${claimedAtWall}`).sort();

/** Each by a clock of its own, which may be any time behind. */
const letIns = fc.record({ at: node, token: fc.constantFrom(...Object.keys(PLACES)), peer: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), nowWall: fc.integer({ min: 1, max: 30 }) });

/** The first of all claims that were ever made, each peer once. */
function firstOf(all: readonly BearerClaim[]): string[] {
  return Object.entries(PLACES).flatMap(([token, places]) => {
    const times = new Map<string, number>();
    for (const { peer, claimedAtWall } of all.filter((claim) => claim.token === token)) times.set(peer, Math.min(claimedAtWall, times.get(peer) ?? Infinity));
    const inOrder = [...times].sort(([peer, at], [other, otherAt]) => at - otherAt || (peer < other ? -1 : 1));
    return inOrder.slice(0, places).map(([peer, at]) => `${token} ${peer} ${at}`);
  }).sort();
}

function restarted(known: Claims): Claims {
  const again = new Claims();
  parseBearers(formatBearers(known.all())).forEach((claim) => again.add(claim, false));
  return again;
}

describe('claims of bearer tokens', () => {
  it('come to the same on all nodes, the first of each token, whatever was told in which order', () => {
    fc.assert(fc.property(fc.array(steps, { maxLength: 60 }), (history) => {
      const nodes = Array.from({ length: NODES }, () => new Claims());
      const at = (i: number): Claims => nodes[i] as Claims;
      const made: BearerClaim[] = [];
      const show = (i: number, token: string): void => at(i).settle({ id: token, maxPeers: PLACES[token] ?? 0, expiresAtWall: END });
      for (const step of history) {
        if (step.do === 'claim') {
          at(step.at).add(step.claim, true);
          made.push(step.claim);
        } else if (step.do === 'tell') {
          const told = [...at(step.from).all()].filter((_, i) => i % step.every === 0);
          (step.isReversed ? told.reverse() : told).forEach((claim) => at(step.to).add(claim, false));
        } else if (step.do === 'show') show(step.at, step.token);
        else nodes[step.at] = restarted(at(step.at));
      }
      // Every pair, both ways, as when all links are up; meanwhile each token is shown somewhere.
      const exchange = (): void => nodes.forEach((from) => nodes.forEach((to) => [...from.all()].forEach((claim) => to.add(claim, false))));
      exchange();
      for (const token of Object.keys(PLACES)) show(0, token);
      exchange();
      const expected = firstOf(made);
      for (const known of nodes) {
        assert.deepEqual(plain(known), expected);
        assert.equal(known.count, expected.length);
      }
    }), { numRuns: 500 });
  });

  it('that all nodes know are displaced by none that is made later, whatever the clocks say', () => {
    fc.assert(fc.property(fc.array(fc.oneof({ weight: 6, arbitrary: letIns }, { weight: 1, arbitrary: fc.constant('all are told' as const) }), { maxLength: 60 }), (history) => {
      const nodes = Array.from({ length: NODES }, () => new Claims());
      let winners: string[] = [];
      for (const step of history) {
        if (step === 'all are told') {
          for (const from of nodes) for (const to of nodes) [...from.all()].forEach((claim) => to.add(claim, false));
          for (const from of nodes) for (const to of nodes) [...from.all()].forEach((claim) => to.add(claim, false));
          const after = plain(nodes[0] as Claims);
          assert.deepEqual(winners.filter((claim) => !after.includes(claim)), []);
          winners = after;
        } else {
          const [known, places] = [nodes[step.at] as Claims, PLACES[step.token] ?? 0];
          if (known.has(step.token, step.peer) || known.usersOf(step.token) >= places) continue;
          const claimedAtWall = known.timeFor({ id: step.token, maxPeers: places, expiresAtWall: END }, step.nowWall);
          known.add({ token: step.token, peer: step.peer, claimedAtWall, expiresAtWall: END, maxPeers: places }, true);
        }
      }
    }), { numRuns: 500 });
  });

  it('that are made one after another by a clock that stands behind are in that order', () => {
    const known = new Claims();
    known.add({ token: 't', peer: 'z', claimedAtWall: 5, expiresAtWall: END, maxPeers: 9 }, false);
    const times = ['c', 'b', 'a'].map((peer) => {
      const claimedAtWall = known.timeFor({ id: 't', maxPeers: 9, expiresAtWall: END }, 2);
      known.add({ token: 't', peer, claimedAtWall, expiresAtWall: END, maxPeers: 9 }, true);
      return claimedAtWall;
    });
    assert.deepEqual(times, [6, 7, 8]);
  });

  it('of a token for one say who loses its place, and that one which comes too late changes nothing', () => {
    const known = new Claims();
    const claim = (peer: string, claimedAtWall: number): readonly string[] => known.add({ token: 't1', peer, claimedAtWall, expiresAtWall: END, maxPeers: 1 }, false);
    assert.deepEqual([claim('b', 5), claim('a', 4), known.revision], [[], ['b'], 2]);
    assert.deepEqual([claim('c', 4), claim('a', 9), known.revision, known.count], [[], [], 2, 1]);
    assert.ok(known.has('t1', 'a') && !known.has('t1', 'b'));
  });

  it('of a token of which there are fewer than was thought say who loses a place, and no peer that has one', () => {
    const known = new Claims();
    const claim = (peer: string, claimedAtWall: number, maxPeers?: number): readonly string[] => known.add({ token: 't', peer, claimedAtWall, expiresAtWall: END, maxPeers }, false);
    for (const [i, peer] of ['a', 'b', 'c', 'd'].entries()) claim(peer, 5 + i);
    assert.deepEqual([claim('d', 1, 2), known.count, plain(known)], [['c', 'b'], 2, ['t a 5', 't d 1']]);
  });

  it('of a token that was not seen are all kept, up to what any token is for, until it is', () => {
    const known = new Claims();
    const peers = Array.from({ length: 1001 }, (_, i) => `peer${String(i).padStart(4, '0')}`);
    peers.forEach((peer) => known.add({ token: 't', peer, claimedAtWall: 7, expiresAtWall: END, maxPeers: undefined }, false));
    assert.deepEqual([known.count, known.has('t', 'peer0999'), known.has('t', 'peer1000')], [1000, true, false]);
    known.settle({ id: 't', maxPeers: 2, expiresAtWall: END });
    assert.deepEqual(plain(known), ['t peer0000 7', 't peer0001 7']);
  });
});

describe('bearers.json', () => {
  it('can be read again when a token ends a minute after the year 9999', () => {
    const claim: BearerClaim = { token: 't', peer: 'a', claimedAtWall: 253_402_300_859_000, expiresAtWall: 253_402_300_859_000, maxPeers: 1 };
    const last = 253_402_300_799_999;
    assert.deepEqual(parseBearers(formatBearers([claim])), [{ ...claim, claimedAtWall: last, expiresAtWall: last }]);
    assert.equal(parseBearers(formatBearers([{ ...claim, claimedAtWall: 0 }]))[0]?.expiresAtWall, last);
  });

  it('comes back as it was written, and is in the form of before where no claim has a time', () => {
    fc.assert(fc.property(fc.uniqueArray(claims, { selector: ({ token, peer }) => `${token} ${peer}` }), (all) => {
      const sameMax = all.map((claim) => ({ ...claim, maxPeers: PLACES[claim.token] }));
      const key = (claim: BearerClaim): string => `${claim.token} ${claim.peer}`;
      const inOrder = (found: readonly BearerClaim[]): BearerClaim[] => found.toSorted((one, other) => (key(one) < key(other) ? -1 : 1));
      const isPlain = all.every(({ claimedAtWall }) => claimedAtWall === 0);
      const text = formatBearers(sameMax);
      assert.deepEqual(inOrder(parseBearers(text)), inOrder(isPlain ? sameMax.map((claim) => ({ ...claim, maxPeers: undefined })) : sameMax));
      assert.equal((JSON.parse(text) as { version: number }).version, isPlain ? 1 : 2);
    }));
  });
});
