import type { PrivateKey } from '@libp2p/interface';
import { createPrivateKey, sign } from 'node:crypto';

/** What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410, section 7). */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SEED_BYTES = 32;

const signers = new WeakMap<PrivateKey, PrivateKey>();

/**
 * `key`, signing with a key object that is made once: @libp2p/crypto makes a new one for every signature, which costs more than
 * signing does. A key of another type is returned as it is.
 */
export function quickSigner(key: PrivateKey): PrivateKey {
  if (key.type !== 'Ed25519') {
    return key;
  }
  const signer = signers.get(key) ?? makeSigner(key);
  signers.set(key, signer).set(signer, signer);
  return signer;
}

function makeSigner(key: PrivateKey): PrivateKey {
  const der = Buffer.concat([PKCS8_ED25519, key.raw.subarray(0, SEED_BYTES)]);
  const object = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const quick: Pick<PrivateKey, 'sign'> = {
    sign: (data, options) => {
      options?.signal?.throwIfAborted();
      return sign(null, data.subarray(), object);
    },
  };
  return Object.assign(Object.create(key) as PrivateKey, quick);
}
