import { publicKeyFromProtobuf } from '@libp2p/crypto/keys';
import type { PeerId } from '@libp2p/interface';
import { peerIdFromMultihash, peerIdFromPublicKey } from '@libp2p/peer-id';
import * as Digest from 'multiformats/hashes/digest';
import { createPublicKey, hash, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { bytesOf, numberOf, readFields } from '../../lib/protobuf.ts';
import { checkKey, EC_KEYS, RSA_KEYS } from './tls-algorithms.ts';

/** The key of a peer, which its peer id is made of (libp2p/specs, peer-ids/peer-ids.md, "Key Types"). */
export interface HostKey {
  readonly peerId: PeerId;
  /** Whether the key has signed `data`. */
  verify(data: Uint8Array, signature: Uint8Array): boolean;
}

/** KeyType of the PublicKey message. */
const ECDSA = 3;
const SHA2_256 = 0x12;

/** What stands before the key itself in SubjectPublicKeyInfo: RFC 8410, section 4, and RFC 5480, section 2, with a compressed point. */
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');
const SPKI_SECP256K1 = Buffer.from('3036301006072a8648ce3d020106052b8104000a032200', 'hex');

/**
 * Reads a PublicKey message. The keys are OpenSSL's to check: the library goes by way of a JSON Web Key, and what it takes for an ECDSA
 * key or signature is not what the specification says.
 * @throws Error when it is no key, or an RSA key is too short or too long
 */
export function readHostKey(message: Buffer): HostKey {
  const type = [...readFields(message)].find(({ number }) => number === 1);
  if (type !== undefined && numberOf(type) === ECDSA) {
    return ecdsaKey(message);
  }
  const key = publicKeyFromProtobuf(message);
  const peerId = peerIdFromPublicKey(key);
  switch (key.type) {
    case 'Ed25519':
      return hostKey(peerId, null, Buffer.concat([SPKI_ED25519, key.raw]));
    case 'secp256k1':
      return hostKey(peerId, 'sha256', Buffer.concat([SPKI_SECP256K1, key.raw]));
    case 'RSA':
      return hostKey(peerId, 'sha256', checkKey(Buffer.from(key.raw), RSA_KEYS));
    case 'ECDSA':
      throw new Error('a host key of two kinds');
  }
}

/** The one kind that nobody uses. Its peer id is the hash of the message. */
function ecdsaKey(message: Buffer): HostKey {
  const data = [...readFields(message)].find(({ number }) => number === 2);
  const spki = checkKey(Buffer.from(data === undefined ? [] : bytesOf(data)), EC_KEYS);
  return hostKey(peerIdFromMultihash(Digest.create(SHA2_256, hash('sha256', message, 'buffer'))), 'sha256', spki);
}

function hostKey(peerId: PeerId, digest: string | null, spki: Buffer): HostKey {
  const key: KeyObject = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  return { peerId, verify: (data, signature) => verify(digest, data, key, signature) };
}
