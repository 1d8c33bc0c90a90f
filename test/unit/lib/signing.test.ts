import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import fc from 'fast-check';
import { Uint8ArrayList } from 'uint8arraylist';
import { quickSigner } from '../../../src/lib/signing.ts';

describe('quickSigner', () => {
  it('signs what the key signs, to the bit', async () => {
    const key = await generateKeyPair('Ed25519');
    const signer = quickSigner(key);
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (data) => assert.deepEqual(Buffer.from(await signer.sign(data)), Buffer.from(await key.sign(data)))), { numRuns: 30 });
    const parts = new Uint8ArrayList(Uint8Array.of(1, 2), Uint8Array.of(3));
    assert.ok(await key.publicKey.verify(parts, await signer.sign(parts)));
  });

  it('is the key in all else, made once, and leaves the key as it was', async () => {
    const key = await generateKeyPair('Ed25519');
    const { sign } = key;
    const signer = quickSigner(key);
    assert.equal(quickSigner(key), signer);
    assert.equal(quickSigner(signer), signer);
    assert.equal(key.sign, sign);
    assert.ok(signer.equals(key) && key.equals(signer));
    assert.deepEqual([signer.type, signer.raw, privateKeyToProtobuf(signer)], [key.type, key.raw, privateKeyToProtobuf(key)]);
    assert.ok(peerIdFromPrivateKey(signer).equals(peerIdFromPrivateKey(key)));
    assert.throws(() => signer.sign(new Uint8Array(1), { signal: AbortSignal.abort() }), { name: 'AbortError' });
  });

  it('leaves a key of another type to the library', async () => {
    const key = await generateKeyPair('secp256k1');
    assert.equal(quickSigner(key), key);
  });
});
