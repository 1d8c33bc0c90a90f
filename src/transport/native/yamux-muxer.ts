import { MuxerClosedError, StreamResetError, TooManyOutboundProtocolStreamsError } from '@libp2p/interface';
import type { AbortOptions, CreateStreamOptions, MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface';
import { serviceCapabilities } from '@libp2p/interface';
import { AbstractStreamMuxer } from '@libp2p/utils';
import type { Uint8ArrayList } from 'uint8arraylist';
import { abortable } from '../../lib/deadline.ts';
import type { KeepAlive, Watched } from './keep-alive.ts';
import { SecureLink } from './link.ts';
import type { LinkUser } from './link.ts';
import { Flag, FrameType, GoAway } from './yamux-frame.ts';
import { YamuxReader } from './yamux-reader.ts';
import type { FrameUser } from './yamux-reader.ts';
import { YamuxStream } from './yamux-stream.ts';
import type { StreamMuxing } from './yamux-stream.ts';
import { YamuxWriter } from './yamux-writer.ts';

const YAMUX_PROTOCOL = '/yamux/1.0.0';

export interface YamuxOptions {
  /** Streams that the other side may have open; more are reset. */
  maxInboundStreams: number;
  maxOutboundStreams: number;
  /** How far the window of a stream may grow while its reader keeps up, in bytes. */
  maxWindowBytes: number;
  keepAlive: KeepAlive;
}

/** Streams of ours that the other side has not acknowledged, and of theirs that nobody has taken ("Stream opening": the accept backlog). */
const MAX_BACKLOG = 256;

const MAX_STREAM_ID = 0xffff_ffff;

/** What one stream sends before another on the same connection has its turn. */
const QUANTUM_BYTES = 16 * 1024;

/** A data frame's body that belongs to no stream is read and dropped. */
const NOBODY = undefined;

/**
 * Yamux over one connection (hashicorp/yamux, spec.md). Frames are read where they were decrypted and written where they will be encrypted.
 * Streams that have more to send than there is room for take turns.
 */
export class YamuxMuxer extends AbstractStreamMuxer<YamuxStream> implements LinkUser, FrameUser, StreamMuxing, Watched {
  readonly #link: SecureLink;
  readonly #options: YamuxOptions;
  readonly #reader: YamuxReader;
  readonly #writer: YamuxWriter;
  readonly #byId = new Map<number, YamuxStream>();
  /** Those that have had a turn and have more to send, in the order of their turns. */
  readonly #waiting = new Set<YamuxStream>();
  /**
   * Those that have not had one since they had nothing to send: the two lines take turns, so that a stream of few bytes does not wait for
   * every one of many.
   */
  readonly #fresh = new Set<YamuxStream>();
  #oldsTurn = false;
  readonly #isClient: boolean;
  #nextId: number;
  #inbound = 0;
  readonly #unacknowledged = new Set<number>();
  readonly #forBacklog: (() => void)[] = [];
  /** Those whose turn has come and who have not opened their stream yet: their place is taken. */
  #called = 0;
  #reading: YamuxStream | undefined;
  #readingFlags = 0;
  #remoteGone = false;
  #serving = false;
  #pingId = 0;
  /** Something has come since keep-alive looked last. */
  alive = true;

  constructor(link: SecureLink, options: YamuxOptions) {
    super(link, { protocol: YAMUX_PROTOCOL, name: 'yamux', maxEarlyStreams: MAX_BACKLOG });
    this.#link = link;
    this.#options = options;
    this.#reader = new YamuxReader(this);
    this.#writer = new YamuxWriter(link.outgoing);
    this.#isClient = link.direction === 'outbound';
    this.#nextId = this.#isClient ? 1 : 2;
    if (link.status !== 'open') {
      // Nobody would hear of the end any more: neither keep-alive nor the host.
      throw new MuxerClosedError('the connection ended before it had a muxer');
    }
    options.keepAlive.watch(this);
    link.addEventListener('close', () => options.keepAlive.forget(this));
    link.takeOver(this);
  }

  // Reading.

  received(chunk: Buffer, start: number, end: number): void {
    this.alive = true;
    try {
      this.#reader.read(chunk, start, end);
    } catch (error) {
      this.#goAway(GoAway.PROTOCOL_ERROR);
      throw error;
    }
  }

  /** What came before the muxer was there. */
  onData(data: Uint8Array | Uint8ArrayList): void {
    const bytes = Buffer.from(data.subarray());
    this.received(bytes, 0, bytes.length);
  }

  frame(type: number, flags: number, streamId: number, length: number): void {
    switch (type) {
      case FrameType.DATA:
      case FrameType.WINDOW_UPDATE:
        if (streamId === 0) {
          throw new Error('a yamux frame of a stream with the id of the session');
        }
        this.#streamFrame(type, flags, streamId, length);
        break;
      case FrameType.PING:
        if ((flags & Flag.SYN) !== 0) this.#writer.control(FrameType.PING, Flag.ACK, 0, length);
        break;
      case FrameType.GO_AWAY:
        this.#remoteGoAway(length);
        break;
      default:
        throw new Error(`a yamux frame of unknown type ${type}`);
    }
  }

  body(chunk: Buffer, start: number, end: number): void {
    this.#reading?.receive(chunk, start, end);
  }

  bodyEnd(): void {
    const stream = this.#reading;
    this.#reading = NOBODY;
    if (stream !== undefined) {
      this.#endings(stream, this.#readingFlags);
    }
  }

  #streamFrame(type: number, flags: number, streamId: number, length: number): void {
    const stream = (flags & Flag.SYN) === 0 ? this.#byId.get(streamId) : this.#accept(streamId, flags);
    if ((flags & Flag.ACK) !== 0) {
      this.#acknowledged(streamId);
    }
    if (type === FrameType.WINDOW_UPDATE) {
      stream?.receiveCredit(length);
      if (stream !== undefined) this.#endings(stream, flags);
      return;
    }
    if (stream !== undefined && length > stream.receiveWindow) {
      throw new Error('more came on a yamux stream than its window allows');
    }
    this.#reading = stream;
    this.#readingFlags = flags;
  }

  #endings(stream: YamuxStream, flags: number): void {
    if ((flags & Flag.RST) !== 0) {
      stream.receiveReset();
    } else if ((flags & Flag.FIN) !== 0) {
      stream.receiveFin();
    }
  }

  #accept(streamId: number, flags: number): YamuxStream | undefined {
    if (this.#isClient === (streamId % 2 === 1)) {
      throw new Error('a yamux stream with an id that is not the other side\'s to give');
    }
    if (this.#byId.has(streamId)) {
      throw new Error('a yamux stream was opened twice');
    }
    if ((flags & Flag.RST) !== 0) {
      return undefined;
    }
    if (this.status !== 'open' || this.#inbound >= this.#options.maxInboundStreams || this.earlyStreams.length >= MAX_BACKLOG) {
      this.#writer.control(FrameType.WINDOW_UPDATE, Flag.RST, streamId, 0);
      return undefined;
    }
    const stream = this.#makeStream(streamId, 'inbound', Flag.ACK);
    this.#inbound++;
    this.windowUpdate(stream, stream.takeOpeningFlags(), 0);
    this.onRemoteStream(stream);
    return stream;
  }

  #remoteGoAway(code: number): void {
    this.#remoteGone = true;
    if (code === GoAway.NORMAL) {
      this.onTransportClosed();
    } else {
      this.abort(new Error(`the other side ended the yamux session with code ${code}`));
    }
  }

  // Writing.

  write(stream: YamuxStream, chunk: Uint8Array, start: number, end: number, most: number): number {
    return this.#waiting.size + this.#fresh.size > 0 ? 0 : this.#writer.data(stream, chunk, start, end, most);
  }

  wait(stream: YamuxStream): void {
    if (!this.#waiting.has(stream)) {
      this.#fresh.add(stream);
    }
    this.#serve();
  }

  windowUpdate(stream: YamuxStream, flags: number, delta: number): void {
    this.#writer.control(FrameType.WINDOW_UPDATE, flags, stream.streamId, delta);
  }

  forget(stream: YamuxStream): void {
    this.#waiting.delete(stream);
    this.#fresh.delete(stream);
    // The other side may have opened another stream under the id meanwhile.
    if (this.#byId.get(stream.streamId) === stream) {
      this.#byId.delete(stream.streamId);
      this.#acknowledged(stream.streamId);
      if (stream.direction === 'inbound') this.#inbound--;
    }
    if (this.#reading === stream) {
      this.#reading = NOBODY;
    }
  }

  roomCame(): void {
    this.#serve();
  }

  /** Gives each stream that waits a turn until there is no more room. */
  #serve(): void {
    // Sending can raise `drain`, which can write more.
    if (this.#serving) {
      return;
    }
    this.#serving = true;
    try {
      for (let stream = this.#next(); stream !== undefined; stream = this.#next()) {
        stream.sent(this.#writer.queued(stream, Math.min(QUANTUM_BYTES, stream.sendWindow, stream.queue.length)));
        if (stream.queue.length > 0 && stream.sendWindow > 0) {
          this.#waiting.add(stream);
        }
      }
    } finally {
      this.#serving = false;
    }
  }

  /** Whose turn it is, taken from its line; nobody's while there is no room. */
  #next(): YamuxStream | undefined {
    const [first, second] = this.#oldsTurn ? [this.#waiting, this.#fresh] : [this.#fresh, this.#waiting];
    const line = first.size > 0 ? first : second;
    if (line.size === 0 || !this.#writer.hasRoom) {
      return undefined;
    }
    this.#oldsTurn = line === this.#fresh;
    const [stream] = line;
    line.delete(stream as YamuxStream);
    return stream;
  }

  // What libp2p asks for.

  /** @throws StreamResetError when the stream was reset before anyone had it: the library would keep it for ever then */
  override async createStream(options?: CreateStreamOptions): Promise<YamuxStream> {
    const stream = await super.createStream(options);
    if (stream.status !== 'open') {
      const place = this.streams.indexOf(stream);
      if (place !== -1) this.streams.splice(place, 1);
      throw new StreamResetError('the stream was reset as it opened');
    }
    return stream;
  }

  onCreateStream(options: CreateStreamOptions): YamuxStream | Promise<YamuxStream> {
    return this.#unacknowledged.size + this.#called < MAX_BACKLOG ? this.#open() : this.#openInTurn(options);
  }

  async #openInTurn(options: CreateStreamOptions): Promise<YamuxStream> {
    await this.#backlogRoom(options.signal);
    try {
      return this.#open();
    } catch (error) {
      this.#forBacklog.shift()?.();
      throw error;
    }
  }

  #open(): YamuxStream {
    if (this.#remoteGone || this.status !== 'open') {
      throw new MuxerClosedError('the other side takes no more streams');
    }
    if (this.#byId.size - this.#inbound >= this.#options.maxOutboundStreams) {
      throw new TooManyOutboundProtocolStreamsError(`${this.#options.maxOutboundStreams} streams are open already`);
    }
    if (this.#nextId > MAX_STREAM_ID) {
      throw new MuxerClosedError('the connection has used up its stream ids');
    }
    const stream = this.#makeStream(this.#nextId, 'outbound', Flag.SYN);
    this.#nextId += 2;
    this.#unacknowledged.add(stream.streamId);
    this.windowUpdate(stream, stream.takeOpeningFlags(), 0);
    return stream;
  }

  /** Ends the streams, then says so. */
  override async close(options?: AbortOptions): Promise<void> {
    if (this.status !== 'open') {
      return;
    }
    await super.close(options);
    this.#goAway(GoAway.NORMAL);
    await this.#link.flushed(options);
  }

  override abort(error: Error): void {
    if (this.status === 'closed') {
      return;
    }
    super.abort(error);
    this.#forBacklog.splice(0).forEach((call) => call());
    this.#goAway(GoAway.INTERNAL_ERROR);
  }

  /** Streams that were not ended when the connection was lost are reset: what is missing must not look like an end. */
  override onTransportClosed(): void {
    this.status = 'closed';
    this.#forBacklog.splice(0).forEach((call) => call());
    for (const stream of this.#byId.values()) {
      if (stream.ended) {
        stream.onTransportClosed();
      } else {
        stream.receiveReset();
      }
    }
  }

  /** Asks the other side for a sign of life; any frame is one. */
  ping(): void {
    this.#writer.control(FrameType.PING, Flag.SYN, 0, this.#pingId++ % 0x1_0000_0000);
  }

  /** Nothing has come for too long. */
  lost(): void {
    this.#link.abort(new Error('the peer has been silent for too long'));
  }

  /** The other side has taken the stream, or it is over. */
  #acknowledged(streamId: number): void {
    if (this.#unacknowledged.delete(streamId)) {
      this.#forBacklog.shift()?.();
    }
  }

  /** Waits for its turn to open a stream. Whoever gives up leaves the line. */
  async #backlogRoom(signal: AbortSignal | undefined): Promise<void> {
    const turn = Promise.withResolvers<void>();
    const call = (): void => {
      this.#called++;
      turn.resolve();
    };
    this.#forBacklog.push(call);
    try {
      await (signal === undefined ? turn.promise : abortable(turn.promise, signal));
      this.#called--;
    } catch (error) {
      const place = this.#forBacklog.indexOf(call);
      if (place === -1) {
        this.#called--;
        this.#forBacklog.shift()?.();
      } else {
        this.#forBacklog.splice(place, 1);
      }
      throw error;
    }
  }

  /** Leaves at once: the connection may be aborted in this turn. */
  #goAway(code: number): void {
    this.#writer.control(FrameType.GO_AWAY, 0, 0, code);
    this.#link.outgoing.push();
  }

  #makeStream(streamId: number, direction: 'inbound' | 'outbound', openingFlags: number): YamuxStream {
    const stream = new YamuxStream({
      id: `${streamId}`,
      streamId,
      direction,
      openingFlags,
      muxing: this,
      maxWindowBytes: this.#options.maxWindowBytes,
      log: this.log,
    });
    this.#byId.set(streamId, stream);
    return stream;
  }
}

/** For libp2p's `streamMuxers`. Over a connection that our own encryption did not make, frames pass through a plain link. */
export function nativeYamux(options: YamuxOptions): () => StreamMuxerFactory {
  return () => ({
    protocol: YAMUX_PROTOCOL,
    [Symbol.toStringTag]: 'relayd/yamux',
    [serviceCapabilities]: ['@libp2p/stream-multiplexing'],
    createStreamMuxer: (connection: MessageStream): StreamMuxer => new YamuxMuxer(connection instanceof SecureLink ? connection : SecureLink.plain(connection), options),
  }) as StreamMuxerFactory;
}
