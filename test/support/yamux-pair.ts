import type { Stream } from '@libp2p/interface';
import { multiaddrConnectionPair } from '@libp2p/utils';
import { yamux } from '@libp2p/yamux';

export interface YamuxPair {
  /** A stream, as its opener and as the other side has it. */
  open(): Promise<[near: Stream, far: Stream]>;
  /** The near side's streams that are open. */
  readonly streams: readonly Stream[];
  /** Ends the connection: in good order (true) or as it ends when the network is lost. */
  close(): void;
}

export interface YamuxPairOptions {
  /** Bytes that a reader gives a sender in advance. At least yamux's own 256 KiB. */
  windowBytes?: number;
}

/**
 * Two yamux muxers over an in-memory connection: streams with real windows, FIN and RST, without sockets or encryption.
 * libp2p's own stream pairs have no windows, which is what flow control is about.
 */
export function yamuxPair({ windowBytes = 256 * 1024 }: YamuxPairOptions = {}): YamuxPair {
  const [nearConnection, farConnection] = multiaddrConnectionPair({ delay: 0, capacity: 100_000, outbound: { direction: 'outbound' }, inbound: { direction: 'inbound' } });
  const factory = yamux({ enableKeepAlive: false, maxInboundStreams: 10_000, maxOutboundStreams: 10_000, streamOptions: { initialStreamWindowSize: 256 * 1024, maxStreamWindowSize: windowBytes } })();
  const near = factory.createStreamMuxer(nearConnection);
  const far = factory.createStreamMuxer(farConnection);
  const arrived = new Arrivals();
  far.addEventListener('stream', (event) => arrived.add(event.detail));
  return {
    open: async () => {
      const opened = await near.createStream();
      return [opened, await arrived.take(opened.id)];
    },
    get streams() {
      return near.streams;
    },
    close: () => near.abort(new Error('the connection is lost')),
  };
}

/** Streams by their id, which is the same on both sides. */
class Arrivals {
  readonly #streams = new Map<string, PromiseWithResolvers<Stream>>();

  add(stream: Stream): void {
    this.#entry(stream.id).resolve(stream);
  }

  take(id: string): Promise<Stream> {
    return this.#entry(id).promise;
  }

  #entry(id: string): PromiseWithResolvers<Stream> {
    const entry = this.#streams.get(id) ?? Promise.withResolvers<Stream>();
    this.#streams.set(id, entry);
    return entry;
  }
}
