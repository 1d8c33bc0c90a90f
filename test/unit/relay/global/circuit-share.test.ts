import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import type { QuotaClaim } from '../../../../src/lib/cluster/relay-cluster.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';
import type { Circuit, CircuitEnd } from '../../../../src/relay/circuit.ts';
import { CircuitShare } from '../../../../src/relay/global/circuit-share.ts';
import { GlobalLimits } from '../../../../src/relay/global/global-limits.ts';
import { Refused } from '../../../../src/relay/refusal.ts';
import { FakeCluster, clusterTerms } from '../../../support/fake-cluster.ts';

const DAY_MS = 86_400_000;
/** 2023-11-14T22:13:20Z, where a ManualClock begins. */
const LEFT_OF_DAY_MS = DAY_MS - (1_700_000_000_000 % DAY_MS);
const quota = (who: string, bytes = 1 << 30): QuotaClaim => ({ limit: 'quotas.peer', key: `quota/peer/${who}`, quota: { bytes, per: 'd' } });

describe('what a circuit takes of the cluster\'s limits', () => {
  let cluster: FakeCluster;
  let clock: ManualClock;
  let global: GlobalLimits;

  beforeEach(() => {
    cluster = new FakeCluster();
    clock = new ManualClock();
    global = new GlobalLimits(cluster, clusterTerms(), clock);
    global.start();
  });

  const told = (who: string): number => cluster.bytes.get(`quota/peer/${who}`) ?? 0;

  /** A circuit of which only its end is of interest. */
  function circuit(ends: CircuitEnd[]): Circuit {
    return { end: (reason: CircuitEnd) => ends.push(reason) } as unknown as Circuit;
  }

  it('is told byte by byte, at once where it is much and within 100 ms where it is little', () => {
    const share = new CircuitShare(global, undefined, [quota('A'), quota('B')]);
    share.moved(65_535);
    assert.equal(cluster.tellings, 0);
    share.moved(1);
    assert.deepEqual([told('A'), told('B'), cluster.tellings], [65_536, 65_536, 1]);
    share.moved(10);
    clock.advance(99);
    share.moved(10);
    assert.equal(cluster.tellings, 1);
    clock.advance(1);
    assert.deepEqual([told('A'), cluster.tellings, clock.pending], [65_556, 2, 0]);
    share.release();
    assert.equal(cluster.tellings, 2, 'there was nothing left to tell');
  });

  it('loses no byte of many small moves, whenever the circuit ends', () => {
    const step = fc.oneof(fc.record({ bytes: fc.integer({ min: 1, max: 40_000 }) }), fc.record({ waitMs: fc.integer({ min: 0, max: 150 }) }));
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), fc.nat(60), (steps, endAfter) => {
      cluster.bytes.clear();
      const share = new CircuitShare(global, undefined, [quota('A')]);
      let sent = 0;
      steps.forEach((one, i) => {
        if (i === endAfter) share.release();
        if ('bytes' in one) {
          sent += one.bytes;
          share.moved(one.bytes);
        } else {
          clock.advance(one.waitMs);
        }
      });
      share.release();
      assert.deepEqual([told('A'), clock.pending], [sent, 0]);
    }));
  });

  it('costs nothing where no bytes are counted', () => {
    const share = new CircuitShare(global, undefined, []);
    share.moved(1 << 20);
    assert.deepEqual([cluster.tellings, clock.pending], [0, 0]);
    share.release();
  });

  it('ends the circuits that use a quota when it is used up, and no others', () => {
    const ends: Record<string, CircuitEnd[]> = { ab: [], bc: [], cd: [] };
    const shares = Object.fromEntries(Object.entries(ends).map(([name, list]) => {
      const share = new CircuitShare(global, undefined, name.split('').map((who) => quota(who)));
      share.carriedBy(circuit(list));
      return [name, share];
    }));
    cluster.useUp('quota/peer/b');
    assert.deepEqual(ends, { ab: ['quota'], bc: ['quota'], cd: [] });
    shares['cd']?.release();
    cluster.useUp('quota/peer/c');
    assert.deepEqual(ends['cd'], [], 'it was over already');
  });

  it('ends a circuit that uses up its quota itself, while it tells', () => {
    const ends: CircuitEnd[] = [];
    const share = new CircuitShare(global, undefined, [quota('A', 100)]);
    share.carriedBy({ end: (reason: CircuitEnd) => (ends.push(reason), share.release()) } as unknown as Circuit);
    share.moved(100);
    clock.advance(100);
    assert.deepEqual([ends, told('A'), clock.pending], [['quota'], 100, 0]);
    share.moved(7);
    assert.equal(told('A'), 107, 'what was on its way counts');
  });

  it('refuses a circuit whose quota is used up before it is there, until the window is over', () => {
    const share = new CircuitShare(global, undefined, [quota('A', 100), { ...quota('B', 500), quota: { bytes: 500, per: 'month' } }]);
    share.assertLasts();
    cluster.useUp('quota/peer/A');
    const refusal = (retryAfterMs: number, bytes: number) => (error: unknown): boolean => {
      assert.ok(error instanceof Refused);
      assert.deepEqual([error.limit, error.details], ['cluster.quotas.peer', { current: bytes, maximum: bytes, retryAfterMs }]);
      return true;
    };
    assert.throws(() => share.assertLasts(), refusal(LEFT_OF_DAY_MS, 100));
    const ofMonth = new CircuitShare(global, undefined, [{ ...quota('C'), quota: { bytes: 500, per: 'month' } }]);
    cluster.useUp('quota/peer/C');
    assert.throws(() => ofMonth.assertLasts(), refusal(LEFT_OF_DAY_MS + 16 * DAY_MS, 500));
  });

  it('is given back once, with the circuit\'s own place', () => {
    const done: string[] = [];
    const share = new CircuitShare(global, { release: () => done.push('permit'), releaseOnly: () => assert.fail() }, []);
    const slot = share.with({ established: () => done.push('established'), release: () => done.push('slot') });
    slot.established();
    slot.release();
    assert.deepEqual(done, ['established', 'slot', 'permit']);
  });

  it('listens from start to stop', () => {
    assert.equal(cluster.listeners.size, 1);
    global.start();
    assert.equal(cluster.listeners.size, 1);
    global.stop();
    assert.equal(cluster.listeners.size, 0);
  });
});
