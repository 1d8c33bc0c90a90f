import { publicKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { RecordEnvelope } from '@libp2p/peer-record';
import { MessageWriter, concat, encodeVarint } from './protobuf.ts';

/** What an envelope is for: a signature made for one purpose holds for no other (libp2p specification RFC 0002). */
export interface EnvelopeKind {
  readonly domain: string;
  readonly payloadType: Uint8Array;
}

/** A signed envelope around `payload` (libp2p specification RFC 0002). */
export async function sealEnvelope({ domain, payloadType }: EnvelopeKind, payload: Uint8Array, key: PrivateKey): Promise<Uint8Array> {
  const signed = concat([new TextEncoder().encode(domain), payloadType, payload].flatMap((part) => [encodeVarint(part.byteLength), part]));
  return new MessageWriter()
    .bytes(1, publicKeyToProtobuf(key.publicKey))
    .bytes(2, payloadType)
    .bytes(3, payload)
    .bytes(5, await key.sign(signed))
    .finish();
}

/** The payload of an envelope. @throws Error when it is not an envelope, not of this kind, or not signed by `signer` */
export async function openEnvelope({ domain, payloadType }: EnvelopeKind, bytes: Uint8Array, signer: PeerId): Promise<Uint8Array> {
  const envelope = await RecordEnvelope.openAndCertify(bytes, domain);
  if (Buffer.compare(envelope.payloadType, payloadType) !== 0) {
    throw new Error('its payload is of another type');
  }
  // By id and not by key: an id that is a hash (RSA) does not hold the key.
  if (!peerIdFromPublicKey(envelope.publicKey).equals(signer)) {
    throw new Error('another key than the relay\'s signed it');
  }
  return envelope.payload;
}
