import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { Verdict } from '../../../src/reachability/autonat-verdict.ts';
import type { Finding } from '../../../src/reachability/autonat-verdict.ts';

const OWN = '/ip4/8.8.8.8/tcp/4001';
const OTHER = '/ip6/2001:4860::1/tcp/4001';
const GUESS = '/ip4/9.9.9.9/tcp/4001';
const MINUTE_MS = 60_000;

const found = (reachable: boolean, more: Partial<Finding> = {}): Finding => ({ addr: OWN, guessed: false, reachable, from: 'a', trusted: false, ...more });
const candidate = (addr: string, guessed = false): { addr: ReturnType<typeof multiaddr>; guessed: boolean } => ({ addr: multiaddr(addr), guessed });

describe('the verdict', () => {
  let verdict: Verdict;
  let now = 0;

  beforeEach(() => {
    verdict = new Verdict();
    now = 0;
  });

  const round = (findings: Finding[], candidates = [candidate(OWN)]): string => {
    verdict.round(findings, candidates, now);
    return verdict.value;
  };

  it('is unknown until somebody has something to say', () => {
    assert.equal(verdict.value, 'unknown');
    assert.equal(round([]), 'unknown');
  });

  it('is public after one dial-back to an own address, and says which', () => {
    assert.equal(round([found(true)]), 'public');
    assert.deepEqual([verdict.confirmed, verdict.denied, verdict.doubtful], [[OWN], [], false]);
  });

  it('is private at once when nobody could say otherwise before', () => {
    assert.equal(round([found(false)]), 'private');
    assert.deepEqual([verdict.confirmed, verdict.denied], [[], [OWN]]);
  });

  it('follows the majority about an address, and waits where there is none', () => {
    assert.equal(round([found(true), found(false, { from: 'b' })]), 'unknown');
    assert.equal(round([found(true), found(false, { from: 'b' }), found(false, { from: 'c' })]), 'private');
    assert.equal(round([found(true), found(false, { from: 'b' }), found(true, { from: 'c' })]), 'public');
  });

  it('goes from public to private with the second denial in a row', () => {
    round([found(true)]);
    assert.equal(round([found(false)]), 'public');
    assert.equal(verdict.doubtful, true);
    round([found(true)]);
    assert.equal(round([found(false)]), 'public', 'the count begins anew');
    assert.equal(round([]), 'public', 'no answer is no denial');
    assert.equal(round([found(false)]), 'private');
    assert.equal(verdict.doubtful, false);
  });

  it('is public again at the first dial-back', () => {
    round([found(false)]);
    assert.equal(round([found(true)]), 'public');
  });

  it('is public while one of several addresses works', () => {
    const both = [candidate(OWN), candidate(OTHER)];
    round([found(true), found(true, { addr: OTHER })], both);
    round([found(false)], both);
    assert.equal(round([found(false)], both), 'public');
    assert.deepEqual([verdict.confirmed, verdict.denied], [[OTHER], [OWN]]);
  });

  it('is forgotten: a confirmation after 10 minutes, a denial after 45, an address with the address', () => {
    round([found(true)]);
    now += 10 * MINUTE_MS - 1;
    assert.equal(round([]), 'public');
    now += 1;
    assert.equal(round([]), 'unknown');
    round([found(false)]);
    now += 45 * MINUTE_MS - 1;
    assert.equal(round([]), 'private');
    now += 1;
    assert.equal(round([]), 'unknown');
    round([found(true)]);
    assert.equal(round([], [candidate(OTHER)]), 'unknown');
  });

  it('believes an address that a peer made up when a peer of the operator confirms it, or two networks do', () => {
    const guess = [candidate(GUESS, true)];
    const about = (more: Partial<Finding>): Finding => found(true, { addr: GUESS, guessed: true, ...more });
    assert.equal(round([about({})], guess), 'unknown');
    assert.equal(round([about({}), about({})], guess), 'unknown', 'two peers of one network are one witness');
    assert.equal(round([about({}), about({ from: 'b' })], guess), 'public');
    verdict.clear();
    assert.equal(round([about({ trusted: true })], guess), 'public');
  });

  it('takes a guess that failed for an answer only where there is no address of its own', () => {
    const failed = found(false, { addr: GUESS, guessed: true });
    assert.equal(round([failed], [candidate(OWN), candidate(GUESS, true)]), 'unknown');
    assert.equal(round([failed], [candidate(GUESS, true)]), 'private');
  });

  it('is private without any question for a node that accepts nothing', () => {
    verdict.unreachable();
    assert.equal(verdict.value, 'private');
    verdict.clear();
    assert.equal(verdict.value, 'unknown');
  });
});
