import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { KeepAlive } from '../../../src/transport/native/keep-alive.ts';
import { PING, SYN } from './frames.ts';
import { StrictPeer } from './strict-peer.ts';

const INTERVAL_MS = 45_000;

/** A connection that counts what is done to it. */
class Counted {
  alive = true;
  pings = 0;
  losses = 0;
  onPing: () => void = () => undefined;

  ping(): void {
    this.pings++;
    this.onPing();
  }

  lost(): void {
    this.losses++;
  }
}

describe('KeepAlive', () => {
  it('asks a connection that is silent for an interval, and gives it up after another, once', () => {
    const clock = new ManualClock();
    const keepAlive = new KeepAlive(clock);
    const connection = new Counted();
    keepAlive.watch(connection);
    clock.advance(INTERVAL_MS);
    assert.deepEqual([connection.pings, connection.losses], [0, 0], 'it had a word at the beginning');
    clock.advance(INTERVAL_MS);
    assert.deepEqual([connection.pings, connection.losses], [1, 0]);
    clock.advance(INTERVAL_MS);
    assert.deepEqual([connection.pings, connection.losses], [1, 1]);
    assert.deepEqual([keepAlive.count, clock.pending], [0, 0], 'it is not watched any more, though nobody took it back');
    clock.advance(10 * INTERVAL_MS);
    assert.equal(connection.losses, 1);
  });

  it('leaves alone one that speaks, and one that answers', () => {
    const clock = new ManualClock();
    const keepAlive = new KeepAlive(clock);
    const [speaks, answers] = [new Counted(), new Counted()];
    answers.onPing = () => (answers.alive = true);
    keepAlive.watch(speaks);
    keepAlive.watch(answers);
    for (let i = 0; i < 100; i++) {
      clock.advance(INTERVAL_MS / 3);
      speaks.alive = true;
    }
    assert.deepEqual([speaks.pings, speaks.losses, answers.losses], [0, 0, 0]);
    assert.ok(answers.pings >= 15);
  });

  it('has one timer for all, and none for none', () => {
    const clock = new ManualClock();
    const keepAlive = new KeepAlive(clock);
    const connections = Array.from({ length: 500 }, () => new Counted());
    connections.forEach((connection) => {
      keepAlive.watch(connection);
      clock.advance(100);
    });
    assert.deepEqual([keepAlive.count, clock.pending], [500, 1]);
    connections.forEach((connection) => keepAlive.forget(connection));
    connections.forEach((connection) => keepAlive.forget(connection));
    assert.deepEqual([keepAlive.count, clock.pending], [0, 0]);
    keepAlive.watch(new Counted());
    assert.deepEqual([keepAlive.count, clock.pending], [1, 1]);
  });

  it('spreads its work', () => {
    const clock = new ManualClock();
    const keepAlive = new KeepAlive(clock);
    const askedAt: number[] = [];
    for (let i = 0; i < 450; i++) {
      const connection = new Counted();
      connection.onPing = () => askedAt.push(clock.now());
      keepAlive.watch(connection);
      clock.advance(INTERVAL_MS / 450);
    }
    clock.advance(2 * INTERVAL_MS);
    const most = Math.max(...[...Map.groupBy(askedAt, (at) => at).values()].map((list) => list.length));
    assert.ok(askedAt.length >= 450 && most <= 20, `${most} at once`);
  });

  it('may be told to forget while it looks', () => {
    const clock = new ManualClock();
    const keepAlive = new KeepAlive(clock);
    const connections = Array.from({ length: 5 }, () => new Counted());
    connections.forEach((connection) => {
      connection.onPing = () => connections.forEach((each) => keepAlive.forget(each));
      keepAlive.watch(connection);
    });
    clock.advance(3 * INTERVAL_MS);
    assert.deepEqual([connections.reduce((sum, { pings }) => sum + pings, 0), keepAlive.count, clock.pending], [1, 0, 0]);
  });
});

describe('a muxer under keep-alive', () => {
  it('pings a silent peer, and ends the connection of one that does not answer', async () => {
    const peer = new StrictPeer();
    peer.clock.advance(2 * INTERVAL_MS);
    assert.deepEqual((await peer.heard()).map(({ type, flags }) => [type, flags]), [[PING, SYN]]);
    peer.clock.advance(INTERVAL_MS);
    assert.equal(peer.aborted, true);
    assert.deepEqual([peer.keepAlive.count, peer.clock.pending], [0, 0]);
  });

  it('takes any frame as a sign of life', async () => {
    const peer = new StrictPeer();
    for (let i = 0; i < 20; i++) {
      peer.clock.advance(INTERVAL_MS / 2);
      peer.credit(1, 0);
    }
    assert.deepEqual([peer.aborted, await peer.heard()], [false, []]);
    peer.rig.connection.abort(new Error('over'));
    assert.equal(peer.keepAlive.count, 0);
  });
});
