import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Registry } from 'prom-client';
import type { Counters } from '../../../../src/coordination/backend.ts';
import { makeSharedCounters } from '../../../../src/coordination/shares/index.ts';
import type { SharesView } from '../../../../src/coordination/shares/index.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { silentLogger } from '../../../../src/lib/logger.ts';
import { LinkNodes, linked } from '../../../support/coordination/link-nodes.ts';
import type { LinkNode } from '../../../support/coordination/link-nodes.ts';
import { seededRandom } from '../../../support/random.ts';
import { until } from '../../../support/waiting.ts';

const nodes = new LinkNodes();
const running: Counting[] = [];

interface Counting {
  readonly node: LinkNode;
  readonly counters: Counters & SharesView;
}

afterEach(async () => {
  for (const { counters } of running.splice(0)) await counters.stop();
  await nodes.stopAll();
});

/** Relays that are alive for each other while there is a link, and all known. */
async function start(count: number): Promise<Counting[]> {
  const mesh = await nodes.mesh(count);
  for (const node of mesh) {
    const counters = makeSharedCounters({
      self: node.id,
      links: node.links,
      view: () => ({ live: [node.id, ...node.links.members()], known: count }),
      onViewChange: (listener) => node.links.onChange(listener),
      clock: systemClock,
      log: silentLogger,
      registry: new Registry(),
    });
    await counters.start();
    running.push({ node, counters });
  }
  return running;
}

async function attempts(relays: readonly Counting[], key: string, maximum: number, count: number): Promise<number> {
  const random = seededRandom(count);
  let admitted = 0;
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const relay = relays[Math.floor(random() * relays.length)] as Counting;
      const { ok } = await relay.counters.take([{ limit: 'reservations.perPrefix', key, maximum }], [], AbortSignal.timeout(10_000));
      admitted += Number(ok);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return admitted;
}

describe('shared counters over real links', () => {
  it('admit exactly the limit of 300 attempts at three relays, 8 at once', async () => {
    const relays = await start(3);
    assert.equal(await attempts(relays, 'public/reservations.perPrefix/192.0.2.0/24', 100, 300), 100);
    assert.equal(await attempts(relays, 'public/reservations.perPrefix/198.51.100.0/24', 8, 60), 8);
  });

  it('stay within the bound with one relay cut off, and count all of it when it is back', async () => {
    const relays = await start(3);
    const key = 'public/reservations.perPrefix/192.0.2.0/24';
    const cutOff = relays[2] as Counting;
    const held = await attempts([cutOff], key, 100, 10);
    cutOff.node.network.cut();
    await until(() => relays.every(({ node }) => node.links.members().length <= 1) && cutOff.node.links.members().length === 0, 'all have noticed');
    const inside = await attempts(relays.slice(0, 2), key, 100, 300);
    const outside = await attempts([cutOff], key, 100, 100);
    assert.equal(inside, 100, 'two of three have the whole limit');
    assert.equal(held + outside, 33, 'one of three has a third');
    cutOff.node.network.heal();
    await linked(relays.map(({ node }) => node));
    const total = (): number | undefined => relays.map(({ counters }) => counters.total(key)).find((count) => count !== undefined);
    await until(() => total() === 133, 'all is counted');
    assert.equal(await attempts(relays, key, 100, 30), 0);
    cutOff.counters.give(Array<string>(33).fill(key));
    relays[0]?.counters.give([key]);
    // Which of the two insiders holds how many is by chance: one of them may hold none.
    await until(async () => total() !== undefined && (total() as number) <= 100, 'what is given back is free');
  });
});
