import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { aead, JavaScriptAead, OpensslAead, SodiumAead } from '../../../src/transport/native/noise-aead.ts';
import type { Aead } from '../../../src/transport/native/noise-aead.ts';
import { sodiumRecords } from '../../../src/transport/native/sodium.ts';
import type { SodiumRecords } from '../../../src/transport/native/sodium.ts';
import { patternBytes } from '../../support/bytes.ts';

const KINDS: [string, (key: Uint8Array) => Aead][] = [
  ...(sodiumRecords === undefined ? [] : [['libsodium', withSodium(sodiumRecords)] as [string, (key: Uint8Array) => Aead]]),
  ['OpenSSL', (key) => new OpensslAead(key)],
  ['JavaScript', (key) => new JavaScriptAead(key)],
  ['by size', aead],
];

const START = 5;

function withSodium(library: SodiumRecords): (key: Uint8Array) => Aead {
  return (key) => new SodiumAead(library, key);
}

function sealed(cipher: Aead, plaintext: Uint8Array, nonce: Buffer): Buffer {
  const memory = Buffer.alloc(START + plaintext.length + 16 + 4, 0xcc);
  memory.set(plaintext, START);
  cipher.seal(memory, START, START + plaintext.length, nonce);
  assert.ok(memory.subarray(0, START).every((byte) => byte === 0xcc) && memory.subarray(-4).every((byte) => byte === 0xcc), 'only its own bytes');
  return memory.subarray(START, -4);
}

function opened(cipher: Aead, record: Uint8Array, nonce: Buffer): Buffer {
  const memory = Buffer.concat([Buffer.alloc(3), record]);
  const got: Buffer[] = [];
  cipher.open(memory, 3, memory.length, nonce, (bytes, start, end) => got.push(Buffer.from(bytes.subarray(start, end))));
  assert.equal(got.length, 1);
  return got[0] as Buffer;
}

describe('ChaCha20-Poly1305', () => {
  it('has its ciphers here', () => {
    assert.notEqual(sodiumRecords, undefined, 'sodium-native is installed where the tests run');
  });

  for (const [name, make] of KINDS) {
    it(`encrypts the example of RFC 8439, section 2.8.2, as it says: ${name}`, () => {
      // Noise has no additional data here, which the example has: that changes the tag and not the ciphertext.
      const key = Buffer.from('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f', 'hex');
      const nonce = Buffer.from('070000004041424344454647', 'hex');
      const plaintext = Buffer.from("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.");
      const ciphertext =
        'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116';
      const record = sealed(make(key), plaintext, nonce);
      assert.equal(record.subarray(0, -16).toString('hex'), ciphertext);
      assert.ok(opened(make(key), record, nonce).equals(plaintext));
    });
  }

  it('is the same in all of them, for any length', () => {
    fc.assert(
      fc.property(fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 65_519 })), fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.nat(), (length, nonceBytes, seed) => {
        const key = patternBytes(32, seed + 1);
        const nonce = Buffer.from(nonceBytes);
        const plaintext = patternBytes(length, seed + 2);
        const records = KINDS.map(([, make]) => sealed(make(key), plaintext, nonce));
        records.forEach((record) => assert.ok(record.equals(records[0] as Buffer)));
        KINDS.forEach(([, make]) => assert.ok(opened(make(key), records[0] as Buffer, nonce).equals(plaintext)));
      }),
      { numRuns: 60 },
    );
  });

  for (const [name, make] of KINDS) {
    it(`refuses a record with any byte changed, and says no more than that: ${name}`, () => {
      const key = patternBytes(32, 3);
      const nonce = Buffer.alloc(12, 1);
      for (const length of [0, 1, 40, 13_000]) {
        const record = sealed(make(key), patternBytes(length, 9), nonce);
        for (const at of [0, Math.floor(record.length / 2), record.length - 1]) {
          const changed = Buffer.from(record);
          changed[at] = (changed[at] as number) ^ 0x80;
          assert.throws(() => opened(make(key), changed, nonce), { message: 'a noise record is not genuine' });
        }
        assert.throws(() => opened(make(patternBytes(32, 4)), record, nonce), { message: 'a noise record is not genuine' });
      }
    });
  }
});
