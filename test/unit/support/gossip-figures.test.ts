import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { convergenceOf } from '../../bench/support/gossip-convergence.ts';
import { extrapolation } from '../../bench/support/gossip-paper.ts';
import type { Rates } from '../../bench/support/gossip-rates.ts';

const NOTHING: Rates = { inBytes: 0, outBytes: 0, inMessages: 0, outMessages: 0, inGossipBytes: 0, syncBytes: 0, inLinkBytes: 0, refused: 0, decisions: 0, decidedAlone: 0, cpuSeconds: 0, waitedSeconds: 0 };
const RESERVED = { perSecond: 100, p50Ms: 1, p99Ms: 2, held: 2_000, failed: 0 };

const measured = (rest: Partial<Rates>, load: Partial<Rates>) => ({ rest: { ...NOTHING, ...rest }, load: { ...NOTHING, ...load }, restRssKiB: 0, loadRssKiB: 0, reserved: RESERVED, convergence: undefined });

describe('what the gossip benchmark makes of its measurements', () => {
  it('counts a reservation as known everywhere when the slowest relay knows it', () => {
    const known = (afterMs: number, withinMs: number) => ({ afterMs, withinMs });
    const { one, all, within, lost, failed } = convergenceOf({ count: 9, seconds: 1, p50Ms: 1, p99Ms: 1, failed: { refused: 1, reset: 2 }, lost: 4, one: [known(5, 5)], all: [[known(7, 7), known(90, 6), known(8, 8)], [known(30, 1)]] });

    assert.deepEqual(one, { count: 1, p50: 5, p99: 5, max: 5 });
    assert.deepEqual(all, { count: 2, p50: 30, p99: 90, max: 90 });
    assert.equal(within.max, 6, 'of the answers that count');
    assert.deepEqual([lost, failed], [4, 3]);
  });

  it('puts down to the cluster only what relays by themselves do not use', () => {
    const figures = extrapolation({
      relays: 10,
      rate: 100,
      seconds: 20,
      nice: 0,
      cluster: measured({ inBytes: 9 * 1024, cpuSeconds: 0.019 }, { inBytes: 9 * 1024 + 100 * 512 + 10 * 2048, inLinkBytes: 10 * 2048, inMessages: 100, cpuSeconds: 0.149 }),
      alone: measured({ cpuSeconds: 0.01 }, { cpuSeconds: 0.04 }),
      memoryBytes: 128,
      join: { reservations: 100_000, seconds: 2, bytes: 100_000 * 60, cpuSeconds: 1 },
    });

    // 1 KiB/s and 0.1 % for each other relay; 125 messages a second are what the gap between them lets through, of 1 ms and half a KiB; 7.4 reservations a second of its own, 2 KiB each.
    assert.equal(figures['KiB/s in at rest, per relay'], '49');
    assert.equal(figures['CPU at rest, % of a core'], '4.9');
    assert.equal(figures['KiB/s in with renewals, per relay'], (49 + 62.5 + 14.8).toFixed(0));
    assert.equal(figures['CPU with renewals, % of a core'], '17.4');
    assert.match(figures['breaks first, and then'] ?? '', /^CPU of a newcomer, of 10 s: 100 %; memory, of 256 MiB: 48 %; CPU, of half a core: 35 %/);
  });
});
