import type { PeerId, PrivateKey } from '@libp2p/interface';
import { peerIdFromMultihash } from '@libp2p/peer-id';
import * as Digest from 'multiformats/hashes/digest';
import { RelaydError, toError } from '../errors.ts';
import { MessageWriter, bytesOf, readFields, saturatedNumberOf } from '../protobuf.ts';
import { openEnvelope, sealEnvelope } from '../signed-envelope.ts';

/** Domain and payload type of the envelope (specification: "Reservation Vouchers"). */
const VOUCHER = { domain: 'libp2p-relay-rsvp', payloadType: Uint8Array.of(0x03, 0x02) };

export interface Voucher {
  relay: PeerId;
  peer: PeerId;
  /** Unix time in seconds. */
  expireSeconds: number;
}

/** The relay's signed word that `peer` may be reached through it: a signed envelope (libp2p specification RFC 0002). */
export function sealVoucher(voucher: Voucher, relayKey: PrivateKey): Promise<Uint8Array> {
  return sealEnvelope(VOUCHER, encodeVoucher(voucher), relayKey);
}

/**
 * Checks a voucher that a relay sent with a reservation.
 *
 * @throws RelaydError VOUCHER_INVALID when the envelope, its signature or signer, or one of the fields is not what it must be
 */
export async function openVoucher(envelope: Uint8Array, expected: { relay: PeerId; peer: PeerId; expireSeconds?: number }): Promise<Voucher> {
  const voucher = await opened(envelope, expected.relay);
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

async function opened(envelope: Uint8Array, signer: PeerId): Promise<Voucher> {
  try {
    return decodeVoucher(await openEnvelope(VOUCHER, envelope, signer));
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
