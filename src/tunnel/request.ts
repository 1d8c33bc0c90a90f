import type { Connection, Stream } from '@libp2p/interface';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import type { Clock } from '../lib/clock.ts';
import type { Dialler } from '../lib/contracts.ts';
import { RelaydError, toError } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import { withDeadline } from './deadline.ts';
import { closeOrReset } from './linger.ts';
import { MAX_STREAMS_PER_CONNECTION } from './limits.ts';
import type { TunnelLimits } from './limits.ts';
import type { Liveness } from './liveness.ts';
import { MAX_TUNNEL_FRAME_BYTES, TUNNEL_PROTOCOL, TunnelStatus, decodeAnswer, encodeRequest, tunnelStatusName } from './protocol.ts';
import type { TunnelAnswer } from './protocol.ts';

export interface RequesterOptions {
  /** The peer that exposes the service. */
  peer: string;
  name: string;
  /** Shown to that peer. */
  token: () => Uint8Array | undefined;
  dialler: Dialler;
  clock: Clock;
  limits: TunnelLimits;
  liveness: Liveness;
}

/** A stream on which the far side has said yes. */
export interface OpenTunnel {
  stream: Stream;
  connection: Connection;
  path: 'direct' | 'relay';
}

/** The asking side of the protocol: finds a way to the peer and has the service opened. */
export class Requester {
  readonly #o: RequesterOptions;

  constructor(options: RequesterOptions) {
    this.#o = options;
  }

  /**
   * Dials, opens a stream, asks. When the connection that was there turns out to be dead, it is closed and all is tried
   * once more; nothing of the caller's data has been sent by then.
   *
   * @throws RelaydError TUNNEL_REFUSED with `data.status`; TIMEOUT, DIAL_FAILED, NO_ADDRESS, MALFORMED_MESSAGE, UNEXPECTED_END;
   * libp2p's own errors
   */
  open(signal: AbortSignal): Promise<OpenTunnel> {
    const { clock, limits } = this.#o;
    return withDeadline({ clock, ms: limits.setUpMs, what: 'the tunnel was not set up', signal }, (inner) => this.#openOrRetry(inner), discard);
  }

  async #openOrRetry(signal: AbortSignal): Promise<OpenTunnel> {
    const startedAt = this.#o.clock.now();
    const { connection, path } = await this.#dial(signal);
    try {
      return { stream: await this.#ask(connection, signal), connection, path };
    } catch (error) {
      if (signal.aborted || !this.#isDead(connection, error, startedAt)) {
        throw error;
      }
      connection.abort(toError(error));
    }
    const again = await this.#dial(signal);
    return { stream: await this.#ask(again.connection, signal), connection: again.connection, path: again.path };
  }

  #dial(signal: AbortSignal): ReturnType<Dialler['dial']> {
    const { clock, limits, dialler, peer } = this.#o;
    return withDeadline({ clock, ms: limits.dialMs, what: 'no way to the peer was found', signal }, (inner) => dialler.dial(peer, { signal: inner }));
  }

  async #ask(connection: Connection, signal: AbortSignal): Promise<Stream> {
    const stream = await this.#newStream(connection, signal);
    this.#o.liveness.heard(connection);
    try {
      const answer = await this.#exchange(stream, signal);
      if (answer.status === TunnelStatus.OK) return stream;
      throw refused(answer);
    } catch (error) {
      this.#end(stream, error, signal);
      throw error;
    }
  }

  #newStream(connection: Connection, signal: AbortSignal): Promise<Stream> {
    const { clock, limits } = this.#o;
    const options = { maxOutboundStreams: MAX_STREAMS_PER_CONNECTION, runOnLimitedConnection: true };
    return withDeadline(
      { clock, ms: limits.openMs, what: 'the peer did not take a stream', signal },
      (inner) => connection.newStream([TUNNEL_PROTOCOL], { ...options, signal: inner }),
      (stream) => stream.abort(new RelaydError('TIMEOUT', 'the stream came too late')),
    );
  }

  #exchange(stream: Stream, signal: AbortSignal): Promise<TunnelAnswer> {
    const { clock, limits, name, token } = this.#o;
    return withDeadline({ clock, ms: limits.answerMs, what: 'the peer did not answer', signal }, async (inner) => {
      writeFrame(stream, encodeRequest({ name, token: token() }));
      return decodeAnswer(await readFrame(stream, { signal: inner, maxBytes: MAX_TUNNEL_FRAME_BYTES }));
    });
  }

  #end(stream: Stream, error: unknown, signal: AbortSignal): void {
    if (error instanceof RelaydError && error.code === 'TUNNEL_REFUSED') {
      void closeOrReset(stream, { clock: this.#o.clock, ms: this.#o.limits.lingerMs, signal });
    } else {
      stream.abort(toError(error));
    }
  }

  /** True when nothing can be expected of `connection` any more: it is closed, or said nothing at all while we waited. */
  #isDead(connection: Connection, error: unknown, startedAt: number): boolean {
    if (connection.status !== 'open' || DEAD_ERRORS.has(toError(error).name)) {
      return true;
    }
    const timedOut = error instanceof RelaydError && error.code === 'TIMEOUT';
    return timedOut && !this.#o.liveness.heardSince(connection, startedAt);
  }
}

/** What libp2p throws when a connection that looks open is not. */
const DEAD_ERRORS: ReadonlySet<string> = new Set(['ConnectionClosedError', 'MuxerClosedError']);

function refused(answer: TunnelAnswer): RelaydError {
  const name = tunnelStatusName(answer.status);
  const text = answer.text === '' ? '' : `: ${peerText(answer.text)}`;
  return new RelaydError('TUNNEL_REFUSED', `the peer answered ${name}${text}`, { data: { status: answer.status, name } });
}

function discard(late: OpenTunnel): void {
  late.stream.abort(new RelaydError('TIMEOUT', 'the tunnel was opened too late'));
}

/** True when the far side, or a limit of ours, said no; anything else is a failure. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof RelaydError) || error.code !== 'TUNNEL_REFUSED') {
    return false;
  }
  const { status } = error.data;
  return status !== TunnelStatus.UNREACHABLE && status !== TunnelStatus.MALFORMED;
}

