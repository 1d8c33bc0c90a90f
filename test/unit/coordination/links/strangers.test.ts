import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Stream } from '@libp2p/interface';
import { Strangers } from '../../../../src/coordination/links/strangers.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';

interface Visitor {
  readonly stream: Stream;
  readonly isReset: () => boolean;
}

function visitor(): Visitor {
  let isReset = false;
  const stream: Pick<Stream, 'abort'> = { abort: () => (isReset = true) };
  return { stream: stream as Stream, isReset: () => isReset };
}

const isWanted = (peer: string): boolean => peer === 'wanted';

describe('handshakes that others began', () => {
  it('are two a peer at a time', () => {
    const strangers = new Strangers(new ManualClock(), isWanted);
    const leave = strangers.enter('a', visitor().stream);
    assert.ok(leave !== undefined && strangers.enter('a', visitor().stream) !== undefined);
    assert.equal(strangers.enter('a', visitor().stream), undefined);
    leave();
    assert.ok(strangers.enter('a', visitor().stream) !== undefined);
  });

  it('are ten in ten seconds a peer, and other peers are none the worse for it', () => {
    const clock = new ManualClock();
    const strangers = new Strangers(clock, isWanted);
    const comesIn = (): boolean => {
      const leave = strangers.enter('a', visitor().stream);
      leave?.();
      return leave !== undefined;
    };
    const tries = (): number => Array.from({ length: 20 }, comesIn).filter(Boolean).length;
    assert.equal(tries(), 10);
    assert.ok(strangers.enter('b', visitor().stream) !== undefined);
    clock.advance(5_000);
    assert.equal(tries(), 5);
  });

  it('are 64 in all: one more takes the place of the one that has taken longest', () => {
    const strangers = new Strangers(new ManualClock(), isWanted);
    const first = visitor();
    strangers.enter('first', first.stream);
    const others = Array.from({ length: 63 }, (_, i) => {
      const other = visitor();
      strangers.enter(`other ${i}`, other.stream);
      return other;
    });
    assert.ok(!first.isReset());
    assert.ok(strangers.enter('relay', visitor().stream) !== undefined);
    assert.ok(first.isReset() && others.every((other) => !other.isReset()));
  });

  it('of relays that are wanted have places of their own', () => {
    const strangers = new Strangers(new ManualClock(), isWanted);
    const relay = visitor();
    strangers.enter('wanted', relay.stream);
    const others = Array.from({ length: 64 }, (_, i) => {
      const other = visitor();
      strangers.enter(`other ${i}`, other.stream);
      return other;
    });
    assert.ok(strangers.enter('wanted', visitor().stream) !== undefined && strangers.enter('wanted', visitor().stream) === undefined);
    assert.ok(!relay.isReset() && others.every((other) => !other.isReset()));
  });
});
