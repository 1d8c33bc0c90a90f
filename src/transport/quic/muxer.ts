import type { MultiaddrConnection, StreamMuxerFactory } from '@libp2p/interface';
import { AbstractStreamMuxer } from '@libp2p/utils';
import { MAX_EARLY_STREAMS } from '../data-path.ts';
import type { NativeConnection, NativeStream } from './module.ts';
import { QuicStream } from './stream.ts';

const PROTOCOL = 'quic';

/** The streams of one QUIC connection, which has a muxer inside. */
export function quicMuxer(native: NativeConnection): StreamMuxerFactory {
  return {
    protocol: PROTOCOL,
    createStreamMuxer: (connection) => new QuicMuxer(connection as MultiaddrConnection, native),
  };
}

class QuicMuxer extends AbstractStreamMuxer<QuicStream> {
  readonly #native: NativeConnection;

  constructor(connection: MultiaddrConnection, native: NativeConnection) {
    super(connection, { protocol: PROTOCOL, name: PROTOCOL, maxEarlyStreams: MAX_EARLY_STREAMS });
    this.#native = native;
    void this.#accept();
  }

  /** Nothing comes outside streams. */
  onData(): void {}

  async onCreateStream(): Promise<QuicStream> {
    return this.#stream(await this.#native.outboundStream(), 'outbound');
  }

  async #accept(): Promise<void> {
    try {
      while (this.status === 'open') {
        this.onRemoteStream(this.#stream(await this.#native.inboundStream(), 'inbound'));
      }
    } catch {
      // The connection has ended, which its own 'close' tells.
    }
  }

  #stream(native: NativeStream, direction: 'inbound' | 'outbound'): QuicStream {
    return new QuicStream({ native, direction, log: this.log.newScope(`${direction}:${native.id()}`) });
  }
}
