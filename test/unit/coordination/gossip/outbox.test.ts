import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Author } from '../../../../src/coordination/gossip/author.ts';
import { decodeGossip } from '../../../../src/coordination/gossip/messages.ts';
import { Outbox } from '../../../../src/coordination/gossip/outbox.ts';
import { RevocationLists } from '../../../../src/coordination/gossip/revocation-lists.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';
import { proofsOf, signedList } from '../../../support/coordination/signed.ts';

const HOUR_MS = 3_600_000;

describe('what waits to be told', () => {
  let clock: ManualClock;
  let author: Author;
  let lists: RevocationLists;
  let others: number;
  let sent: { at: number; held: number; lists: number; marks: number; bytes: number }[];
  let outbox: Outbox;

  beforeEach(() => {
    [clock, author, lists, others, sent] = [new ManualClock(), new Author('self', 1, () => 0), new RevocationLists(proofsOf({ id: 'self', epoch: 1 })), 2, []];
    const publish = (bytes: Uint8Array): void => {
      const message = decodeGossip(bytes);
      sent.push({ at: clock.now(), held: message.delta.held.length, lists: message.lists.length, marks: message.marks.length, bytes: bytes.byteLength });
    };
    outbox = new Outbox({ author, lists, clock, publish, others: () => others });
  });

  const hold = (count: number): void => {
    for (let i = 0; i < count; i++) author.hold(`peer-${i}`, HOUR_MS, 0);
    outbox.soon();
  };
  const tell = (bytes: number): void => {
    const list = signedList(1, `a${bytes}`, bytes);
    lists.take(list);
    outbox.tell(list);
  };

  it('goes at once after a silence, and in one message a twentieth of a second after the last one', () => {
    hold(3);
    clock.advance(10);
    assert.deepEqual(sent.map(({ at, held }) => [at, held]), [[0, 3]]);
    hold(2);
    clock.advance(20);
    hold(4);
    clock.advance(19);
    assert.equal(sent.length, 1);
    clock.advance(1);
    assert.deepEqual(sent.slice(1).map(({ at, held }) => [at, held]), [[50, 4]]);
    clock.advance(1_000);
    assert.equal(sent.length, 2);
  });

  it('is twenty messages a second at most, however much changes', () => {
    for (let i = 0; i < 1_000; i++) {
      hold(1);
      clock.advance(1);
    }
    assert.equal(sent.length, 20 + 1);
  });

  it('goes at once with a beat', () => {
    hold(1);
    author.beat(Uint8Array.of(1), 0);
    outbox.flush();
    clock.advance(1_000);
    assert.deepEqual(sent.map(({ at, held }) => [at, held]), [[0, 1]]);
  });

  it('waits longer the more relays have to hear it', () => {
    others = 49;
    hold(1);
    clock.advance(50);
    for (let i = 0; i < 100; i++) {
      hold(1);
      clock.advance(10);
    }
    assert.deepEqual(sent.map(({ at }) => at), [0, 392, 784]);
  });

  it('goes in a few messages at a time when it is much', () => {
    hold(10_000);
    clock.advance(49);
    assert.equal(sent.length, 4);
    assert.ok(Math.max(...sent.map(({ bytes }) => bytes)) < 64 * 1024);
    clock.advance(2_000);
    assert.equal(sent.reduce((sum, { held }) => sum + held, 0), 10_000);
  });

  it('has short revocation lists in it, one a message, and the marks of all', () => {
    tell(100);
    tell(200);
    tell(20_000);
    clock.advance(50);
    assert.deepEqual(sent.map((message) => [message.lists, message.marks]), [[1, 3], [1, 3], [0, 3]]);
    clock.advance(1_000);
    assert.equal(sent.length, 3);
  });
});
