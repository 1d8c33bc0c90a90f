import type { IdentifyResult, PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Registry } from 'prom-client';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import type { Reachability, ReachabilityView } from '../lib/contracts.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import { AutonatAsking } from './autonat-asking.ts';
import type { AskingHost } from './autonat-asking.ts';
import { ownCandidates } from './autonat-candidates.ts';
import type { OwnCandidate } from './autonat-candidates.ts';
import { DIAL_BACK_STREAMS, DialBacks } from './autonat-dial-backs.ts';
import { AutonatClientMetrics } from './autonat-metrics.ts';
import { AutonatPeers } from './autonat-peers.ts';
import { DIAL_BACK_PROTOCOL } from './autonat-protocol.ts';
import { roundDelayMs } from './autonat-schedule.ts';
import type { AutonatRegistrar } from './autonat-server.ts';
import { Verdict } from './autonat-verdict.ts';
import type { Finding } from './autonat-verdict.ts';

export interface AutonatClientHost extends AutonatRegistrar, AskingHost {
  /** Of the sockets themselves, whatever is announced. */
  listenAddrs(): Multiaddr[];
  addEventListener(type: 'peer:identify', listener: (event: CustomEvent<IdentifyResult>) => void): void;
  removeEventListener(type: 'peer:identify', listener: (event: CustomEvent<IdentifyResult>) => void): void;
}

export interface AutonatClientOptions {
  host: AutonatClientHost;
  /** The operator's addresses, which stand for those of the sockets. */
  announce: readonly string[];
  mayTell: (addr: Multiaddr) => boolean;
  /** The operator named the peer: a relay or bootstrap peer of the configuration. */
  isTrusted: (peer: PeerId) => boolean;
  /** Told when the verdict or the confirmed addresses change; `guesses` are those confirmed that are not this node's own word. */
  onChange: (view: ReachabilityView, guesses: readonly Multiaddr[]) => void;
  clock: Clock;
  random: () => number;
  log: Logger;
  registry: Registry;
}

/** Enough for a majority against one that is wrong. */
const PEERS_PER_ROUND = 3;

/** An address that is known to work is looked after by one peer, each in turn. */
const PEERS_WHILE_SURE = 1;

/** What a start brings (several identifies, several addresses) is asked about together. */
const GATHER_MS = 200;

/** What peers say of themselves and of this node must not make it ask without end: servers allow twelve requests a minute. */
const MIN_GAP_MS = 10_000;

/** Finds out whether this node is reached without relays, by asking peers that dial it back (specification: "AutonatV2"). */
export class AutonatClient implements Part, ReachabilityView {
  readonly name = 'autonat client';
  readonly #o: AutonatClientOptions;
  readonly #metrics: AutonatClientMetrics;
  readonly #dialBacks: DialBacks;
  readonly #announce: readonly Multiaddr[];
  readonly #peers = new AutonatPeers();
  readonly #asking: AutonatAsking;
  readonly #verdict = new Verdict();
  #running: AbortController | undefined;
  #timer: TimerHandle | undefined;
  #timerAt = Infinity;
  #busy = false;
  #lastRoundAt = -Infinity;
  /** Rounds in a row that changed nothing. */
  #sameRounds = 0;
  /** Rounds in a row in which no peer had anything to say. */
  #unanswered = 0;
  #told = summary(this.#verdict);

  constructor(options: AutonatClientOptions) {
    this.#o = options;
    this.#metrics = new AutonatClientMetrics(options.registry);
    this.#dialBacks = new DialBacks(options.clock);
    this.#asking = new AutonatAsking({ ...options, peers: this.#peers, dialBacks: this.#dialBacks, metrics: this.#metrics });
    this.#announce = options.announce.map((addr) => multiaddr(addr));
  }

  /** What takes the dial-backs that come while this runs. */
  get dialBacks(): DialBacks {
    return this.#dialBacks;
  }

  get value(): Reachability {
    return this.#verdict.value;
  }

  get confirmed(): readonly string[] {
    return this.#verdict.confirmed;
  }

  get denied(): readonly string[] {
    return this.#verdict.denied;
  }

  async start(): Promise<void> {
    if (this.#running !== undefined) {
      return;
    }
    this.#running = new AbortController();
    await this.#o.host.handle(DIAL_BACK_PROTOCOL, this.#dialBacks.handle, DIAL_BACK_STREAMS);
    if (this.#o.host.listenAddrs().length === 0) {
      this.#verdict.unreachable();
      this.#tell([]);
      return;
    }
    this.#o.host.addEventListener('peer:identify', this.#onIdentify);
  }

  async stop(): Promise<void> {
    this.#o.host.removeEventListener('peer:identify', this.#onIdentify);
    this.#running?.abort(new RelaydError('CLOSED', 'the node is stopping'));
    this.#running = undefined;
    this.#timer?.cancel();
    this.#timerAt = Infinity;
    this.#lastRoundAt = -Infinity;
    this.#sameRounds = 0;
    this.#unanswered = 0;
    this.#busy = false;
    this.#peers.clear();
    this.#verdict.clear();
    this.#metrics.state('unknown');
    this.#told = summary(this.#verdict);
    await this.#o.host.unhandle(DIAL_BACK_PROTOCOL);
  }

  readonly #onIdentify = (event: CustomEvent<IdentifyResult>): void => {
    const now = this.#o.clock.now();
    const before = this.#peers.observed().size;
    const isNews = this.#peers.learn(event.detail, now);
    if (isNews && (this.value === 'unknown' || this.#peers.observed().size > before)) {
      this.#plan(Math.max(GATHER_MS, this.#lastRoundAt + MIN_GAP_MS - now));
    }
  };

  /** The next round is at the earliest of all that were planned. */
  #plan(delayMs: number): void {
    const now = this.#o.clock.now();
    const at = now + delayMs;
    if (this.#running === undefined || this.#busy || at >= this.#timerAt) {
      return;
    }
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#o.clock.setTimer(() => {
      this.#round().catch((error: unknown) => this.#o.log.warn({ error: errorMessage(error) }, 'what peers say of reaching this node could not be taken into account'));
    }, delayMs);
  }

  async #round(): Promise<void> {
    const signal = this.#running?.signal;
    if (signal === undefined) {
      return;
    }
    this.#busy = true;
    this.#timerAt = Infinity;
    const candidates = this.#candidates();
    const isSure = this.value === 'public' && !this.#verdict.doubtful;
    const findings = candidates.length === 0 ? [] : await this.#asking.ask(candidates, isSure ? PEERS_WHILE_SURE : PEERS_PER_ROUND, signal);
    if (!signal.aborted) {
      this.#conclude(findings, candidates);
    }
  }

  #conclude(findings: readonly Finding[], candidates: readonly OwnCandidate[]): void {
    const { clock, random } = this.#o;
    const before = this.value;
    this.#verdict.round(findings, candidates, clock.now());
    this.#sameRounds = this.value === before ? this.#sameRounds + 1 : 0;
    this.#unanswered = findings.length === 0 ? this.#unanswered + 1 : 0;
    this.#busy = false;
    this.#lastRoundAt = clock.now();
    this.#plan(roundDelayMs({ value: this.value, sameRounds: this.#sameRounds, isDoubtful: this.#verdict.doubtful, unanswered: this.#unanswered }, random));
    this.#tell(candidates);
  }

  #candidates(): OwnCandidate[] {
    const { host, mayTell } = this.#o;
    return ownCandidates({ listen: host.listenAddrs(), announce: this.#announce, observed: this.#peers.observed(), mayTell });
  }

  #tell(candidates: readonly OwnCandidate[]): void {
    const { log, onChange } = this.#o;
    const { value, confirmed } = this.#verdict;
    const news = summary(this.#verdict);
    if (news === this.#told) {
      return;
    }
    this.#told = news;
    this.#metrics.state(value);
    log.info({ reachability: value, addrs: confirmed }, 'what peers say of reaching this node directly has changed');
    onChange(this.#verdict, candidates.filter(({ addr, guessed }) => guessed && confirmed.includes(addr.toString())).map(({ addr }) => addr));
  }
}

/** Differs when there is something to tell. */
function summary({ value, confirmed, denied }: ReachabilityView): string {
  return [value, ...confirmed, '', ...denied].join(' ');
}
