import { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import * as Digest from 'multiformats/hashes/digest';
import { createHash } from 'node:crypto';

/**
 * Under which key the relays of a network stand in the DHT: docs/reference/discovery.md. Nobody can take a provider record back where it
 * is stored, and it is kept for a day or two; so the key changes with the hour, and a relay that has stopped renewing is found no more when
 * its hour has passed.
 */
export const BUCKET_MS = 3_600_000;

/** Tells these keys from all others that are hashed the same way, and one version of the scheme from the next. */
const DOMAIN = '/relayd/relays/1.0.0';

/** Multicodec of SHA-256. */
const SHA2_256 = 0x12;

export interface NetworkName {
  readonly network: string;
  /** Members of a realm look for its relays alone. */
  readonly realm: string | undefined;
}

/** The number of the hour that `wallMs` lies in. */
export function bucketAt(wallMs: number): number {
  return Math.floor(wallMs / BUCKET_MS);
}

/** Each part ends in a zero byte, which names cannot have in them: no two networks share a key. */
export function networkKey({ network, realm }: NetworkName, bucket: number): CID {
  const text = [DOMAIN, network, realm ?? '', String(bucket)].map((part) => `${part}\0`).join('');
  return CID.createV1(raw.code, Digest.create(SHA2_256, createHash('sha256').update(text).digest()));
}
