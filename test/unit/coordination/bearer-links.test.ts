import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { BearerLinks } from '../../../src/coordination/bearer-links.ts';
import { MAX_CLAIMS, decodeAnswer, decodeQuestion, encodeAnswer, encodeQuestion } from '../../../src/coordination/bearer-messages.ts';
import { LINK_KINDS } from '../../../src/coordination/links.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { BearerClaim, SharedClaims } from '../../../src/lib/membership/bearer-claims.ts';
import { settled } from '../../support/waiting.ts';
import { LinksByHand } from './links-by-hand.ts';

const PAUSE_MS = 100;
const COMPARE_EVERY_MS = 10_000;
/** Coarse timers may be so late. */
const LATE_MS = 100;

const claimOf = (i: number): BearerClaim => ({ token: '00112233aabbccdd', peer: `peer${i}`, claimedAtWall: i, expiresAtWall: 99, maxPeers: 9 });
const named = (claims: readonly BearerClaim[]): string[] => claims.map(({ peer }) => peer);
const nobody = new AbortController().signal;

/** What a relay knows, told by hand; its digest is its size. */
class Known implements SharedClaims {
  readonly all: { claim: BearerClaim; isOwn: boolean }[] = [];
  readonly taken: string[] = [];
  #listener = (): void => {};

  get revision(): number {
    return this.all.length;
  }

  letIn(i: number): void {
    this.all.push({ claim: claimOf(i), isOwn: true });
    this.#listener();
  }

  heard(i: number): void {
    this.all.push({ claim: claimOf(i), isOwn: false });
  }

  after({ upTo, othersUpTo }: { upTo: number; othersUpTo: number }, most: number): { claims: BearerClaim[]; revision: number } | undefined {
    const found = this.all.map((known, i) => ({ ...known, revision: i + 1 })).filter(({ revision, isOwn }) => revision > upTo && (isOwn || revision <= othersUpTo)).slice(0, most);
    return found.length === 0 ? undefined : { claims: found.map(({ claim }) => claim), revision: found.at(-1)?.revision ?? 0 };
  }

  digest(): Uint8Array {
    return Uint8Array.of(this.all.length);
  }

  take(claims: readonly BearerClaim[]): void {
    this.taken.push(...named(claims));
  }

  onClaim(listener: () => void): () => void {
    this.#listener = listener;
    return () => (this.#listener = () => {});
  }
}

describe('users of bearer tokens over links', () => {
  let known: Known;
  let clock: ManualClock;
  let links: LinksByHand;
  let told: Record<string, string[][]>;
  let compared: number;
  /** What the others answer when they are compared with, and whether they answer. */
  let theirs: Uint8Array | undefined;
  let fails: boolean;
  let over: BearerLinks;

  const hears = (claims: readonly BearerClaim[], from = 'b', authority = 'aa'): Uint8Array => links.handler?.(from, encodeQuestion({ authority, claims }), nobody) as Uint8Array;
  const passes = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await settled(3);
  };

  beforeEach(() => {
    [known, clock, told, compared, theirs, fails] = [new Known(), new ManualClock(), {}, 0, Uint8Array.of(0), false];
    links = new LinksByHand((relay, kind, message) => {
      assert.equal(kind, LINK_KINDS.bearers);
      if (fails) throw new RelaydError('CLOSED', 'gone');
      const { authority, claims } = decodeQuestion(message);
      assert.equal(authority, 'aa');
      if (claims.length > 0) (told[relay] ??= []).push(named(claims));
      else compared++;
      return encodeAnswer(claims.length > 0 ? undefined : theirs);
    });
    links.linked = ['b'];
    over = new BearerLinks({
      links,
      claims: known,
      authority: () => 'aa',
      clock,
      log: silentLogger,
    });
  });

  const start = async (): Promise<void> => {
    over.start();
    await settled(3);
    await passes(PAUSE_MS);
  };

  it('are told to every linked relay as soon as they are let in, what was heard of others not', async () => {
    links.linked = ['b', 'c'];
    await start();
    known.heard(1);
    known.letIn(2);
    await settled(3);
    assert.deepEqual(told, { b: [['peer2']], c: [['peer2']] });
  });

  it('that come close together are told together', async () => {
    await start();
    for (const i of [1, 2, 3]) {
      known.letIn(i);
      await settled(3);
    }
    assert.deepEqual(told, { b: [['peer1']] });
    await passes(PAUSE_MS);
    assert.deepEqual(told, { b: [['peer1'], ['peer2', 'peer3']] });
  });

  it('are all told to a relay whose link comes up and that knows others, in parts', async () => {
    links.linked = [];
    await start();
    for (let i = 0; i <= MAX_CLAIMS; i++) known.heard(i);
    links.changed('d', true);
    await settled(3);
    await passes(PAUSE_MS);
    await passes(PAUSE_MS);
    assert.deepEqual(told['d']?.map(({ length }) => length), [MAX_CLAIMS, 1]);
  });

  it('are not told to a relay that knows the same, nor to one of another realm', async () => {
    links.linked = [];
    await start();
    known.heard(1);
    theirs = Uint8Array.of(1);
    links.changed('same', true);
    await settled(3);
    theirs = undefined;
    links.changed('stranger', true);
    await settled(3);
    await passes(PAUSE_MS);
    assert.deepEqual([compared, told], [2, {}]);
  });

  it('are compared from time to time, and all told again where something was lost, once as long as nothing changes', async () => {
    await start();
    fails = true;
    known.letIn(1);
    known.heard(2);
    await settled(3);
    fails = false;
    assert.deepEqual(told, {});
    for (let i = 0; i < 3; i++) {
      await passes(COMPARE_EVERY_MS + LATE_MS);
      await passes(PAUSE_MS);
      await passes(PAUSE_MS);
    }
    assert.deepEqual([told, compared], [{ b: [['peer1', 'peer2']] }, 4]);
  });

  it('that could not be told are told with the next one', async () => {
    await start();
    fails = true;
    known.letIn(1);
    await settled(3);
    fails = false;
    known.letIn(2);
    await settled(3);
    assert.deepEqual(told, { b: [['peer1', 'peer2']] });
  });

  it('are taken from others, and a question without any is answered with what is known here', () => {
    over.start();
    known.heard(1);
    hears([claimOf(7)]);
    assert.deepEqual(known.taken, ['peer7']);
    assert.deepEqual([...(decodeAnswer(hears([])) ?? [])], [1]);
    assert.equal(decodeAnswer(hears([], 'b', 'bb')), undefined);
    hears([claimOf(8)], 'b', 'bb');
    assert.deepEqual(known.taken, ['peer7'], 'of another realm');
    assert.throws(() => links.handler?.('b', Uint8Array.of(1, 2, 3), nobody), { code: 'MALFORMED_MESSAGE' });
  });

  it('of one relay are heard only so often, and what is too much is refused so that it is told again', () => {
    over.start();
    const answers = Array.from({ length: 200 }, (_, i) => {
      try {
        hears([claimOf(i)]);
        return 'taken';
      } catch (error) {
        return (error as RelaydError).code;
      }
    });
    assert.deepEqual([answers.indexOf('BUSY'), answers.at(-1), known.taken.length], [120, 'BUSY', 120]);
    hears([claimOf(1)], 'c');
  });

  it('are neither told, compared nor heard after a stop, or where the link is gone', async () => {
    links.linked = ['b', 'c'];
    await start();
    links.changed('c', false);
    known.letIn(1);
    await settled(3);
    assert.deepEqual(Object.keys(told), ['b']);
    over.stop();
    const before = compared;
    known.letIn(2);
    links.changed('d', true);
    await passes(2 * COMPARE_EVERY_MS);
    assert.deepEqual([told, compared, links.handler, clock.pending], [{ b: [['peer1']] }, before, undefined, 0]);
  });
});
