import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { RelaydError } from '../lib/errors.ts';

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** What the cluster's secret is used for: each purpose has a key of its own, so that nothing made for one is good for another. */
export type SecretPurpose = 'link' | 'record' | 'gossip';

/** The secret that makes a relay one of the cluster. The name of the cluster is part of every key: two clusters with one secret do not mix. */
export class ClusterSecret {
  readonly #secret: Buffer;
  readonly #cluster: string;
  readonly #keys = new Map<SecretPurpose, Buffer>();

  /** @param hex 64 hex digits */
  constructor(hex: string, cluster: string) {
    this.#secret = Buffer.from(hex, 'hex');
    this.#cluster = cluster;
  }

  /** HMAC-SHA-256. */
  mac(purpose: SecretPurpose, data: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#keyFor(purpose)).update(data).digest();
  }

  isMac(purpose: SecretPurpose, data: Uint8Array, mac: Uint8Array): boolean {
    const right = this.mac(purpose, data);
    return mac.byteLength === right.byteLength && timingSafeEqual(mac, right);
  }

  /** AES-256-GCM, with a random nonce in front: good for 2^32 messages a secret. */
  seal(purpose: SecretPurpose, plain: Uint8Array): Uint8Array {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#keyFor(purpose), iv);
    return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** @throws RelaydError MALFORMED_MESSAGE when it was not sealed with this secret for this purpose */
  open(purpose: SecretPurpose, sealed: Uint8Array): Uint8Array {
    if (sealed.byteLength < IV_BYTES + TAG_BYTES) {
      throw new RelaydError('MALFORMED_MESSAGE', 'too short to be sealed with the cluster\'s secret');
    }
    const decipher = createDecipheriv('aes-256-gcm', this.#keyFor(purpose), sealed.subarray(0, IV_BYTES));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
    } catch (cause) {
      throw new RelaydError('MALFORMED_MESSAGE', 'it is not sealed with this cluster\'s secret', { cause });
    }
  }

  #keyFor(purpose: SecretPurpose): Buffer {
    const key = this.#keys.get(purpose) ?? Buffer.from(hkdfSync('sha256', this.#secret, `relayd-cluster/${this.#cluster}`, purpose, KEY_BYTES));
    this.#keys.set(purpose, key);
    return key;
  }
}
