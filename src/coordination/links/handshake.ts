import { randomBytes } from 'node:crypto';
import type { PeerId, Stream } from '@libp2p/interface';
import { readFrame, writeFrame } from '../../lib/circuit/frames.ts';
import { RelaydError } from '../../lib/errors.ts';
import { concat, encodeVarint } from '../../lib/protobuf.ts';
import type { ClusterSecret } from '../secret.ts';
import { CLUSTER_PROTOCOL, MAX_HANDSHAKE_FRAME_BYTES, NONCE_BYTES, decodeNonce, decodeProof, encodeNonce, encodeProof } from './messages.ts';

export interface HandshakeOptions {
  readonly secret: ClusterSecret;
  readonly self: PeerId;
  /** Authenticated by the connection. */
  readonly remote: PeerId;
  readonly signal: AbortSignal;
}

/** Each proof is of one role: what one side says is never good as the other's answer. */
type Role = 'opener' | 'acceptor';

interface Transcript {
  readonly opener: PeerId;
  readonly acceptor: PeerId;
  readonly openerNonce: Uint8Array;
  readonly acceptorNonce: Uint8Array;
}

/**
 * Shows that both sides know the cluster's secret, as the side that opened the stream: both give a nonce, the opener proves first, so that a
 * stranger who opens a stream gets nothing that was made with the secret. Each proves with the secret that it speaks, which is any that the other accepts.
 *
 * @returns the id of the secret that the other side has proved with
 * @throws RelaydError FORBIDDEN when the other side has or accepts another secret; MALFORMED_MESSAGE, UNEXPECTED_END; the signal's reason
 */
export async function openHandshake(stream: Stream, { secret, self, remote, signal }: HandshakeOptions): Promise<string> {
  const openerNonce = randomBytes(NONCE_BYTES);
  writeFrame(stream, encodeNonce(openerNonce));
  const acceptorNonce = decodeNonce(await readFrame(stream, { signal, maxBytes: MAX_HANDSHAKE_FRAME_BYTES }));
  const transcript = { opener: self, acceptor: remote, openerNonce, acceptorNonce };
  writeFrame(stream, encodeProof(secret.mac('link', toProve('opener', transcript))));
  const proof = await readProof(stream, signal);
  return provedWith(secret, toProve('acceptor', transcript), proof);
}

/** As {@link openHandshake}, as the side that was called. */
export async function acceptHandshake(stream: Stream, { secret, self, remote, signal }: HandshakeOptions): Promise<string> {
  const acceptorNonce = randomBytes(NONCE_BYTES);
  writeFrame(stream, encodeNonce(acceptorNonce));
  const openerNonce = decodeNonce(await readFrame(stream, { signal, maxBytes: MAX_HANDSHAKE_FRAME_BYTES }));
  const transcript = { opener: remote, acceptor: self, openerNonce, acceptorNonce };
  const proof = decodeProof(await readFrame(stream, { signal, maxBytes: MAX_HANDSHAKE_FRAME_BYTES }));
  const id = provedWith(secret, toProve('opener', transcript), proof);
  writeFrame(stream, encodeProof(secret.mac('link', toProve('acceptor', transcript))));
  return id;
}

/** A stream that ends here was ended because of our own proof. */
async function readProof(stream: Stream, signal: AbortSignal): Promise<Uint8Array> {
  try {
    return decodeProof(await readFrame(stream, { signal, maxBytes: MAX_HANDSHAKE_FRAME_BYTES }));
  } catch (cause) {
    if (cause instanceof RelaydError && cause.code === 'UNEXPECTED_END') {
      throw new RelaydError('FORBIDDEN', 'the other side did not accept this relay\'s proof of the cluster\'s secret', { cause });
    }
    throw cause;
  }
}

/** @throws RelaydError FORBIDDEN */
function provedWith(secret: ClusterSecret, proved: Uint8Array, proof: Uint8Array): string {
  const id = secret.maker('link', proved, proof);
  if (id === undefined) {
    throw new RelaydError('FORBIDDEN', 'the other side does not know this cluster\'s secret');
  }
  return id;
}

/** What the proof of `role` is made over; each part has its length in front, so that no two transcripts are the same bytes. */
function toProve(role: Role, { opener, acceptor, openerNonce, acceptorNonce }: Transcript): Uint8Array {
  const texts = [CLUSTER_PROTOCOL, role, opener.toString(), acceptor.toString()].map((text) => new TextEncoder().encode(text));
  return concat([...texts, openerNonce, acceptorNonce].flatMap((part) => [encodeVarint(part.byteLength), part]));
}
