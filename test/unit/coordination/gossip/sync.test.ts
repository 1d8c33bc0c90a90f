import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { Author } from '../../../../src/coordination/gossip/author.ts';
import { Knowledge } from '../../../../src/coordination/gossip/knowledge.ts';
import { GossipMetrics } from '../../../../src/coordination/gossip/metrics.ts';
import { Others } from '../../../../src/coordination/gossip/others.ts';
import { RevocationLists } from '../../../../src/coordination/gossip/revocation-lists.ts';
import { Sync } from '../../../../src/coordination/gossip/sync.ts';
import { encodeQuestion } from '../../../../src/coordination/gossip/sync-messages.ts';
import { UsageBook } from '../../../../src/coordination/gossip/usage-book.ts';
import type { LinkHandler, Links } from '../../../../src/coordination/links.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';
import { silentLogger } from '../../../../src/lib/logger.ts';
import { Heard } from '../../../support/coordination/rig.ts';
import { proofsOf } from '../../../support/coordination/signed.ts';
import { settled } from '../../../support/waiting.ts';

describe('what others tell', () => {
  it('makes a relay fetch one thing at a time from each, however often they tell', async () => {
    const clock = new ManualClock();
    const self = { relay: 'self', epoch: 1 };
    const proofs = proofsOf({ id: self.relay, epoch: self.epoch });
    const knowledge = new Knowledge({
      author: new Author(self.relay, self.epoch, () => 0),
      others: new Others({ self, listener: new Heard(), proofs, clock, log: silentLogger }),
      book: new UsageBook(),
      lists: new RevocationLists(proofs),
      clock,
      onList: () => {},
    });
    const asked: PromiseWithResolvers<Uint8Array>[] = [];
    let handler: LinkHandler = () => assert.fail();
    const links = {
      members: () => [],
      onChange: () => () => {},
      answer: (_kind: unknown, answers: LinkHandler) => {
        handler = answers;
        return () => {};
      },
      ask: () => {
        const one = Promise.withResolvers<Uint8Array>();
        asked.push(one);
        return one.promise;
      },
    } as unknown as Links;
    const sync = new Sync({ links, knowledge, proofs, clock, log: silentLogger, metrics: new GossipMetrics(new Registry(), () => 0), random: () => 0 });
    sync.start();
    let told = 0;
    const tell = async (member: string): Promise<void> => {
      const shards = [{ relay: `relay ${told++}`, epoch: 1, complete: 1, ageMs: 0, hasLeft: false }];
      await handler(member, encodeQuestion({ kind: 'digest', digest: { shards, lists: [], pastUsage: knowledge.pastUsage() } }), AbortSignal.timeout(10_000));
      await settled();
    };
    for (let i = 0; i < 50; i++) await tell('b');
    assert.equal(asked.length, 1);
    await tell('c');
    assert.equal(asked.length, 2, 'another is not kept waiting');
    asked[0]?.reject(new Error('lost'));
    await settled();
    await tell('b');
    assert.equal(asked.length, 3);
    sync.stop();
  });
});
