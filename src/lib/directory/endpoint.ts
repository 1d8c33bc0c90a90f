import type { Connection, Stream, StreamCloseEvent, StreamHandler, StreamHandlerOptions } from '@libp2p/interface';
import { readFrame, writeFrame } from '../circuit/frames.ts';
import type { Clock } from '../clock.ts';
import { closeStream } from '../close-stream.ts';
import { withDeadline } from '../deadline.ts';
import { assertDirect, withDirectStream } from '../direct-stream.ts';
import { RelaydError, errorMessage, toError } from '../errors.ts';
import type { Part } from '../lifecycle.ts';
import { peerText } from '../logger.ts';
import type { Logger } from '../logger.ts';
import { malformed } from '../protobuf.ts';
import { DIRECTORY_PROTOCOL, MAX_DIRECTORY_FRAME_BYTES, decodeMessage, encodeMessage } from './protocol.ts';
import type { DirectoryMessage } from './protocol.ts';

/** What the endpoint needs of the libp2p node. */
export interface DirectoryHost {
  handle(protocol: string, handler: StreamHandler, options: StreamHandlerOptions): Promise<void>;
  unhandle(protocol: string): Promise<void>;
}

/** The relay's side: the signed statement for whoever is at the other end, or `undefined` where there is none to give. */
export type StatementProvider = (connection: Connection) => Promise<Uint8Array> | undefined;

/** The client's side: a relay has brought its statement. `ready` tells the relay that it has been taken; of a drain, that the relay may go. */
export type StatementListener = (connection: Connection, statement: Uint8Array, ready: () => void) => void;

/** A statement on its way: the far side has been sent it. */
export interface SentStatement {
  /** Resolves when the far side has closed its half; rejects when it reset the stream, the connection is lost, or the signal aborted. */
  readonly closed: Promise<void>;
}

export interface DirectoryEndpointOptions {
  host: DirectoryHost;
  clock: Clock;
  log: Logger;
}

/** A stream must say what it is for within this time. */
const FIRST_FRAME_DEADLINE_MS = 5_000;

/** Opening a stream and one message each way: the far side is near enough to relay through, or of no use. */
const EXCHANGE_DEADLINE_MS = 5_000;

/** One request, one push that is held for a drain, and what crosses them. */
const MAX_STREAMS_PER_CONNECTION = 8;

/** The one handler of the directory protocol on a node, for the relay that it may be and the client that it may be. */
export class DirectoryEndpoint implements Part {
  readonly name = 'directory';
  readonly #o: DirectoryEndpointOptions;
  /** Statements taken that their relay still waits on. */
  readonly #held = new Set<Stream>();
  #stopped = new AbortController();
  #provider: StatementProvider | undefined;
  #listener: StatementListener | undefined;

  constructor(options: DirectoryEndpointOptions) {
    this.#o = options;
  }

  async start(): Promise<void> {
    this.#stopped = new AbortController();
    // Not on limited connections; on an unlimited circuit the handler sees to it.
    await this.#o.host.handle(DIRECTORY_PROTOCOL, this.#handle, { maxInboundStreams: MAX_STREAMS_PER_CONNECTION, maxOutboundStreams: MAX_STREAMS_PER_CONNECTION });
  }

  async stop(): Promise<void> {
    await this.#o.host.unhandle(DIRECTORY_PROTOCOL);
    const reason = new RelaydError('CLOSED', 'the node is stopping');
    this.#stopped.abort(reason);
    [...this.#held].forEach((stream) => stream.abort(reason));
  }

  /** Answers requests from now on with what `provider` gives. */
  serve(provider: StatementProvider): void {
    this.#provider = provider;
  }

  /** Hands statements that relays bring to `listener` from now on; without one they are taken and dropped. */
  receive(listener: StatementListener): void {
    this.#listener = listener;
  }

  /**
   * Asks the relay at the other end for its statement.
   *
   * @throws RelaydError BAD_REQUEST on a relayed connection; TIMEOUT, MALFORMED_MESSAGE, UNEXPECTED_END; the signal's reason; libp2p's
   * UnsupportedProtocolError for a standard relay
   */
  fetch(connection: Connection, signal: AbortSignal): Promise<Uint8Array> {
    return this.#exchange(connection, { type: 'get' }, signal, async (stream, limit) => {
      const answer = decodeMessage(await readFrame(stream, { signal: limit, maxBytes: MAX_DIRECTORY_FRAME_BYTES }));
      if (answer.type !== 'statement') {
        throw malformed('an answer that is no statement');
      }
      closeStream(stream, this.#o.clock, { discard: true });
      return answer.statement;
    });
  }

  /**
   * Brings `statement` to the far side, and says when it has been sent. The signal counts until the far side has closed its half.
   *
   * @throws RelaydError BAD_REQUEST on a relayed connection; TIMEOUT; the signal's reason; libp2p's errors when no stream can be opened
   */
  send(connection: Connection, statement: Uint8Array, signal: AbortSignal): Promise<SentStatement> {
    return this.#exchange(connection, { type: 'statement', statement }, signal, async (stream, limit) => {
      const closed = untilClosed(stream, signal);
      // Whoever sends may not wait for it.
      closed.catch(() => {});
      await stream.close({ signal: limit });
      await stream.closeRead();
      return { closed };
    });
  }

  /** Brings `statement` to the far side, which closes its half when it has taken it. @throws as {@link send} and {@link SentStatement.closed} */
  async push(connection: Connection, statement: Uint8Array, signal: AbortSignal): Promise<void> {
    await (await this.send(connection, statement, signal)).closed;
  }

  #exchange<T>(connection: Connection, message: DirectoryMessage, signal: AbortSignal, rest: (stream: Stream, limit: AbortSignal) => Promise<T>): Promise<T> {
    return withDeadline(EXCHANGE_DEADLINE_MS, this.#o.clock, [signal, this.#stopped.signal], (limit) =>
      withDirectStream(connection, { protocol: DIRECTORY_PROTOCOL, maxStreams: MAX_STREAMS_PER_CONNECTION, signal: limit }, (stream) => {
        writeFrame(stream, encodeMessage(message));
        return rest(stream, limit);
      }),
    );
  }

  readonly #handle = async (stream: Stream, connection: Connection): Promise<void> => {
    try {
      assertDirect(connection);
      const frame = await withDeadline(FIRST_FRAME_DEADLINE_MS, this.#o.clock, [this.#stopped.signal], (signal) => readFrame(stream, { signal, maxBytes: MAX_DIRECTORY_FRAME_BYTES }));
      const message = decodeMessage(frame);
      if (message.type === 'get') await this.#answer(stream, connection);
      else this.#take(stream, connection, message.statement);
    } catch (error) {
      this.#o.log.debug({ peer: connection.remotePeer.toString(), error: peerText(errorMessage(error)) }, 'a directory stream failed');
      stream.abort(toError(error));
    }
  };

  async #answer(stream: Stream, connection: Connection): Promise<void> {
    const statement = await this.#provider?.(connection);
    if (statement === undefined) {
      throw new RelaydError('NOT_FOUND', 'this node has no statement to give');
    }
    writeFrame(stream, encodeMessage({ type: 'statement', statement }));
    closeStream(stream, this.#o.clock, { discard: true });
  }

  #take(stream: Stream, connection: Connection, statement: Uint8Array): void {
    // One that was reset meanwhile has told a statement all the same.
    if (stream.status === 'open') {
      this.#held.add(stream);
      stream.addEventListener('close', () => this.#held.delete(stream), { once: true });
    }
    const ready = (): void => closeStream(stream, this.#o.clock, { discard: true });
    if (this.#listener === undefined) ready();
    else this.#listener(connection, statement, ready);
  }
}

function untilClosed(stream: Stream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => stream.abort(toError(signal.reason));
    const onClose = ({ error }: StreamCloseEvent): void => {
      signal.removeEventListener('abort', onAbort);
      if (error === undefined) resolve();
      else reject(error);
    };
    stream.addEventListener('close', onClose, { once: true });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
