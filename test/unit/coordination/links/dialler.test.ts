import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Dialler } from '../../../../src/coordination/links/dialler.ts';
import { isBetter } from '../../../../src/coordination/links/preference.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';
import { makePeerIds } from '../../../support/peer-ids.ts';
import { settled } from '../../../support/waiting.ts';

const [low, self, high, far] = (await makePeerIds(4)).map(String).sort() as [string, string, string, string];
const at = (peer: string, port = 1): string => `/ip4/127.0.0.1/tcp/${port}/p2p/${peer}`;

interface Rig {
  readonly clock: ManualClock;
  readonly dialler: Dialler;
  readonly dials: { peer: string; addrs: string[]; atMs: number }[];
  readonly linked: Set<string>;
}

function make({ configured = [] as string[], works = false, maxTargets = 4 } = {}): Rig {
  const clock = new ManualClock();
  const dials: Rig['dials'] = [];
  const linked = new Set<string>();
  const connect = async (peer: string, addrs: readonly unknown[]): Promise<boolean> => {
    dials.push({ peer, addrs: addrs.map(String), atMs: clock.now() });
    if (works) linked.add(peer);
    return works;
  };
  const dialler = new Dialler({ self, configured, isLinked: (peer) => linked.has(peer), connect, maxTargets, clock, random: () => 1 });
  dialler.start();
  return { clock, dialler, dials, linked };
}

/** Time passes, with the dials that are due. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let i = 0; i < ms; i += 50) {
    clock.advance(50);
    await settled(1);
  }
}

describe('the dialler of links', () => {
  it('dials again and again, never more than two seconds apart', async () => {
    const { clock, dials } = make({ configured: [at(high)] });
    await pass(clock, 20_000);
    const waits = dials.map(({ atMs }, i) => atMs - (dials[i - 1]?.atMs ?? 0));
    assert.deepEqual(waits.slice(0, 7), [100, 200, 400, 800, 1_600, 2_000, 2_000]);
    assert.ok(waits.every((ms) => ms <= 2_000));
  });

  it('lets the relay with the lower id go first', async () => {
    const { clock, dials } = make({ configured: [at(low), at(high)] });
    await pass(clock, 500);
    assert.deepEqual(dials.filter(({ peer }) => peer === low).map(({ atMs }) => atMs), [400]);
    assert.equal(dials[0]?.peer, high);
  });

  it('stops when there is a link, and begins again when it is lost', async () => {
    const { clock, dialler, dials, linked } = make({ configured: [at(high)], works: true });
    await pass(clock, 5_000);
    assert.equal(dials.length, 1);
    linked.delete(high);
    dialler.lost(high);
    await pass(clock, 5_000);
    assert.equal(dials.length, 2);
  });

  it('keeps the relays of the configuration whatever is wanted, with all addresses, and never dials itself', async () => {
    const { clock, dialler, dials } = make({ configured: [at(high), at(high, 2), at(self), '/ip4/127.0.0.1/tcp/9'] });
    dialler.want([{ peer: far, addrs: [at(far), 'nonsense', `/ip4/127.0.0.1/tcp/3/p2p/${low}/p2p-circuit/p2p/${far}`] }, { peer: high, addrs: [at(high, 3), at(high)] }, { peer: self, addrs: [at(self)] }]);
    await pass(clock, 500);
    dialler.want([]);
    const before = dials.length;
    await pass(clock, 5_000);
    assert.deepEqual([...new Set(dials.slice(0, before).map(({ peer }) => peer))].sort(), [high, far].sort());
    assert.deepEqual(dials.find(({ peer }) => peer === far)?.addrs, [at(far)]);
    assert.deepEqual(dials.find(({ peer }) => peer === high)?.addrs, [at(high), at(high, 2), at(high, 3)]);
    assert.deepEqual([...new Set(dials.slice(before).map(({ peer }) => peer))], [high]);
    assert.ok(dialler.isWanted(high) && !dialler.isWanted(far));
  });

  it('keeps to so many relays, and has no timer after a stop', async () => {
    const { clock, dialler, dials } = make({ configured: [at(high)], maxTargets: 1 });
    dialler.want([{ peer: far, addrs: [at(far)] }]);
    await pass(clock, 1_000);
    assert.deepEqual([...new Set(dials.map(({ peer }) => peer))], [high]);
    dialler.stop();
    assert.equal(clock.pending, 0);
    const before = dials.length;
    dialler.want([{ peer: far, addrs: [at(far)] }]);
    await pass(clock, 5_000);
    assert.equal(dials.length, before);
    dialler.start();
    await pass(clock, 1_000);
    assert.ok(dials.length > before);
  });
});

describe('of two links to a relay', () => {
  it('made at once, both sides keep the one that the lower id opened', () => {
    for (const openedByLow of [true, false]) {
      const atLow = isBetter({ openedAt: 10, openedByUs: openedByLow }, { openedAt: 5, openedByUs: !openedByLow }, low, high);
      const atHigh = isBetter({ openedAt: 12, openedByUs: !openedByLow }, { openedAt: 7, openedByUs: openedByLow }, high, low);
      assert.deepEqual([atLow, atHigh], [openedByLow, openedByLow]);
    }
  });

  it('the newer one stands when the same side opened both, or it came much later', () => {
    assert.ok(isBetter({ openedAt: 10, openedByUs: false }, { openedAt: 5, openedByUs: false }, low, high));
    assert.ok(isBetter({ openedAt: 2_500, openedByUs: false }, { openedAt: 5, openedByUs: true }, low, high));
  });
});
