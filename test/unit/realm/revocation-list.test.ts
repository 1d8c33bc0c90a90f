import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { RelaydError } from '../../../src/lib/errors.ts';
import { MessageWriter, concat } from '../../../src/lib/protobuf.ts';
import { MAX_REVOCATIONS, MAX_REVOCATION_LIST_BYTES, openRevocationList, signRevocationList, signedSequence } from '../../../src/realm/revocation-list.ts';
import type { Revocation, RevocationList } from '../../../src/realm/revocation-list.ts';
import { seal, sealedBy } from '../../../src/realm/signature.ts';
import { ANNA, BERT, NOW, makeKey } from './support.ts';

const KEY = makeKey();
const isSealed = sealedBy(KEY.raw);
const LIST: RevocationList = { realm: 'home', sequence: 7, issuedAtSeconds: NOW, entries: [{ token: '00112233aabbccdd', untilSeconds: NOW + 60 }, { peer: ANNA, untilSeconds: undefined }] };
const BYTES = signRevocationList(LIST, KEY.privateKey);

const isRefused = (bytes: Uint8Array): boolean => {
  try {
    openRevocationList(bytes, isSealed);
    return false;
  } catch (error) {
    assert.ok(error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE', String(error));
    return true;
  }
};

const shown = (list: RevocationList): unknown => ({ ...list, entries: list.entries.map((entry) => ('peer' in entry ? { ...entry, peer: entry.peer.toString() } : entry)) });

describe('a revocation list', () => {
  it('tells its number to who knows the key alone, and none to who has another', () => {
    assert.equal(signedSequence(BYTES, KEY.raw), 7);
    assert.equal(signedSequence(BYTES, makeKey().raw), undefined);
    assert.equal(signedSequence(BYTES, KEY.raw.subarray(1)), undefined);
    assert.equal(signedSequence(Uint8Array.of(1), KEY.raw), undefined);
  });

  it('says what was put into it', () => {
    assert.deepEqual(shown(openRevocationList(BYTES, isSealed)), shown(LIST));
    const tokens = fc.uniqueArray(fc.record({ token: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex')), untilSeconds: fc.nat() }), { selector: ({ token }) => token });
    fc.assert(
      fc.property(tokens, fc.subarray([ANNA, BERT]), fc.nat(), (ofTokens, peers, sequence) => {
        const entries: Revocation[] = [...ofTokens, ...peers.map((peer) => ({ peer, untilSeconds: sequence === 0 ? undefined : sequence }))];
        const bytes = signRevocationList({ ...LIST, sequence, entries }, KEY.privateKey);
        const read = openRevocationList(bytes, isSealed);
        assert.deepEqual(signRevocationList(read, KEY.privateKey), bytes);
        assert.deepEqual(new Set(read.entries.map((entry) => JSON.stringify(entry))), new Set(entries.map((entry) => JSON.stringify(entry))));
      }),
    );
  });

  it('is refused with any bit changed, cut, or longer', () => {
    for (let at = 0; at < BYTES.byteLength; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const altered = BYTES.slice();
        altered[at] = (altered[at] ?? 0) ^ (1 << bit);
        assert.ok(isRefused(altered), `byte ${at}, bit ${bit}`);
      }
      assert.ok(isRefused(BYTES.subarray(0, at)), `${at} bytes`);
    }
    assert.ok(isRefused(concat([BYTES, Uint8Array.of(0)])));
    assert.ok(isRefused(new Uint8Array(MAX_REVOCATION_LIST_BYTES + 1)));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.ok(isRefused(bytes))));
  });

  it('is refused when its authority signed what is no list, or another thing', () => {
    const head = (): MessageWriter => new MessageWriter().varint(1, 1).text(2, 'home').varint(3, 7).varint(4, NOW);
    const entry = (byte: number): Uint8Array => new MessageWriter().bytes(1, new Uint8Array(8).fill(byte)).varint(3, NOW).finish();
    const wrong: [string, Uint8Array][] = [
      ['another version', new MessageWriter().varint(1, 2).text(2, 'home').varint(3, 7).varint(4, NOW).finish()],
      ['no sequence', new MessageWriter().varint(1, 1).text(2, 'home').varint(4, NOW).finish()],
      ['no name of a realm', new MessageWriter().varint(1, 1).text(2, '').varint(3, 7).varint(4, NOW).finish()],
      ['an entry twice', head().bytes(5, entry(1)).bytes(5, entry(1)).finish()],
      ['entries out of order', head().bytes(5, entry(2)).bytes(5, entry(1)).finish()],
      ['an entry of nothing', head().bytes(5, new Uint8Array()).finish()],
      ['a token for ever', head().bytes(5, new MessageWriter().bytes(1, new Uint8Array(8)).finish()).finish()],
      ['a short token id', head().bytes(5, new MessageWriter().bytes(1, new Uint8Array(7)).varint(3, 1).finish()).finish()],
      ['a peer that is none', head().bytes(5, new MessageWriter().bytes(2, new Uint8Array(7)).finish()).finish()],
      ['a token and a peer in one', head().bytes(5, new MessageWriter().bytes(1, new Uint8Array(8)).bytes(2, ANNA.toMultihash().bytes).varint(3, 1).finish()).finish()],
      ['a field that is not known', concat([head().finish(), Uint8Array.of(0x30, 1)])],
    ];
    for (const [what, payload] of wrong) {
      assert.ok(isRefused(seal('revocations', payload, KEY.privateKey)), what);
    }
    assert.ok(!isRefused(seal('revocations', head().bytes(5, entry(1)).bytes(5, entry(2)).finish(), KEY.privateKey)));
    assert.ok(isRefused(seal('token', head().finish(), KEY.privateKey)), 'signed as a token');
    assert.ok(isRefused(signRevocationList(LIST, makeKey().privateKey)), 'signed by another authority');
  });

  it('holds as many entries as it says, and no more', () => {
    const entries = (count: number): Revocation[] => Array.from({ length: count }, (_, i) => ({ token: i.toString(16).padStart(16, '0'), untilSeconds: NOW }));
    assert.equal(openRevocationList(signRevocationList({ ...LIST, entries: entries(MAX_REVOCATIONS) }, KEY.privateKey), isSealed).entries.length, MAX_REVOCATIONS);
    assert.ok(isRefused(signRevocationList({ ...LIST, entries: entries(MAX_REVOCATIONS + 1) }, KEY.privateKey)));
  });
});
