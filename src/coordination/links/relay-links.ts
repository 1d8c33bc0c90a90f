import type { Connection, PeerId, Stream } from '@libp2p/interface';
import type { Registry } from 'prom-client';
import type { Clock } from '../../lib/clock.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import { peerText } from '../../lib/logger.ts';
import type { Logger } from '../../lib/logger.ts';
import type { ClockSkew, ConfiguredRelay, LinkHandler, LinkKind, LinkTarget, Links, StandingLink } from '../links.ts';
import type { ClusterSecret } from '../secret.ts';
import { Absences } from './absences.ts';
import { Dialler } from './dialler.ts';
import type { LinkHost } from './host.ts';
import { LinkTable } from './link-table.ts';
import { Link } from './link.ts';
import { Meetings } from './meetings.ts';
import type { Meeting } from './meetings.ts';
import { LinkMetrics } from './metrics.ts';

export interface LinksOptions {
  readonly host: LinkHost;
  readonly self: PeerId;
  readonly secret: ClusterSecret;
  /** Full addresses of relays: `coordination.relays`. */
  readonly configured: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
}

/** Gossip is for some dozens of relays, stores for more; each link costs a connection and a message a second. */
const MAX_LINKS = 256;

/** Streams of other protocols that a relay opens on the connection of a link, such as one a circuit. */
const MAX_OPENED_STREAMS = 65_536;

export class RelayLinks implements Links {
  readonly name = 'links';
  readonly #o: LinksOptions;
  readonly #handlers = new Map<LinkKind, LinkHandler>();
  readonly #metrics: LinkMetrics;
  readonly #dialler: Dialler;
  readonly #table: LinkTable;
  readonly #meetings: Meetings;
  readonly #absences: Absences;
  /** Connections over which a relay fell silent, or did not answer: they are not tried again. */
  readonly #dead = new WeakSet<Connection>();
  #endSecret: (() => void) | undefined;

  constructor(options: LinksOptions) {
    const { configured, clock, log, registry } = options;
    const self = options.self.toString();
    this.#o = options;
    this.#table = new LinkTable({ self, secret: options.secret, clock, log, onLost: (peer) => this.#dialler.lost(peer) });
    this.#metrics = new LinkMetrics(registry, { links: () => this.#table.members().length, worstSkewMs: () => this.#worstSkewMs() });
    this.#absences = new Absences(clock, log);
    this.#meetings = new Meetings({
      ...options,
      metrics: this.#metrics,
      dead: this.#dead,
      absences: this.#absences,
      hasRoom: (peer) => this.#table.size < MAX_LINKS || this.#table.get(peer) !== undefined,
      isWanted: (peer) => this.#dialler.isWanted(peer),
      onMet: (meeting) => this.#take(meeting),
    });
    this.#dialler = new Dialler({
      self,
      configured,
      isLinked: (peer) => this.#table.get(peer) !== undefined,
      connect: (peer, addrs) => this.#meetings.connect(peer, addrs),
      maxTargets: MAX_LINKS,
      clock,
      random: Math.random,
    });
  }

  async start(): Promise<void> {
    await this.#meetings.start();
    this.#endSecret = this.#o.secret.onChange(() => this.#table.unproven().forEach((link) => void this.#proveAgain(link)));
    this.#dialler.start();
  }

  async stop(): Promise<void> {
    const why = new RelaydError('CLOSED', 'the links are closed');
    this.#endSecret?.();
    this.#dialler.stop();
    const stopped = this.#meetings.stop(why);
    this.#table.closeAll(why);
    this.#absences.clear();
    await stopped;
  }

  members(): readonly string[] {
    return this.#table.members();
  }

  isMember(peer: PeerId): boolean {
    return this.#table.get(peer.toString()) !== undefined;
  }

  onChange(listener: (relay: string, isMember: boolean) => void): () => void {
    return this.#table.onChange(listener);
  }

  onLink(listener: (link: StandingLink) => void): () => void {
    return this.#table.onLink((link) => listener({ peer: link.peer, ask: (kind, question, signal) => link.ask(kind, question, signal), cut: (why) => this.#cut(link, why) }));
  }

  want(relays: readonly LinkTarget[]): void {
    this.#dialler.want(relays);
    this.#absences.keep((peer) => this.#dialler.isWanted(peer));
  }

  configured(): readonly ConfiguredRelay[] {
    return this.#dialler.configured().map((peer) => ({ peer, isRefused: this.#absences.isRefused(peer) }));
  }

  async ask(relay: string, kind: LinkKind, question: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return this.#linkTo(relay).ask(kind, question, signal);
  }

  answer(kind: LinkKind, handler: LinkHandler): () => void {
    this.#handlers.set(kind, handler);
    return () => {
      if (this.#handlers.get(kind) === handler) this.#handlers.delete(kind);
    };
  }

  async openStream(relay: string, protocol: string, signal: AbortSignal): Promise<Stream> {
    const { connection } = this.#linkTo(relay);
    try {
      return await connection.newStream([protocol], { signal, maxOutboundStreams: MAX_OPENED_STREAMS });
    } catch (cause) {
      const code = signal.aborted ? 'TIMEOUT' : 'CLOSED';
      throw new RelaydError(code, `no stream of ${protocol} to the other relay: ${peerText(errorMessage(cause))}`, { cause });
    }
  }

  rttMs(relay: string): number | undefined {
    return this.#table.get(relay)?.rttMs;
  }

  skew(relay: string): ClockSkew | undefined {
    return this.#table.get(relay)?.skew;
  }

  #worstSkewMs(): number {
    const skews = this.#table.members().flatMap((relay) => this.skew(relay) ?? []);
    return skews.length === 0 ? NaN : Math.max(...skews.map(({ aheadMs }) => Math.abs(aheadMs)));
  }

  /** @throws RelaydError CLOSED */
  #linkTo(relay: string): Link {
    const link = this.#table.get(relay);
    if (link === undefined) {
      throw new RelaydError('CLOSED', 'there is no link to the other relay');
    }
    return link;
  }

  #take(meeting: Meeting): void {
    const { clock, log } = this.#o;
    const link = new Link({
      ...meeting,
      handlerOf: (kind) => this.#handlers.get(kind),
      onClosed: (closed, why) => this.#onClosed(closed, why),
      clock,
      log,
      metrics: this.#metrics,
    });
    this.#table.add(link);
    link.start();
  }

  /** A new link first, so that relays which know the new secret are linked all the while; who does not is cut off with the old one. */
  async #proveAgain(link: Link): Promise<void> {
    await this.#meetings.connect(link.peer, []);
    if (this.#table.get(link.peer) === link) link.close(new RelaydError('FORBIDDEN', 'the secret that the other relay has proved with is none of the cluster\'s any more'));
  }

  #cut(link: Link, why: RelaydError): void {
    this.#dead.add(link.connection);
    link.close(why);
    link.connection.abort(why);
  }

  #onClosed(link: Link, why: RelaydError): void {
    if (why.code === 'TIMEOUT') {
      this.#dead.add(link.connection);
      abortUnlessUsed(link.connection, why);
    }
    this.#table.remove(link, why);
  }
}

/** Circuits that run over the connection may outlive the silence; without them it is of no use to anybody. */
function abortUnlessUsed(connection: Connection, why: Error): void {
  if (connection.streams.every((stream) => stream.status !== 'open')) {
    connection.abort(why);
  }
}
