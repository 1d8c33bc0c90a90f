import type { Socket } from 'node:net';
import type { Connection, Stream } from '@libp2p/interface';
import type { ExposeConfig } from '../config/domain.ts';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import type { Clock } from '../lib/clock.ts';
import type { TunnelRow } from '../lib/contracts.ts';
import { RelaydError, errorMessage, toError } from '../lib/errors.ts';
import { giveCredit, holdCredit } from '../lib/flow.ts';
import type { Logger } from '../lib/logger.ts';
import type { TokenProblem, TokenVerifier } from '../lib/membership/verifier.ts';
import { cutUnder } from './cut.ts';
import { withDeadline } from './deadline.ts';
import { Granted, cutByToken } from './granted.ts';
import { closeOrReset } from './linger.ts';
import type { TunnelLimits } from './limits.ts';
import type { TunnelMetrics } from './metrics.ts';
import { carry } from './pipe.ts';
import { MAX_TUNNEL_FRAME_BYTES, TunnelStatus, decodeRequest, encodeAnswer } from './protocol.ts';
import type { TunnelRequest, TunnelStatusCode } from './protocol.ts';
import { Refusal, Services } from './service.ts';
import type { Admission, Service } from './service.ts';
import { Sessions } from './sessions.ts';
import type { Session } from './sessions.ts';
import { connectTcp, hostPortText, resetSocket, tcpErrorText } from './sockets.ts';
import { Tally } from './tally.ts';

export interface ExposeOptions {
  services: readonly ExposeConfig[];
  verifier: TokenVerifier;
  log: Logger;
  metrics: TunnelMetrics;
  clock: Clock;
  limits: TunnelLimits;
}

/** The text of each answer. Nothing of this machine is in it: no address, no reason of the operating system. */
const ANSWER_TEXT: Record<TunnelStatusCode, string> = {
  [TunnelStatus.OK]: '',
  [TunnelStatus.UNKNOWN_OR_FORBIDDEN]: 'no such service for this peer',
  [TunnelStatus.UNREACHABLE]: 'the service does not answer',
  [TunnelStatus.OVERLOADED]: 'too many connections, try again later',
  [TunnelStatus.MALFORMED]: 'the request could not be read',
};

/** Those on some allow-list or with a token that was good before, and everyone else: each with a pool of requests being read. */
type Pool = 'known' | 'stranger';

/** One stream of a peer. */
interface Visit {
  stream: Stream;
  connection: Connection;
  peer: string;
  session: Session;
}

/** The exposing side of the protocol: requests of peers become TCP connections to this machine's services. */
export class Expose {
  readonly #o: ExposeOptions;
  readonly #services: Services;
  /** Requests that fit no service: they count in the series and the log, in no row. */
  readonly #unplaced: Tally;
  readonly #sessions: Sessions;
  readonly #granted: Granted;
  readonly #pending: Record<Pool, number> = { known: 0, stranger: 0 };
  #running = false;

  constructor(options: ExposeOptions) {
    this.#o = options;
    this.#sessions = new Sessions(options.log, options.clock);
    const newTally = (): Tally => new Tally({ direction: 'expose', ...options });
    this.#granted = new Granted(options.verifier, options.clock);
    this.#services = new Services(options.services, options.limits.socketsPerTunnel, options.verifier, newTally);
    this.#unplaced = newTally();
  }

  rows(): TunnelRow[] {
    return this.#services.rows();
  }

  start(): void {
    this.#running = true;
    this.#granted.start();
  }

  /** Takes no new request and lets the connections there are go on while they move. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#running = false;
    await this.#sessions.settle({ quietMs: this.#o.limits.quietMs, signal });
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#granted.stop();
    await this.#sessions.stop(new RelaydError('CLOSED', 'the tunnels were stopped'));
  }

  /** The handler of the protocol. */
  readonly onStream = (stream: Stream, connection: Connection): void => {
    const peer = connection.remotePeer.toString();
    const pool: Pool = this.#services.knows(peer) ? 'known' : 'stranger';
    if (!this.#running || this.#pending[pool] >= this.#poolSize(pool)) {
      const error = new RelaydError('TUNNEL_REFUSED', 'too many requests are being read');
      this.#unplaced.refused(error, { peer });
      stream.abort(error);
      return;
    }
    this.#sessions.run((session) => this.#serve({ stream, connection, peer, session }, pool));
  };

  #poolSize(pool: Pool): number {
    return pool === 'known' ? this.#o.limits.pendingKnown : this.#o.limits.pendingStrangers;
  }

  async #serve(visit: Visit, pool: Pool): Promise<void> {
    const admission = await this.#admit(visit, pool);
    if (admission === undefined) {
      return;
    }
    const { service, grant } = admission;
    const unwatch = grant === undefined ? undefined : this.#granted.watch(grant, visit.session.cut);
    try {
      const socket = await this.#connect(service, visit);
      if (socket !== undefined) await this.#carry(service, socket, visit);
    } finally {
      unwatch?.();
      service.sockets--;
    }
  }

  /** Reads the request and takes a place in its service; a refusal is answered here, and holds its place in the pool until then. */
  async #admit(visit: Visit, pool: Pool): Promise<Admission | undefined> {
    this.#pending[pool]++;
    try {
      return this.#services.take(await this.#readRequest(visit), visit.connection.remotePeer);
    } catch (error) {
      await this.#refuse(visit, toRefusal(error));
      return undefined;
    } finally {
      this.#pending[pool]--;
    }
  }

  async #readRequest({ stream, session: { signal } }: Visit): Promise<TunnelRequest> {
    const { clock, limits } = this.#o;
    const body = await withDeadline({ clock, ms: limits.requestMs, what: 'no request came', signal }, (inner) =>
      readFrame(stream, { signal: inner, maxBytes: MAX_TUNNEL_FRAME_BYTES }),
    );
    return decodeRequest(body);
  }

  async #connect(service: Service, visit: Visit): Promise<Socket | undefined> {
    // The peer waits for the answer; what it sends all the same stays within one window.
    holdCredit(visit.stream);
    try {
      return await this.#connectWhileOpen(service, visit);
    } catch (error) {
      const reason = `could not connect to ${hostPortText(service.config.to)}: ${tcpErrorText(error)}`;
      await this.#refuse(visit, new Refusal(TunnelStatus.UNREACHABLE, reason, service));
      return undefined;
    }
  }

  /** Gives up at the deadline, or when the stream that asked for the connection is gone. */
  async #connectWhileOpen(service: Service, { stream, session: { signal } }: Visit): Promise<Socket> {
    const { clock, limits } = this.#o;
    const gone = new AbortController();
    const onClose = (): void => gone.abort(new RelaydError('CLOSED', 'the peer gave up'));
    stream.addEventListener('close', onClose);
    if (stream.status !== 'open') onClose();
    const either = AbortSignal.any([signal, gone.signal]);
    try {
      return await withDeadline({ clock, ms: limits.connectMs, what: 'no answer', signal: either }, (inner) => connectTcp(service.config.to, inner));
    } finally {
      stream.removeEventListener('close', onClose);
    }
  }

  async #carry(service: Service, socket: Socket, { stream, connection, peer, session: { signal, moved } }: Visit): Promise<void> {
    const { tally } = service;
    const facts = { tunnel: service.config.name, peer };
    tally.opened();
    try {
      sendAnswer(stream, TunnelStatus.OK);
      giveCredit(stream);
      await carry({ socket, stream, signal, onSent: counted(tally.onSent, moved), onReceived: counted(tally.onReceived, moved) });
      this.#o.log.debug(facts, 'a tunnel connection ended');
    } catch (error) {
      resetSocket(socket);
      stream.abort(toError(error));
      const cut = signal.aborted ? cutByToken(signal) : cutUnder(connection, error);
      if (cut === undefined) this.#o.log.debug({ ...facts, error: errorMessage(error) }, 'a tunnel connection was reset');
      else tally.cut(cut, facts);
    } finally {
      tally.closed();
    }
  }

  async #refuse({ stream, peer, session: { signal } }: Visit, refusal: Refusal): Promise<void> {
    const { service, status } = refusal;
    if (signal.aborted) {
      stream.abort(toError(signal.reason));
      return;
    }
    const ours = status === TunnelStatus.UNREACHABLE || status === TunnelStatus.MALFORMED;
    (service?.tally ?? this.#unplaced)[ours ? 'failed' : 'refused'](refusal, { tunnel: service?.config.name, peer });
    try {
      if (stream.status === 'open') sendAnswer(stream, status, refusal.tokenProblem);
    } catch {
      // The stream ended in between: nobody is left to be told.
    }
    await closeOrReset(stream, { clock: this.#o.clock, ms: this.#o.limits.lingerMs, signal });
  }
}

function counted(count: (bytes: number) => void, moved: () => void): (bytes: number) => void {
  return (bytes) => {
    count(bytes);
    moved();
  };
}

function sendAnswer(stream: Stream, status: TunnelStatusCode, tokenProblem?: TokenProblem): void {
  const text = tokenProblem === undefined ? ANSWER_TEXT[status] : `${ANSWER_TEXT[status]}: ${tokenProblem}`;
  writeFrame(stream, encodeAnswer({ status, text }));
}

/** Anything that went wrong while a request was read: the request was bad, late or cut off. */
function toRefusal(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal(TunnelStatus.MALFORMED, errorMessage(error));
}
