import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BUCKET_MS, bucketAt, networkKey } from '../../../src/discovery/network-key.ts';

describe('the key of a network in the DHT', () => {
  it('is the hash that docs/reference/discovery.md describes', () => {
    const hash = createHash('sha256').update(['/relayd/relays/1.0.0', 'main', 'friends', '472222', ''].join('\0')).digest();
    assert.deepEqual(Buffer.from(networkKey({ network: 'main', realm: 'friends' }, 472_222).multihash.digest), hash);
    assert.equal(networkKey({ network: 'main', realm: undefined }, 0).toString(), networkKey({ network: 'main', realm: '' }, 0).toString());
  });

  it('is another for every network, realm and hour', () => {
    const part = fc.stringMatching(/^[a-z0-9./-]{1,12}$/);
    const triple = fc.tuple(part, fc.option(part, { nil: undefined }), fc.nat());
    fc.assert(
      fc.property(triple, triple, (a, b) => {
        const [keyA, keyB] = [a, b].map(([network, realm, bucket]) => networkKey({ network, realm }, bucket).toString());
        assert.equal(keyA === keyB, JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });

  it('changes on the hour', () => {
    assert.equal(bucketAt(10 * BUCKET_MS - 1) + 1, bucketAt(10 * BUCKET_MS));
    assert.equal(BUCKET_MS, 3_600_000);
  });
});
