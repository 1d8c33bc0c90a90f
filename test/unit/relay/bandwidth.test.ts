import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { Bandwidth } from '../../../src/relay/bandwidth.ts';
import type { Shaper } from '../../../src/relay/bandwidth.ts';
import { PeerRates } from '../../../src/relay/peer-rates.ts';

const KiB = 1024;

/** Moves `total` bytes as fast as the shapers allow, a piece at a time in turn. Returns milliseconds. */
function timeToMove(clock: ManualClock, shapers: readonly Shaper[], total: number): number {
  const start = clock.now();
  const left = shapers.map(() => total);
  while (left.some((bytes) => bytes > 0)) {
    let moved = false;
    for (const [i, shaper] of shapers.entries()) {
      const bytes = Math.min(left[i] ?? 0, shaper.pieceBytes);
      if (bytes > 0 && shaper.waitMs() === 0) {
        shaper.moved(bytes);
        left[i] = (left[i] ?? 0) - bytes;
        moved = true;
      }
    }
    if (!moved) clock.advance(1);
  }
  return clock.now() - start;
}

const about = (actual: number, expected: number, unit = 'ms'): void => assert.ok(Math.abs(actual - expected) <= expected * 0.1, `${actual} ${unit}, expected about ${expected} ${unit}`);

describe('Bandwidth', () => {
  it('without limits never waits', () => {
    const shaper = new Bandwidth({ perCircuit: Infinity, perPeer: Infinity, total: Infinity }, new ManualClock()).shaperFor('s', 't');
    shaper.moved(1e12);
    assert.equal(shaper.waitMs(), 0);
  });

  it('shapes a circuit to its rate, a quarter of a second of it at once', () => {
    const clock = new ManualClock();
    const bandwidth = new Bandwidth({ perCircuit: 100 * KiB, perPeer: Infinity, total: Infinity }, clock);
    about(timeToMove(clock, [bandwidth.shaperFor('s', 't')], 1000 * KiB), 9_750);
    about(timeToMove(clock, [bandwidth.shaperFor('s', 't'), bandwidth.shaperFor('s', 't')], 1000 * KiB), 9_750);
  });

  it('shapes the circuits of one peer together, whichever side of them it is', () => {
    const clock = new ManualClock();
    const bandwidth = new Bandwidth({ perCircuit: Infinity, perPeer: 100 * KiB, total: Infinity }, clock);
    about(timeToMove(clock, [bandwidth.shaperFor('peer', 'a'), bandwidth.shaperFor('b', 'peer')], 500 * KiB), 9_750);
    about(timeToMove(clock, [bandwidth.shaperFor('c', 'd'), bandwidth.shaperFor('e', 'f')], 1000 * KiB), 9_750);
  });

  it('shapes all circuits together', () => {
    const clock = new ManualClock();
    const bandwidth = new Bandwidth({ perCircuit: Infinity, perPeer: Infinity, total: 100 * KiB }, clock);
    const shapers = ['a', 'b', 'c', 'd'].map((name) => bandwidth.shaperFor(name, `${name}'`));
    about(timeToMove(clock, shapers, 250 * KiB), 9_750);
  });

  it('lets the tightest rate decide', () => {
    const clock = new ManualClock();
    const bandwidth = new Bandwidth({ perCircuit: 400 * KiB, perPeer: 200 * KiB, total: 100 * KiB }, clock);
    about(timeToMove(clock, [bandwidth.shaperFor('s', 't')], 1000 * KiB), 9_750);
  });

  it('moves a slow circuit in pieces that take no longer than its burst, so that it is never silent for long', () => {
    const clock = new ManualClock();
    const shaper = new Bandwidth({ perCircuit: 1 * KiB, perPeer: Infinity, total: Infinity }, clock).shaperFor('s', 't');
    assert.equal(shaper.pieceBytes, 256);
    shaper.moved(256);
    shaper.moved(shaper.pieceBytes);
    assert.ok(shaper.waitMs() <= 500, `${shaper.waitMs()} ms`);
  });

  it('gives a peer that opens one circuit after the other no more than its rate', () => {
    const clock = new ManualClock();
    const members = new PeerRates(clock);
    const bandwidth = new Bandwidth({ perCircuit: Infinity, perPeer: Infinity, total: Infinity }, clock, members);
    let moved = 0;
    for (const end = clock.now() + 10_000; clock.now() < end; clock.advance(10)) {
      const shaper = bandwidth.shaperFor('member', `target ${clock.now()}`, { source: 100 * KiB });
      if (shaper.waitMs() === 0) {
        shaper.moved(shaper.pieceBytes);
        moved += shaper.pieceBytes;
      }
      shaper.release();
    }
    about(moved / (100 * KiB), 10, 'seconds of its rate');
  });

  it('forgets a peer with its last circuit, once its debt is paid', () => {
    const clock = new ManualClock();
    const bandwidth = new Bandwidth({ perCircuit: Infinity, perPeer: 100 * KiB, total: Infinity }, clock);
    const [first, second] = [bandwidth.shaperFor('peer', 'a'), bandwidth.shaperFor('peer', 'b')];
    first.moved(200 * KiB);
    first.release();
    first.release();
    const third = bandwidth.shaperFor('peer', 'c');
    assert.ok(second.waitMs() > 0 && third.waitMs() > 0, 'the peer still has a circuit, and its debt');
    second.release();
    third.release();
    const fourth = bandwidth.shaperFor('peer', 'a');
    assert.ok(fourth.waitMs() > 0, 'the debt is there still');
    fourth.release();
    clock.advance(3_000);
    assert.equal(bandwidth.shaperFor('peer', 'a').waitMs(), 0);
  });

  it('shapes a peer of another relay\'s not at all', () => {
    const clock = new ManualClock();
    const bandwidth = new Bandwidth({ perCircuit: Infinity, perPeer: 100 * KiB, total: Infinity }, clock);
    assert.ok(bandwidth.shaperFor(undefined, undefined).unlimited);
    const shapers = [bandwidth.shaperFor('peer', undefined), bandwidth.shaperFor(undefined, 'peer')];
    about(timeToMove(clock, shapers, 500 * KiB), 9_750);
    shapers.forEach((shaper) => shaper.release());
  });
});
