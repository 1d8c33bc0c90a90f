import type { Connection, Stream } from '@libp2p/interface';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import { closeStream } from '../lib/close-stream.ts';
import { decodeHop, encodeHop } from '../lib/circuit/messages.ts';
import type { HopMessage } from '../lib/circuit/messages.ts';
import { statusName } from '../lib/circuit/protocol.ts';
import { withDeadline } from '../lib/deadline.ts';
import { RelaydError, errorMessage, toError } from '../lib/errors.ts';
import { holdCredit } from '../lib/flow.ts';
import { peerText } from '../lib/logger.ts';
import type { RequestSpan } from '../lib/tracing/request-tracer.ts';
import type { LimitClass } from './classes.ts';
import { connect } from './connect.ts';
import type { RelayContext } from './context.ts';
import type { Standing } from './membership.ts';
import type { Request } from './metrics.ts';
import { Refused } from './refusal.ts';
import { reserve } from './reserve.ts';

/** A HOP stream must say what it wants within this time (conformance 34). */
const FIRST_FRAME_DEADLINE_MS = 5_000;

/**
 * HOP streams of one connection that have not yet said what they want; more are reset. Over a long way all the circuits that a member
 * opens at once are silent for a moment: as many as `memberLimits.circuits.perSource` is by default.
 */
const MAX_SILENT_STREAMS = 256;

/** Answers HOP streams: one request each (specification: "HOP protocol"). */
export class HopHandler {
  readonly #context: RelayContext;
  readonly #silent = new WeakMap<Connection, number>();

  constructor(context: RelayContext) {
    this.#context = context;
  }

  readonly handle = async (stream: Stream, connection: Connection): Promise<void> => {
    let request: HopMessage;
    try {
      request = await this.#readRequest(stream, connection);
    } catch (error) {
      this.#unreadable(stream, connection, error);
      return;
    }
    if (request.type === 'RESERVE') {
      await this.#answerReserve(stream, connection, this.#standing(connection, 'reserve', request));
    } else if (request.type === 'CONNECT') {
      await this.#answerConnect(stream, connection, this.#standing(connection, 'connect', request), request);
    } else {
      // A STATUS is a message that exists but has no place here; a missing or unknown type is not a message (conformance 15, 16).
      this.#refuse(stream, connection, 'reserve', new Refused(request.type === 'STATUS' ? 'unexpected message' : 'malformed message'), this.#poolOf(connection));
    }
  };

  async #readRequest(stream: Stream, connection: Connection): Promise<HopMessage> {
    const silent = this.#silent.get(connection) ?? 0;
    if (silent >= MAX_SILENT_STREAMS) {
      throw new RelaydError('CLOSED', 'too many HOP streams of one connection are waiting for a request');
    }
    this.#silent.set(connection, silent + 1);
    try {
      const { clock, stopped } = this.#context;
      const frame = await withDeadline(FIRST_FRAME_DEADLINE_MS, clock, [stopped], (signal) => readFrame(stream, { signal }));
      holdCredit(stream);
      return decodeHop(frame);
    } finally {
      this.#silent.set(connection, (this.#silent.get(connection) ?? 1) - 1);
    }
  }

  /** Bytes that are no message get 400; a stream that ended, or said nothing in time, is reset. */
  #unreadable(stream: Stream, connection: Connection, error: unknown): void {
    if (error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE') {
      this.#context.log.debug({ peer: connection.remotePeer.toString(), error: errorMessage(error) }, 'a malformed request');
      this.#refuse(stream, connection, 'reserve', new Refused('malformed message'), this.#poolOf(connection));
    } else {
      stream.abort(toError(error));
    }
  }

  async #answerReserve(stream: Stream, connection: Connection, standing: Standing): Promise<void> {
    const span = this.#trace('reserve', standing);
    try {
      const { reply, undo } = await reserve(this.#context, { stream, connection, standing, span });
      if (!this.#reply(stream, reply)) {
        undo();
        throw new RelaydError('CLOSED', 'the peer was gone before it could be told of its reservation');
      }
      if (standing.class !== 'internal') {
        this.#context.metrics.accepted('reserve');
      }
      span?.ok();
    } catch (error) {
      traceFailure(span, error);
      this.#failed(stream, connection, 'reserve', error, standing.class);
    }
  }

  async #answerConnect(stream: Stream, connection: Connection, standing: Standing, request: HopMessage): Promise<void> {
    const span = this.#trace('connect', standing);
    try {
      const circuit = await connect(this.#context, { stream, connection, standing, span }, request.peer);
      if (circuit.class !== 'internal') {
        this.#context.metrics.accepted('connect');
        this.#context.metrics.circuitOpened();
      }
      circuit.start();
      span?.ok();
    } catch (error) {
      traceFailure(span, error);
      this.#failed(stream, connection, 'connect', error, standing.class);
    }
  }

  #failed(stream: Stream, connection: Connection, request: Request, error: unknown, limitClass: LimitClass): void {
    if (error instanceof Refused) {
      this.#refuse(stream, connection, request, error, limitClass);
    } else {
      this.#context.log.warn({ request, peer: connection.remotePeer.toString(), error: peerText(errorMessage(error)) }, 'a request failed');
      stream.abort(toError(error));
    }
  }

  #refuse(stream: Stream, connection: Connection, request: Request, refused: Refused, limitClass: LimitClass): void {
    if (limitClass !== 'internal') {
      this.#context.metrics.refused(request, refused.limit, limitClass);
    }
    this.#context.log.debug({ request, peer: connection.remotePeer.toString(), limit: refused.limit, ...refused.details }, 'refused');
    const { alternatives, policy } = this.#context;
    this.#reply(stream, { type: 'STATUS', status: refused.status, refusal: refused.toMessage(alternatives.texts, policy.membership.realmName) });
  }

  /** Sends the last message of this stream and closes it (conformance 10). `false`: it could not be sent. */
  #reply(stream: Stream, message: HopMessage): boolean {
    try {
      writeFrame(stream, encodeHop(message));
    } catch (error) {
      stream.abort(toError(error));
      return false;
    }
    closeStream(stream, this.#context.clock, { discard: true });
    return true;
  }

  /** The node's own check is no request of anybody's. */
  #trace(request: Request, standing: Standing): RequestSpan | undefined {
    return standing.class === 'internal' ? undefined : this.#context.tracer?.request(request, standing.class);
  }

  #standing(connection: Connection, use: 'reserve' | 'connect', { token }: HopMessage): Standing {
    return this.#context.policy.membership.standingOf(connection.remotePeer, use, token);
  }

  #poolOf(connection: Connection): LimitClass {
    return this.#context.policy.membership.poolOf(connection.remotePeer);
  }
}

function traceFailure(span: RequestSpan | undefined, error: unknown): void {
  if (error instanceof Refused) span?.refused(statusName(error.status), error.limit);
  else span?.failed();
}
