import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { SharedRevocations } from '../../../src/coordination/backend.ts';
import { LINK_KINDS } from '../../../src/coordination/links.ts';
import { RevocationLinks, decodeList, encodeList } from '../../../src/coordination/revocation-links.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { settled } from '../../support/waiting.ts';
import { LinksByHand } from './links-by-hand.ts';

const list = (sequence: number): SharedRevocations => ({ authority: 'aa', sequence, list: Uint8Array.of(sequence) });

describe('revocation lists over links', () => {
  let current: SharedRevocations | undefined;
  let links: LinksByHand;
  let told: { relay: string; sequence: number }[];
  let heard: number[];
  let changed: () => void;
  let over: RevocationLinks;
  const nobody = new AbortController().signal;
  const hears = (sequence: number): unknown => links.handler?.('b', encodeList(list(sequence)), nobody);

  beforeEach(() => {
    current = undefined;
    [told, heard] = [[], []];
    links = new LinksByHand((relay, kind, message) => {
      assert.equal(kind, LINK_KINDS.revocations);
      told.push({ relay, sequence: decodeList(message).sequence });
      return new Uint8Array();
    });
    links.linked = ['b', 'c'];
    over = new RevocationLinks({
      links,
      realm: {
        current: () => current,
        onChange: (listener) => {
          changed = listener;
          return () => (changed = () => {});
        },
      },
      heard: ({ sequence }) => void heard.push(sequence),
      clock: new ManualClock(),
      log: silentLogger,
    });
    over.start();
  });

  it('are told to every linked relay when they change, and to one whose link comes up', async () => {
    current = list(3);
    changed();
    await settled();
    assert.deepEqual(told, [{ relay: 'b', sequence: 3 }, { relay: 'c', sequence: 3 }]);
    links.changed('d', true);
    links.changed('b', false);
    await settled();
    assert.deepEqual(told.slice(2), [{ relay: 'd', sequence: 3 }]);
  });

  it('are handed on to be judged, and answered by a newer one', async () => {
    hears(4);
    assert.deepEqual(heard, [4]);
    current = list(9);
    hears(5);
    hears(9);
    await settled();
    assert.deepEqual(told, [{ relay: 'b', sequence: 9 }]);
  });

  it('of one relay are looked at only so often', () => {
    for (let i = 1; i <= 100; i++) hears(i);
    assert.equal(heard.length, 30);
  });

  it('are neither told nor heard after a stop', async () => {
    over.stop();
    current = list(1);
    changed();
    links.changed('b', true);
    await settled();
    assert.deepEqual(told, []);
    assert.equal(links.handler, undefined);
  });

  it('that are garbage are refused', () => {
    assert.throws(() => links.handler?.('b', Uint8Array.of(1, 2, 3), nobody), { code: 'MALFORMED_MESSAGE' });
    assert.throws(() => links.handler?.('b', new Uint8Array(), nobody), { code: 'MALFORMED_MESSAGE' });
  });

  it('come out of a message as they went in', () => {
    fc.assert(fc.property(fc.string({ maxLength: 80 }), fc.nat(), fc.uint8Array({ maxLength: 200 }), (authority, sequence, bytes) => {
      const found = decodeList(encodeList({ authority, sequence, list: bytes }));
      assert.deepEqual({ ...found, list: [...found.list] }, { authority, sequence, list: [...bytes] });
    }));
  });
});
