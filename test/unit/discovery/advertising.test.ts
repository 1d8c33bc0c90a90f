import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Advertising } from '../../../src/discovery/advertising.ts';
import { BUCKET_MS, bucketAt, networkKey } from '../../../src/discovery/network-key.ts';
import { settled } from '../../support/waiting.ts';
import { MemoryDht, base } from './support.ts';

const NAME = { network: 'main', realm: undefined };

function rig(isReachable = (): boolean => true): { dht: MemoryDht; advertising: Advertising; parts: ReturnType<typeof base>; isAt: (bucket: number) => boolean; pass: (ms: number, stepMs?: number) => Promise<void> } {
  const parts = base();
  const dht = new MemoryDht();
  const advertising = new Advertising({ ...parts, dht, name: NAME, isReachable });
  const pass = async (ms: number, stepMs = 60_000): Promise<void> => {
    for (let left = ms; left > 0; left -= stepMs) {
      parts.clock.advance(Math.min(left, stepMs));
      await settled(1);
    }
  };
  return { dht, advertising, parts, pass, isAt: (bucket) => dht.asked.includes(`provide ${networkKey(NAME, bucket).toString()}`) };
}

describe('a relay that advertises itself', () => {
  it('stands in the DHT under the key of each hour before that hour begins, with no gap', async () => {
    const { advertising, parts, isAt, pass } = rig();
    advertising.start();
    await settled();
    assert.ok(isAt(bucketAt(parts.clock.wall())), 'at once');
    for (let minute = 0; minute < 300; minute++) {
      await pass(60_000);
      assert.ok(isAt(bucketAt(parts.clock.wall() + 60_000)), `minute ${minute}`);
    }
    await advertising.withdraw();
  });

  it('renews within the hour, for the peers that store the record come and go', async () => {
    const { advertising, dht, pass } = rig();
    advertising.start();
    await pass(BUCKET_MS);
    assert.ok(dht.count('provide') >= 4, dht.asked.join());
    await advertising.withdraw();
  });

  it('makes no further record once it is withdrawn, and takes its own out of its own store', async () => {
    const { advertising, dht, parts, pass } = rig();
    advertising.start();
    await settled();
    const records = dht.count('provide');
    await advertising.withdraw();
    await pass(3 * BUCKET_MS);
    assert.equal(dht.count('provide'), records);
    assert.ok(dht.asked.includes(`cancel ${networkKey(NAME, bucketAt(1_700_000_000_000)).toString()}`));
    assert.equal(parts.clock.pending, 0);
  });

  it('lets the library renew no record of an hour that is over', async () => {
    const { advertising, dht, pass } = rig();
    advertising.start();
    await pass(2 * BUCKET_MS);
    assert.ok(dht.asked.includes(`cancel ${networkKey(NAME, bucketAt(1_700_000_000_000)).toString()}`));
    await advertising.withdraw();
  });

  it('does not advertise addresses that nobody can reach, and does as soon as there is one', async () => {
    let isReachable = false;
    const { advertising, dht, pass } = rig(() => isReachable);
    advertising.start();
    await pass(120_000);
    assert.equal(dht.count('provide'), 0);
    isReachable = true;
    await pass(60_000);
    assert.equal(dht.count('provide') > 0, true);
    await advertising.withdraw();
  });

  it('tries again soon when the DHT is not there, or nobody stores the record', async () => {
    const { advertising, dht, parts, pass } = rig();
    dht.failure = new Error('no peers');
    advertising.start();
    await pass(30_000, 1_000);
    assert.ok(dht.count('provide') >= 2, 'a failure');
    dht.failure = undefined;
    dht.stores = 0;
    const before = dht.count('provide');
    await pass(120_000, 1_000);
    assert.ok(dht.count('provide') > before, 'stored by nobody');
    const text = await parts.registry.metrics();
    assert.match(text, /relayd_discovery_adverts_total\{outcome="failed"\} [1-9]/);
    assert.match(text, /relayd_discovery_advertised 0/);
    await advertising.withdraw();
  });

  it('follows the wall clock when that is stepped', async () => {
    const { advertising, parts, isAt, pass } = rig();
    advertising.start();
    await settled();
    parts.clock.stepWall(5 * BUCKET_MS);
    await pass(25 * 60_000);
    assert.ok(isAt(bucketAt(parts.clock.wall())));
    await advertising.withdraw();
  });
});
