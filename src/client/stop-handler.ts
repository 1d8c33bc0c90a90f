import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import { decodeStop, encodeStop } from '../lib/circuit/messages.ts';
import type { Limit, StopMessage } from '../lib/circuit/messages.ts';
import { STOP_PROTOCOL, Status } from '../lib/circuit/protocol.ts';
import type { StatusCode } from '../lib/circuit/protocol.ts';
import { peerIdFromBytes } from '../lib/circuit/voucher.ts';
import type { Clock } from '../lib/clock.ts';
import { RelaydError, errorMessage, toError } from '../lib/errors.ts';
import { circuitAddr } from './circuit-addr.ts';
import { carriesHop } from './components.ts';
import type { ClientComponents } from './components.ts';
import { withDeadline } from '../lib/deadline.ts';
import { connectionLimits } from './limits.ts';
import type { ClientMetrics, StopOutcome } from './metrics.ts';
import { StreamConnection } from './stream-connection.ts';
import { closeStream } from '../lib/close-stream.ts';

/** A relay that opened STOP has its request at hand: one that is not here by then is a fault or an attack. */
const FRAME_DEADLINE_MS = 10_000;

/** Every circuit to us is one STOP stream; libp2p's default of 32 a connection stops a node there. */
const MAX_STOP_STREAMS = 4096;

interface StopHandlerOptions {
  components: ClientComponents;
  metrics: ClientMetrics;
  clock: Clock;
}

interface IncomingCircuit {
  source: PeerId;
  limit: Limit | undefined;
}

/** A request that is answered with a status and goes no further. */
class StopRefusal extends Error {
  readonly status: StatusCode;

  constructor(status: StatusCode, message: string) {
    super(message);
    this.status = status;
  }
}

/** Accepts circuits that relays bring (specification: "Stop protocol"). */
export class StopHandler {
  readonly #components: ClientComponents;
  readonly #metrics: ClientMetrics;
  readonly #clock: Clock;
  #shutdown = new AbortController();

  constructor(options: StopHandlerOptions) {
    this.#components = options.components;
    this.#metrics = options.metrics;
    this.#clock = options.clock;
  }

  async start(): Promise<void> {
    this.#shutdown = new AbortController();
    await this.#components.registrar.handle(STOP_PROTOCOL, (stream, connection) => this.#onStop(stream, connection), {
      maxInboundStreams: MAX_STOP_STREAMS,
      maxOutboundStreams: MAX_STOP_STREAMS,
      runOnLimitedConnection: false,
    });
  }

  async stop(): Promise<void> {
    this.#shutdown.abort(new RelaydError('CLOSED', 'the node is stopping'));
    await this.#components.registrar.unhandle(STOP_PROTOCOL);
  }

  async #onStop(stream: Stream, connection: Connection): Promise<void> {
    try {
      const circuit = await this.#admit(stream, connection);
      writeFrame(stream, encodeStop({ type: 'STATUS', status: Status.OK }));
      this.#metrics.stopRequest('ok');
      await this.#upgrade(stream, connection, circuit);
    } catch (error) {
      this.#onFailure(stream, error);
    }
  }

  /** Reads and checks the request. @throws StopRefusal where a status answers it */
  async #admit(stream: Stream, connection: Connection): Promise<IncomingCircuit> {
    if (!carriesHop(connection)) {
      throw new StopRefusal(Status.PERMISSION_DENIED, 'a circuit may not be built over a circuit');
    }
    const request = await this.#read(stream);
    if (request.type !== 'CONNECT') {
      throw new StopRefusal(Status.UNEXPECTED_MESSAGE, 'the request is not CONNECT');
    }
    const source = sourceOf(request);
    if (source === undefined || source.equals(this.#components.peerId)) {
      throw new StopRefusal(Status.MALFORMED_MESSAGE, 'the request names no peer that could be calling');
    }
    if ((await this.#components.connectionGater.denyInboundRelayedConnection?.(connection.remotePeer, source)) === true) {
      throw new StopRefusal(Status.PERMISSION_DENIED, 'the connection gater denies the peer');
    }
    return { source, limit: request.limit };
  }

  async #read(stream: Stream): Promise<StopMessage> {
    try {
      const read = (signal: AbortSignal): Promise<Uint8Array> => readFrame(stream, { signal });
      return decodeStop(await withDeadline(FRAME_DEADLINE_MS, this.#clock, [this.#shutdown.signal], read));
    } catch (error) {
      if (error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE') {
        throw new StopRefusal(Status.MALFORMED_MESSAGE, error.message);
      }
      throw error;
    }
  }

  async #upgrade(stream: Stream, connection: Connection, circuit: IncomingCircuit): Promise<void> {
    const raw = new StreamConnection({
      stream,
      remoteAddr: circuitAddr(connection.remoteAddr, circuit.source),
      log: stream.log.newScope('circuit'),
      clock: this.#clock,
    });
    try {
      const limits = connectionLimits(circuit.limit);
      await this.#components.upgrader.upgradeInbound(raw, { signal: this.#shutdown.signal, limits });
    } catch (error) {
      stream.log('a circuit from %p did not become a connection: %s', circuit.source, errorMessage(error));
      raw.abort(toError(error));
    }
  }

  #onFailure(stream: Stream, error: unknown): void {
    if (!(error instanceof StopRefusal)) {
      this.#metrics.stopRequest('error');
      stream.abort(toError(error));
      return;
    }
    this.#metrics.stopRequest(OUTCOMES[error.status] ?? 'error');
    try {
      writeFrame(stream, encodeStop({ type: 'STATUS', status: error.status }));
      closeStream(stream, this.#clock);
    } catch (cause) {
      stream.abort(toError(cause));
    }
  }
}

const OUTCOMES: Partial<Record<StatusCode, StopOutcome>> = {
  [Status.MALFORMED_MESSAGE]: 'malformed',
  [Status.UNEXPECTED_MESSAGE]: 'unexpected',
  [Status.PERMISSION_DENIED]: 'denied',
};

function sourceOf(request: StopMessage): PeerId | undefined {
  try {
    return request.peer === undefined ? undefined : peerIdFromBytes(request.peer.id);
  } catch {
    return undefined;
  }
}
