import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** What a nonce and a tag add to what is sealed. */
export const SEAL_BYTES = IV_BYTES + TAG_BYTES;

/** Enough for an operator to tell the two secrets of a cluster apart, and nothing to guess 256 bits by. */
const ID_CHARS = 8;

/** What a cluster's secret is used for: each purpose has a key of its own, so that nothing made for one is good for another. */
export type SecretPurpose = 'link' | 'record' | 'gossip';

/** One secret of a cluster. The name of the cluster is part of every key: two clusters with one secret do not mix. */
export class SingleSecret {
  /** For people: relays that show the same have the same secret and cluster. */
  readonly id: string;
  readonly #hex: string;
  readonly #cluster: string;
  readonly #keys = new Map<SecretPurpose, Buffer>();

  /** @param hex 64 hex digits */
  constructor(hex: string, cluster: string) {
    this.#hex = hex;
    this.#cluster = cluster;
    this.id = this.#derive('id').toString('hex').slice(0, ID_CHARS);
  }

  is(hex: string): boolean {
    return hex === this.#hex;
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

  /**
   * @param sealed at least {@link SEAL_BYTES}
   * @throws Error of the cipher when it was not sealed with this secret for this purpose
   */
  open(purpose: SecretPurpose, sealed: Uint8Array): Uint8Array {
    const decipher = createDecipheriv('aes-256-gcm', this.#keyFor(purpose), sealed.subarray(0, IV_BYTES));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
  }

  #keyFor(purpose: SecretPurpose): Buffer {
    const key = this.#keys.get(purpose) ?? this.#derive(purpose);
    this.#keys.set(purpose, key);
    return key;
  }

  #derive(purpose: SecretPurpose | 'id'): Buffer {
    return Buffer.from(hkdfSync('sha256', Buffer.from(this.#hex, 'hex'), `relayd-cluster/${this.#cluster}`, purpose, KEY_BYTES));
  }
}
