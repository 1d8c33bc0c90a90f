import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import fc from 'fast-check';
import { peerIdFromBytes } from '../../../../src/lib/circuit/voucher.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { MessageWriter, concat, encodeVarint } from '../../../../src/lib/protobuf.ts';
import { decodeForward, encodeForward } from '../../../../src/relay/forwarding/messages.ts';
import type { ForwardRequest } from '../../../../src/relay/forwarding/messages.ts';
import { makePeerIds } from '../../../support/peer-ids.ts';

const isMalformed = (error: unknown): boolean => error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE';

/** Peer ids compare by what they print. */
const plain = ({ source, target, ...rest }: ForwardRequest): object => ({ source: source.toString(), target: target.toString(), ...rest });

describe('the request of one relay to another', () => {
  let ids: PeerId[];
  before(async () => {
    ids = await makePeerIds(4);
  });
  const request = (set: Partial<ForwardRequest> = {}): ForwardRequest => ({ source: ids[0] as PeerId, target: ids[1] as PeerId, class: 'public', limit: undefined, tokenId: undefined, realm: undefined, ...set });

  it('comes as it was sent', () => {
    const limit = fc.option(fc.record({ durationSeconds: fc.option(fc.maxSafeNat(), { nil: undefined }), dataBytes: fc.option(fc.maxSafeNat(), { nil: undefined }) }), { nil: undefined });
    const text = fc.option(fc.string({ unit: 'binary', maxLength: 64 }), { nil: undefined });
    const sets = fc.record({ source: fc.nat(3), target: fc.nat(3), class: fc.constantFrom('public' as const, 'member' as const), limit, tokenId: text, realm: text });
    fc.assert(
      fc.property(sets, (set) => {
        const sent = request({ ...set, source: ids[set.source] ?? assert.fail(), target: ids[set.target] ?? assert.fail() });
        // What is absent is absent, whichever way it was said.
        assert.deepEqual(JSON.parse(JSON.stringify(plain(decodeForward(encodeForward(sent))))), JSON.parse(JSON.stringify(plain(sent))));
      }),
    );
  });

  it('is on the wire as docs/reference/protocol-forward.md shows it', () => {
    const multihash = (byte: number): Buffer => Buffer.concat([Buffer.from('002408011220', 'hex'), Buffer.alloc(32, byte)]);
    const [source, target] = [1, 2].map((byte) => peerIdFromBytes(multihash(byte))) as [PeerId, PeerId];
    const bytes = encodeForward(request({ source, target, limit: { durationSeconds: 120, dataBytes: 131_072 } }));
    const page = readFileSync(new URL('../../../../docs/reference/protocol-forward.md', import.meta.url), 'utf8');
    const shown = /`(60 0a[^`]+)`/.exec(page)?.[1] ?? '';
    const hex = shown.replaceAll(/(\w\w)…\1/g, (_, byte: string) => byte.repeat(32)).replaceAll(' ', '');
    assert.equal(Buffer.from(concat([encodeVarint(bytes.byteLength), bytes])).toString('hex'), hex);
  });

  it('may have fields that are not known yet', () => {
    const later = concat([encodeForward(request({ tokenId: 'one' })), new MessageWriter().varint(90, 7).text(91, 'new').finish()]);
    assert.equal(decodeForward(later).tokenId, 'one');
  });

  it('is malformed without source, target or class, and with a peer id, a class or a text that is none', () => {
    const [source, target] = ids.map((id) => id.toMultihash().bytes) as [Uint8Array, Uint8Array];
    const bad = [
      new MessageWriter().bytes(2, target).text(3, 'public'),
      new MessageWriter().bytes(1, source).text(3, 'public'),
      new MessageWriter().bytes(1, source).bytes(2, target),
      new MessageWriter().bytes(1, Uint8Array.of(1, 2, 3)).bytes(2, target).text(3, 'public'),
      new MessageWriter().bytes(1, source).bytes(2, new Uint8Array()).text(3, 'public'),
      new MessageWriter().bytes(1, source).bytes(2, target).text(3, 'internal'),
      new MessageWriter().bytes(1, source).bytes(2, target).text(3, 'toString'),
      new MessageWriter().bytes(1, source).bytes(2, target).text(3, 'public').bytes(5, Uint8Array.of(0xff)),
    ];
    for (const writer of bad) assert.throws(() => decodeForward(writer.finish()), isMalformed);
  });

  it('never fails otherwise than as malformed, whatever comes', () => {
    const valid = encodeForward(request({ limit: { durationSeconds: 1, dataBytes: 2 }, tokenId: 'token', realm: 'home' }));
    const cut = fc.tuple(fc.nat(valid.length), fc.uint8Array({ maxLength: 40 })).map(([at, more]) => concat([valid.subarray(0, at), more]));
    const changed = fc.tuple(fc.nat(valid.length - 1), fc.nat(255)).map(([at, byte]) => valid.map((old, i) => (i === at ? byte : old)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), cut, changed), (bytes) => {
        try {
          decodeForward(bytes);
        } catch (error) {
          assert.ok(isMalformed(error), String(error));
        }
      }),
    );
  });

  it('takes a limit that is larger than any number for as much as there is', () => {
    const limit = concat([encodeVarint(8), encodeVarint(2n ** 64n - 1n)]);
    const [source, target] = ids.map((id) => id.toMultihash().bytes) as [Uint8Array, Uint8Array];
    const decoded = decodeForward(new MessageWriter().bytes(1, source).bytes(2, target).text(3, 'member').bytes(4, limit).finish());
    assert.equal(decoded.limit?.durationSeconds, Number.MAX_SAFE_INTEGER);
  });
});
