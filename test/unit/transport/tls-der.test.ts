import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readCertificate } from '../../../src/transport/native/tls-certificate.ts';
import { DerReader, Tag } from '../../../src/transport/native/tls-der.ts';
import { der } from './tls-forge.ts';

describe('DER', () => {
  test('reads what was written, of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70_000, size: 'max' }), fc.uint8Array({ maxLength: 300 }), (first, second) => {
        const reader = new DerReader(der(0x30, der(4, first), der(2, second)));
        const inside = reader.inside(Tag.SEQUENCE);
        reader.end();
        assert.ok(inside.content(Tag.OCTET_STRING).equals(first));
        assert.equal(inside.tag, Tag.INTEGER);
        assert.ok(inside.element(Tag.INTEGER).equals(der(2, second)));
        inside.end();
        assert.equal(inside.tag, undefined);
      }),
      { numRuns: 50 },
    );
  });

  const wrong: [name: string, bytes: string][] = [
    ['nothing', ''],
    ['another tag', '040101'],
    ['a tag alone', '30'],
    ['a length that is not all there', '3082'],
    ['content that is not all there', '300201'],
    ['an indefinite length', '30800000'],
    ['a long length where a short one would do', '30810101'],
    ['a length with a zero before it', `30820080${'00'.repeat(128)}`],
    ['a length of more bytes than anything has', '308400000001ff'],
  ];
  for (const [name, bytes] of wrong) {
    test(`refuses ${name}`, () => {
      assert.throws(() => new DerReader(Buffer.from(bytes, 'hex')).content(Tag.SEQUENCE), Error);
    });
  }

  test('refuses bytes behind the end, and bits that are no bytes', () => {
    assert.throws(() => new DerReader(Buffer.of(0)).end(), /behind/);
    assert.throws(() => new DerReader(der(3, Buffer.of(1, 2))).bits(), /whole bytes/);
    assert.throws(() => new DerReader(der(3)).bits(), /whole bytes/);
  });

  test('a certificate of any bytes is an error and nothing else', () => {
    const { element } = fc.letrec<{ any: Uint8Array; element: Buffer }>((tie) => ({
      any: fc.oneof({ depthSize: 'medium' }, fc.uint8Array({ maxLength: 20 }), tie('element')),
      element: fc.tuple(fc.constantFrom(1, 2, 3, 4, 6, 0x17, 0x18, 0x30, 0xa0, 0xa3), fc.array(tie('any'), { maxLength: 8 })).map(([tag, inside]) => der(tag, ...inside)),
    }));
    fc.assert(fc.property(element, (bytes) => assert.throws(() => readCertificate(bytes), Error)));
  });
});
