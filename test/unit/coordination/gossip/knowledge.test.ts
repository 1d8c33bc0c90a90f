import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Author } from '../../../../src/coordination/gossip/author.ts';
import { Knowledge } from '../../../../src/coordination/gossip/knowledge.ts';
import { Others } from '../../../../src/coordination/gossip/others.ts';
import { RevocationLists } from '../../../../src/coordination/gossip/revocation-lists.ts';
import { UsageBook } from '../../../../src/coordination/gossip/usage-book.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';
import { silentLogger } from '../../../../src/lib/logger.ts';
import { Heard } from '../../../support/coordination/rig.ts';
import { proofsOf } from '../../../support/coordination/signed.ts';

const DAY_MS = 24 * 3_600_000;

describe('what a relay knows', () => {
  const clock = new ManualClock(Date.UTC(2026, 10, 21));
  const self = { relay: 'self', epoch: 2 };
  const make = (): Knowledge => {
    const author = new Author(self.relay, self.epoch, () => 0);
    const proofs = proofsOf({ id: self.relay, epoch: self.epoch });
    const others = new Others({ self, listener: new Heard(), proofs, clock, log: silentLogger });
    return new Knowledge({ author, others, book: new UsageBook(), lists: new RevocationLists(proofs), clock, onList: () => {} });
  };

  it('counts what it is told of usage, and says of which runs it has no shard', () => {
    const knowledge = make();
    const usage = [{ key: 'k', window: '2026-11', sequence: 1, bytes: 9 }];
    knowledge.absorb({ relay: 'r', epoch: 3, from: 0, to: 1, held: [], ended: [], usage });
    knowledge.book.raise({ relay: 'r', epoch: 2 }, { key: 'k', window: '2026-11', bytes: 5 }, clock.wall());
    knowledge.book.raise(self, { key: 'k', window: '2026-11', bytes: 1 }, clock.wall());
    assert.equal(knowledge.book.total('k', '2026-11'), 15);
    assert.deepEqual(knowledge.pastRuns(), [{ relay: 'r', epoch: 2 }]);
  });

  it('has the same digest of past usage as another that knows the same', () => {
    const [one, other] = [make(), make()];
    const hash = (knowledge: Knowledge): string => Buffer.from(knowledge.pastUsage()).toString('hex');
    one.book.raise({ relay: 'a', epoch: 1 }, { key: 'k', window: '2026-11', bytes: 5 }, clock.wall());
    one.book.raise({ relay: 'b', epoch: 1 }, { key: 'k', window: '2026-11', bytes: 6 }, clock.wall());
    other.book.raise({ relay: 'b', epoch: 1 }, { key: 'k', window: '2026-11', bytes: 6 }, clock.wall());
    assert.notEqual(hash(one), hash(other));
    other.book.raise({ relay: 'a', epoch: 1 }, { key: 'k', window: '2026-11', bytes: 5 }, clock.wall());
    assert.equal(hash(one), hash(other));
  });

  it('keeps nothing of windows that are long over', () => {
    const knowledge = make();
    knowledge.book.raise(self, { key: 'k', window: '2026-11-21', bytes: 5 }, clock.wall());
    knowledge.author.counted('k', '2026-11-21', clock.now());
    clock.stepWall(3 * DAY_MS);
    knowledge.forgetOldUsage();
    assert.deepEqual([knowledge.book.size, knowledge.author.shard.usage.size], [0, 0]);
  });
});
