import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { ComponentLogger, ConnectionEncrypter, MessageStream, MessageStreamDirection, PeerId, StreamMuxerFactory, Upgrader } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { AbstractMultiaddrConnection } from '@libp2p/utils';
import type { SendResult } from '@libp2p/utils';
import { multiaddr } from '@multiformats/multiaddr';
import type { Uint8ArrayList } from 'uint8arraylist';
import { nativeNoise } from '../../../src/transport/native/noise.ts';
import { silent } from './link-rig.ts';

export type NoiseKind = 'native' | 'stock';

export interface NoiseEnd {
  peerId: PeerId;
  encrypter: ConnectionEncrypter;
}

/** Noise with an identity of its own, the library's or ours. */
export async function noiseEnd(kind: NoiseKind, muxers: readonly string[] = ['/yamux/1.0.0'], logger: ComponentLogger = silent): Promise<NoiseEnd> {
  const privateKey = await generateKeyPair('Ed25519');
  const peerId = peerIdFromPrivateKey(privateKey);
  const factories = new Map(muxers.map((protocol) => [protocol, { protocol } as StreamMuxerFactory]));
  const upgrader = { getStreamMuxers: () => factories } as unknown as Upgrader;
  const components = { peerId, privateKey, logger, upgrader };
  return { peerId, encrypter: kind === 'native' ? nativeNoise()(components) : noise()(components) };
}

/** A connection whose bytes pass through the test's hands. */
export class TapConnection extends AbstractMultiaddrConnection {
  onSent: (bytes: Uint8Array) => void = () => undefined;
  resetWith: Error | undefined;

  constructor(direction: MessageStreamDirection) {
    super({ direction, log: silent.forComponent('test:tap'), remoteAddr: multiaddr('/ip4/127.0.0.1/tcp/1') });
  }

  deliver(bytes: Uint8Array): void {
    this.onData(Uint8Array.from(bytes));
  }

  sendData(data: Uint8ArrayList): SendResult {
    const bytes = Uint8Array.from(data.subarray());
    queueMicrotask(() => this.onSent(bytes));
    return { sentBytes: bytes.length, canSendMore: true };
  }

  sendReset(error: Error): void {
    this.resetWith = error;
  }

  async sendClose(): Promise<void> {
    // The test's to notice.
  }

  sendPause(): void {
    // The test paces what it delivers.
  }

  sendResume(): void {
    // As above.
  }
}

const EVENTS = ['message', 'close', 'drain', 'remoteCloseWrite', 'idle', 'end'] as const;

/** How many listen to each event of a connection. */
export function listeners(stream: MessageStream): string {
  const counted = stream as MessageStream & { listenerCount(type: string): number };
  return EVENTS.map((type) => `${type} ${counted.listenerCount(type)}`).join(', ');
}
