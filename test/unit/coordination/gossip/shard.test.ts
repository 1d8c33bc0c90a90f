import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { answerTo } from '../../../../src/coordination/gossip/answers.ts';
import { Author } from '../../../../src/coordination/gossip/author.ts';
import type { Delta } from '../../../../src/coordination/gossip/delta.ts';
import type { Knowledge } from '../../../../src/coordination/gossip/knowledge.ts';
import { Shard } from '../../../../src/coordination/gossip/shard.ts';
import { decodePage } from '../../../../src/coordination/gossip/sync-messages.ts';
import { UsageBook } from '../../../../src/coordination/gossip/usage-book.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';

const HOUR_MS = 3_600_000;
const RUN = { relay: 'relay', epoch: 7 };

type Step = { readonly does: 'hold' | 'end' | 'beat' | 'leave' | 'count' | 'send'; readonly peer: number };

const step: fc.Arbitrary<Step> = fc.record({
  does: fc.oneof({ weight: 6, arbitrary: fc.constant('hold' as const) }, { weight: 4, arbitrary: fc.constant('end' as const) }, { weight: 3, arbitrary: fc.constant('send' as const) }, fc.constantFrom('beat' as const, 'leave' as const, 'count' as const)),
  peer: fc.nat(4),
});
// Long ones: what goes wrong takes several changes of one peer, told in several pieces.
const history = fc.array(step, { maxLength: 60, size: 'max' });

describe('what is known of a relay', () => {
  it('is what the relay says, when all its deltas have come: in any order, some of them twice', () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat()), (steps, order) => {
        const { author, deltas } = play(steps);
        const shuffled = [...deltas, ...deltas.filter((_, i) => i % 3 === 0)].map((delta) => ({ delta, key: Number(order.next().value) })).sort((a, b) => a.key - b.key);
        const shard = new Shard(RUN.relay, RUN.epoch);
        shuffled.forEach(({ delta }) => shard.apply(delta, 0));
        assert.deepEqual(view(shard), view(author.shard));
      }),
    );
  });

  it('joins: commutative, associative, idempotent, whichever deltas each one has', () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat(7)), (steps, who) => {
        const { deltas } = play(steps);
        const masks = deltas.map(() => Number(who.next().value));
        const part = (bit: number): Shard => applied(deltas.filter((_, i) => ((masks[i] ?? 0) >> bit) & 1));
        assert.deepEqual(view(joined(part(0), part(1))), view(joined(part(1), part(0))), 'commutative');
        assert.deepEqual(view(joined(joined(part(0), part(1)), part(2))), view(joined(part(0), joined(part(1), part(2)))), 'associative');
        assert.deepEqual(view(joined(part(0), part(0))), view(part(0)), 'idempotent');
        assert.deepEqual(view(joined(part(0), part(1))), view(applied(deltas.filter((_, i) => (masks[i] ?? 0) & 3))), 'the same as all the deltas of both');
      }),
    );
  });

  it('is whole again after it has been fetched from another, however much was lost and though ends are forgotten', () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.boolean()), fc.boolean(), (steps, arrives, isForgotten) => {
        const { author, deltas, clock } = play(steps);
        const shard = applied(deltas.filter(() => arrives.next().value === true));
        if (isForgotten) author.shard.tidy(clock.now() + HOUR_MS / 2);
        fetch(shard, author.shard, clock);
        assert.deepEqual(view(shard), view(author.shard));
        const third = applied(deltas.filter(() => arrives.next().value === true));
        fetch(third, shard, clock);
        assert.deepEqual(view(third), view(author.shard), 'and passes it on');
        deltas.filter(() => arrives.next().value === true).forEach((delta) => shard.apply(delta, 0));
        assert.deepEqual(view(shard), view(author.shard), 'what comes late changes nothing');
      }),
    );
  });

  it('is fetched as far as the other knows it without a gap', () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.boolean()), (steps, arrives) => {
        const { author, deltas, clock } = play(steps);
        const [shard, other] = [new Shard(RUN.relay, RUN.epoch), applied(deltas.filter(() => arrives.next().value === true))];
        fetch(shard, other, clock);
        assert.equal(shard.known.highest, other.known.complete);
        deltas.forEach((delta) => shard.apply(delta, 0));
        assert.deepEqual(view(shard), view(author.shard));
      }),
    );
  });

  it('is fetched in pages that a link can carry', () => {
    const author = new Author(RUN.relay, RUN.epoch, () => 0);
    for (let i = 0; i < 20_000; i++) author.hold(`12D3KooW${String(i).padStart(44, 'x')}`, HOUR_MS, 0);
    const shard = new Shard(RUN.relay, RUN.epoch);
    const sizes = fetch(shard, author.shard, new ManualClock());
    assert.equal(shard.held.size, 20_000);
    assert.ok(sizes.length > 3, `${sizes.length} pages`);
    assert.ok(Math.max(...sizes) <= 512 * 1024, `a page of ${Math.max(...sizes)} bytes`);
  });

  it('takes what has passed of a lease into account, by nobody\'s clock but its own', () => {
    const shard = new Shard(RUN.relay, RUN.epoch);
    shard.apply({ ...RUN, from: 0, to: 2, beat: { sequence: 1, ageMs: 300 }, held: [{ peer: 'p', sequence: 2, ttlMs: 5_000, ageMs: 700 }], ended: [], usage: [] }, 10_000);
    assert.equal(shard.beat?.heardAt, 9_700);
    assert.deepEqual(shard.held.get('p'), { sequence: 2, toldAt: 9_300, expiresAt: 15_000 });
  });
});

/** What `steps` make a relay say; a delta at each `send` and at the end. */
function play(steps: readonly Step[]): { author: Author; deltas: Delta[]; clock: ManualClock } {
  const clock = new ManualClock();
  const author = new Author(RUN.relay, RUN.epoch, () => 0);
  const deltas: Delta[] = [];
  const send = (): void => {
    while (author.hasNews) deltas.push(author.next(100, clock.now()));
  };
  for (const { does, peer } of steps) {
    if (does === 'hold') author.hold(`p${peer}`, HOUR_MS, clock.now());
    else if (does === 'end') author.end(`p${peer}`, clock.now());
    else if (does === 'beat') author.beat(Uint8Array.of(peer), clock.now());
    else if (does === 'leave') author.leave(clock.now());
    else if (does === 'count') author.counted(`k${peer}`, '2026-11', clock.now());
    else send();
  }
  send();
  return { author, deltas, clock };
}

function applied(deltas: readonly Delta[]): Shard {
  const shard = new Shard(RUN.relay, RUN.epoch);
  deltas.forEach((delta) => shard.apply(delta, 0));
  return shard;
}

function joined(one: Shard, other: Shard): Shard {
  one.join(other, 0);
  return one;
}

function view({ known, held, beat, record, leftAt, hasLeft, usage }: Shard): unknown {
  return { known, held: new Map([...held.since(0)].map(({ peer }) => [peer, held.get(peer)])), beat, record: record?.bytes.toString(), leftAt, hasLeft, usage };
}

/** As Sync does, page by page. @returns how many bytes each page had */
function fetch(into: Shard, from: Shard, clock: ManualClock): number[] {
  const knowledge = { book: new UsageBook(), shardOf: () => from } as unknown as Knowledge;
  const sizes: number[] = [];
  const ask = (first: number, isWhole: boolean): NonNullable<ReturnType<typeof decodePage>> => {
    const bytes = answerTo({ kind: 'shard', shard: { ...RUN, from: first, isWhole } }, knowledge, clock);
    sizes.push(bytes.byteLength);
    const page = decodePage(bytes);
    assert.ok(page !== undefined);
    return page;
  };
  let page = ask(into.known.complete, into.known.complete === 0);
  const fresh = new Shard(RUN.relay, RUN.epoch);
  const target = page.isWhole ? fresh : into;
  for (;;) {
    target.apply(page.delta, clock.now());
    if (page.isWhole) fresh.ended.raiseHorizon(page.horizon);
    if (!page.hasMore) break;
    page = ask(page.delta.to, page.isWhole);
  }
  if (page.isWhole) into.join(fresh, clock.now());
  return sizes;
}
