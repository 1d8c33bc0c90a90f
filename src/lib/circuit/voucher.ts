import { publicKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import { peerIdFromMultihash, peerIdFromPublicKey } from '@libp2p/peer-id';
import { RecordEnvelope } from '@libp2p/peer-record';
import * as Digest from 'multiformats/hashes/digest';
import { RelaydError, toError } from '../errors.ts';
import { MessageWriter, bytesOf, concat, encodeVarint, readFields, saturatedNumberOf } from '../protobuf.ts';

/** Domain and payload type of the envelope (specification: "Reservation Vouchers"). */
const DOMAIN = 'libp2p-relay-rsvp';
const PAYLOAD_TYPE = Uint8Array.of(0x03, 0x02);

/** What stands before the payload, each part behind its length, in what is signed. */
const SIGNED_PREFIX = concat([Uint8Array.of(DOMAIN.length), new TextEncoder().encode(DOMAIN), Uint8Array.of(PAYLOAD_TYPE.length), PAYLOAD_TYPE]);

export interface Voucher {
  relay: PeerId;
  peer: PeerId;
  /** Unix time in seconds. */
  expireSeconds: number;
}

/** The relay's signed word that `peer` may be reached through it: a signed envelope (libp2p specification RFC 0002). */
export async function sealVoucher(voucher: Voucher, relayKey: PrivateKey): Promise<Uint8Array> {
  const payload = encodeVoucher(voucher);
  const signed = concat([SIGNED_PREFIX, encodeVarint(payload.byteLength), payload]);
  return new MessageWriter()
    .bytes(1, publicKeyToProtobuf(relayKey.publicKey))
    .bytes(2, PAYLOAD_TYPE)
    .bytes(3, payload)
    .bytes(5, await relayKey.sign(signed))
    .finish();
}

/**
 * Checks a voucher that a relay sent with a reservation.
 *
 * @throws RelaydError VOUCHER_INVALID when the envelope, its signature or signer, or one of the fields is not what it must be
 */
export async function openVoucher(envelope: Uint8Array, expected: { relay: PeerId; peer: PeerId; expireSeconds?: number }): Promise<Voucher> {
  const voucher = await openEnvelope(envelope, expected.relay);
  if (!voucher.relay.equals(expected.relay)) {
    throw invalid('it names another relay');
  }
  if (!voucher.peer.equals(expected.peer)) {
    throw invalid('it names another peer');
  }
  if (expected.expireSeconds !== undefined && voucher.expireSeconds !== expected.expireSeconds) {
    throw invalid('its expiry is not the reservation\'s');
  }
  return voucher;
}

async function openEnvelope(bytes: Uint8Array, signer: PeerId): Promise<Voucher> {
  try {
    const envelope = await RecordEnvelope.openAndCertify(bytes, DOMAIN);
    if (!envelope.payloadType.every((byte, i) => byte === PAYLOAD_TYPE[i]) || envelope.payloadType.length !== PAYLOAD_TYPE.length) {
      throw invalid('its payload is of another type');
    }
    // By id and not by key: an id that is a hash (RSA) does not hold the key.
    if (!peerIdFromPublicKey(envelope.publicKey).equals(signer)) {
      throw invalid('another key than the relay\'s signed it');
    }
    return decodeVoucher(envelope.payload);
  } catch (error) {
    throw error instanceof RelaydError && error.code === 'VOUCHER_INVALID' ? error : invalid('it cannot be opened', toError(error));
  }
}

function encodeVoucher(voucher: Voucher): Uint8Array {
  return new MessageWriter()
    .bytes(1, voucher.relay.toMultihash().bytes)
    .bytes(2, voucher.peer.toMultihash().bytes)
    .varint(3, voucher.expireSeconds)
    .finish();
}

function decodeVoucher(payload: Uint8Array): Voucher {
  const voucher: Partial<Voucher> = {};
  for (const field of readFields(payload)) {
    if (field.number === 1) voucher.relay = peerIdFromBytes(bytesOf(field));
    else if (field.number === 2) voucher.peer = peerIdFromBytes(bytesOf(field));
    else if (field.number === 3) voucher.expireSeconds = saturatedNumberOf(field);
  }
  if (voucher.relay === undefined || voucher.peer === undefined) {
    throw invalid('it does not name a relay and a peer');
  }
  return { relay: voucher.relay, peer: voucher.peer, expireSeconds: voucher.expireSeconds ?? 0 };
}

/** A peer id from the multihash bytes that the messages carry. @throws Error when they are not one */
export function peerIdFromBytes(bytes: Uint8Array): PeerId {
  return peerIdFromMultihash(Digest.decode(bytes));
}

function invalid(why: string, cause?: Error): RelaydError {
  return new RelaydError('VOUCHER_INVALID', `the reservation's voucher is not valid: ${why}`, { cause });
}
