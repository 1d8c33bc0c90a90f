import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import * as fc from 'fast-check';
import { BearerLinks } from '../../../src/coordination/bearer-links.ts';
import type { LinkHandler } from '../../../src/coordination/links.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { Grant } from '../../../src/lib/membership/verifier.ts';
import type { Realm } from '../../../src/realm/index.ts';
import { signToken } from '../../../src/realm/token.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { settled } from '../../support/waiting.ts';
import { NOW, contentOf, makeKey, makeNode } from '../realm/support.ts';

const KEY = makeKey();
const PEERS = await makePeerIds(5);
/** By the number of peers that it is for. */
const TOKENS = [1, 2, 3].map((maxPeers) => signToken(contentOf({ peer: undefined, maxPeers, id: `${maxPeers}`.padStart(16, '0') }), KEY.privateKey));
const RELAYS = 3;
const PAUSE_MS = 100;
const COMPARE_EVERY_MS = 10_000;
const STEP_MS = 1_000;
/** Of the tokens. */
const HALF_TIME = (NOW + 1800) * 1000;

type Fate = 'question lost' | 'answer lost' | 'doubled';

/** Relays that are linked each with each, over links that a test cuts, and which lose what it says. */
class Cluster {
  readonly realms: Realm[] = [];
  readonly clocks: ManualClock[] = [];
  /** Whom a relay has let in, when, by its clock, and by which token; one that it knew as a user of the token, at no time. */
  readonly made: { relay: number; peer: string; place: number; atWall: number; grant: Grant }[] = [];
  readonly #dir = mkdtempSync(join(tmpdir(), 'relayd-bearers-'));
  readonly #links: BearerLinks[] = [];
  readonly #handlers: (LinkHandler | undefined)[] = [];
  readonly #listeners: ((relay: string, isMember: boolean) => void)[] = [];
  readonly #cut = new Set<string>();
  /** Of the next messages: what becomes of each. */
  #fates: readonly Fate[] = [];

  /** @param skewsMs how far the clock of each is ahead */
  async start(skewsMs: readonly number[]): Promise<void> {
    for (let i = 0; i < RELAYS; i++) {
      const clock = new ManualClock(HALF_TIME + (skewsMs[i] ?? 0));
      const { realm } = makeNode({ dataDir: join(this.#dir, `${i}`), authority: KEY.text, clock, inCluster: true });
      await realm.start();
      this.realms.push(realm);
      this.clocks.push(clock);
      this.#links.push(this.#linksOf(i, realm, clock));
    }
    this.#links.forEach((links) => links.start());
    await settled(2);
  }

  async stop(): Promise<void> {
    this.#links.forEach((links) => links.stop());
    await Promise.all(this.realms.map((realm) => realm.stop()));
    rmSync(this.#dir, { recursive: true, force: true });
  }

  show(relay: number, peer: number, place: number): void {
    const [realm, id, token] = [this.realms[relay] as Realm, PEERS[peer] as PeerId, TOKENS[place] as Uint8Array];
    const [verdict, before] = [realm.verify(token, id, 'reserve'), realm.claims.revision];
    if (!verdict.ok) return;
    verdict.grant.claim();
    const isNew = realm.claims.revision > before;
    const made = realm.claims.after({ upTo: before, othersUpTo: 0 }, 1)?.claims[0];
    this.made.push({ relay, peer: id.toString(), place, atWall: isNew ? (made?.claimedAtWall ?? NaN) : Infinity, grant: verdict.grant });
  }

  setCut(one: number, other: number, isCut: boolean): void {
    const name = pair(one, other);
    if (one === other || isCut === this.#cut.has(name)) return;
    if (isCut) this.#cut.add(name);
    else this.#cut.delete(name);
    this.#listeners[one]?.(`${other}`, !isCut);
    this.#listeners[other]?.(`${one}`, !isCut);
  }

  /** All are linked, for long enough. */
  async heals(): Promise<void> {
    this.#fates = [];
    for (let i = 0; i < RELAYS; i++) for (let j = 0; j < i; j++) this.setCut(i, j, false);
    for (const ms of [PAUSE_MS, COMPARE_EVERY_MS, PAUSE_MS, PAUSE_MS]) await this.passes(ms);
  }

  willHappen(fates: readonly Fate[]): void {
    this.#fates = fates;
  }

  /** In steps, so that no question's time is up before its answer can come. */
  async passes(ms: number): Promise<void> {
    await settled(1);
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.clocks.forEach((clock) => clock.advance(Math.min(left, STEP_MS)));
      await settled(1);
    }
  }

  #linksOf(self: number, realm: Realm, clock: ManualClock): BearerLinks {
    const links = {
      members: () => Array.from({ length: RELAYS }, (_, i) => i).filter((i) => i !== self && !this.#cut.has(pair(self, i))).map(String),
      onChange: (listener: (relay: string, isMember: boolean) => void) => {
        this.#listeners[self] = listener;
        return () => {};
      },
      ask: async (relay: string, _kind: number, question: Uint8Array, signal: AbortSignal) => this.#carry(self, Number(relay), question, signal),
      answer: (_kind: number, handler: LinkHandler) => {
        this.#handlers[self] = handler;
        return () => (this.#handlers[self] = undefined);
      },
    };
    return new BearerLinks({ links, claims: realm.claims, authority: () => 'aa', clock, log: silentLogger });
  }

  async #carry(from: number, to: number, question: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const [fate, ...later] = this.#fates;
    this.#fates = later;
    await Promise.resolve();
    const lost = new RelaydError('CLOSED', 'lost');
    if (this.#cut.has(pair(from, to)) || fate === 'question lost') throw lost;
    const handler = this.#handlers[to];
    if (handler === undefined) throw lost;
    if (fate === 'doubled') await handler(`${from}`, question, signal);
    const answer = await handler(`${from}`, question, signal);
    if (fate === 'answer lost') throw lost;
    return answer;
  }
}

const pair = (one: number, other: number): string => `${Math.min(one, other)} ${Math.max(one, other)}`;

const relay = fc.nat({ max: RELAYS - 1 });
const steps = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('show' as const), relay, peer: fc.nat({ max: PEERS.length - 1 }), place: fc.nat({ max: TOKENS.length - 1 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), one: relay, other: relay, isCut: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fates' as const), fates: fc.array(fc.constantFrom<Fate[]>('question lost', 'answer lost', 'doubled'), { maxLength: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 15, 100, 3_000) }) },
);

/** Some milliseconds, as much as what happens here is apart, or far more. */
const skews = fc.array(fc.oneof(fc.nat({ max: 20 }), fc.integer({ min: -1_500_000, max: 1_500_000 })), { minLength: RELAYS, maxLength: RELAYS });
/** After each, all come to know the same. */
const histories = fc.array(fc.array(steps, { minLength: 5, maxLength: 25 }), { minLength: 1, maxLength: 2 });

async function play(cluster: Cluster, step: typeof steps extends fc.Arbitrary<infer Step> ? Step : never): Promise<void> {
  if (step.do === 'show') cluster.show(step.relay, step.peer, step.place);
  else if (step.do === 'cut') cluster.setCut(step.one, step.other, step.isCut);
  else if (step.do === 'fates') cluster.willHappen(step.fates);
  else await cluster.passes(step.ms);
}

/** `PLACE PEER TIME` of the first of all that were ever let in by each token. */
function firstOf(made: readonly { peer: string; place: number; atWall: number }[]): string[] {
  return TOKENS.flatMap((_, place) => {
    const times = new Map<string, number>();
    for (const claim of made.filter((each) => each.place === place && each.atWall < Infinity)) times.set(claim.peer, Math.min(claim.atWall, times.get(claim.peer) ?? Infinity));
    const inOrder = [...times].sort(([peer, at], [other, otherAt]) => at - otherAt || (peer < other ? -1 : 1));
    return inOrder.slice(0, place + 1).map(([peer, at]) => `${place} ${peer} ${at}`);
  }).sort();
}

describe('relays that count the peers of bearer tokens together', () => {
  it('come to the same winners, whatever is lost, doubled, cut or skewed, once all are linked, never to others again, and have ended what they gave to others', { timeout: 60_000 }, async () => {
    await fc.assert(fc.asyncProperty(skews, histories, async (skewsMs, parts) => {
      const cluster = new Cluster();
      let expected: string[] = [];
      try {
        await cluster.start(skewsMs);
        for (const history of parts) {
          for (const step of history) await play(cluster, step);
          await cluster.heals();
          const before = expected;
          expected = firstOf(cluster.made);
          for (const realm of cluster.realms) assert.deepEqual(winnersAt(realm), expected);
          assert.deepEqual(before.filter((winner) => !expected.includes(winner)), [], 'whom all knew keep their places, whatever the clocks say');
        }
        for (const { relay: at, peer, place, grant } of cluster.made) {
          assert.equal(cluster.realms[at]?.endOf(grant), expected.some((winner) => winner.startsWith(`${place} ${peer} `)) ? undefined : 'token used up');
        }
      } finally {
        await cluster.stop();
      }
    }), { numRuns: 25 });
  });
});

function winnersAt({ claims }: Realm): string[] {
  const all = claims.after({ upTo: 0, othersUpTo: Infinity }, Infinity)?.claims ?? [];
  return all.map(({ token, peer, claimedAtWall }) => `${Number(token) - 1} ${peer} ${claimedAtWall}`).sort();
}
