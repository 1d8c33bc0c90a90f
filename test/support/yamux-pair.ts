import type { Stream, StreamMuxerFactory } from '@libp2p/interface';
import { multiaddrConnectionPair } from '@libp2p/utils';
import { yamux } from '@libp2p/yamux';
import { before, describe } from 'node:test';
import { ManualClock } from '../../src/lib/clock.ts';
import { KeepAlive } from '../../src/transport/native/keep-alive.ts';
import { nativeYamux } from '../../src/transport/native/yamux-muxer.ts';

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
  muxer?: MuxerKind;
}

/** The library's yamux, or our own. */
export type MuxerKind = 'stock' | 'native';

let current: MuxerKind = 'native';

/** Declares the same suite twice: over streams of the library's muxer and over ours. */
export function describeOverMuxers(name: string, body: (muxer: MuxerKind) => void): void {
  for (const muxer of ['stock', 'native'] as const) {
    describe(`${name}, ${muxer} streams`, () => {
      before(() => (current = muxer));
      body(muxer);
    });
  }
}

/**
 * Two yamux muxers over an in-memory connection: streams with real windows, FIN and RST, without sockets or encryption.
 * libp2p's own stream pairs have no windows, which is what flow control is about.
 */
export function yamuxPair({ windowBytes = 256 * 1024, muxer = current }: YamuxPairOptions = {}): YamuxPair {
  const [nearConnection, farConnection] = multiaddrConnectionPair({ delay: 0, capacity: 100_000, outbound: { direction: 'outbound' }, inbound: { direction: 'inbound' } });
  const factory = makeFactory(muxer, windowBytes);
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

function makeFactory(muxer: MuxerKind, windowBytes: number): StreamMuxerFactory {
  const limits = { maxInboundStreams: 10_000, maxOutboundStreams: 10_000 };
  if (muxer === 'native') {
    return nativeYamux({ ...limits, maxWindowBytes: windowBytes, keepAlive: new KeepAlive(new ManualClock()) })();
  }
  return yamux({ ...limits, enableKeepAlive: false, streamOptions: { initialStreamWindowSize: 256 * 1024, maxStreamWindowSize: windowBytes } })();
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
