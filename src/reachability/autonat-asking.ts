import type { Connection, PeerId } from '@libp2p/interface';
import { ipOf, networkOf } from '../lib/addresses.ts';
import type { Clock } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { errorMessage } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import type { Logger } from '../lib/logger.ts';
import { inOrderFor } from './autonat-candidates.ts';
import type { OwnCandidate } from './autonat-candidates.ts';
import type { DialBacks } from './autonat-dial-backs.ts';
import type { AutonatClientMetrics } from './autonat-metrics.ts';
import { askableConnection } from './autonat-peers.ts';
import type { AutonatPeer, AutonatPeers } from './autonat-peers.ts';
import { requestCheck } from './autonat-request.ts';
import type { Finding } from './autonat-verdict.ts';

export interface AskingHost {
  getConnections(peer: PeerId): Connection[];
  /** Connects to a peer whose addresses are known. */
  dial(peer: PeerId, signal: AbortSignal): Promise<Connection>;
}

export interface AskingOptions {
  host: AskingHost;
  peers: AutonatPeers;
  dialBacks: DialBacks;
  /** The operator named the peer. */
  isTrusted: (peer: PeerId) => boolean;
  clock: Clock;
  log: Logger;
  metrics: AutonatClientMetrics;
}

const REDIAL_MS = 5_000;

/** Networks that count as different witnesses: those that are assigned to different owners. */
const WITNESS_BITS = { ipv4: 24, ipv6: 48 };

/** Puts one question to several peers: do you reach this node? */
export class AutonatAsking {
  readonly #o: AskingOptions;

  constructor(options: AskingOptions) {
    this.#o = options;
  }

  /** Never throws: what goes wrong is one peer's missing word. @param count as many peers, if there are */
  async ask(candidates: readonly OwnCandidate[], count: number, signal: AbortSignal): Promise<Finding[]> {
    const chosen = await this.#choose(count, signal);
    return (await Promise.all(chosen.map(([peer, connection]) => this.#askOne(peer, connection, candidates, signal)))).flat();
  }

  /** Connected peers; where there are none, one that was known is connected to again. */
  async #choose(count: number, signal: AbortSignal): Promise<[AutonatPeer, Connection][]> {
    const { host, clock } = this.#o;
    const known = this.#o.peers.inOrder(clock.now());
    const connected = known.flatMap((peer): [AutonatPeer, Connection][] => {
      const connection = askableConnection(host.getConnections(peer.peer));
      return connection === undefined ? [] : [[peer, connection]];
    });
    const [first] = known;
    if (connected.length > 0 || first === undefined) {
      return connected.slice(0, count);
    }
    return this.#connect(first, signal);
  }

  async #connect(peer: AutonatPeer, signal: AbortSignal): Promise<[AutonatPeer, Connection][]> {
    const { host, clock } = this.#o;
    try {
      const connection = await withDeadline(REDIAL_MS, clock, [signal], (limit) => host.dial(peer.peer, limit));
      return askableConnection([connection]) === undefined ? [] : [[peer, connection]];
    } catch {
      this.#o.peers.shun(peer, clock.now());
      return [];
    }
  }

  async #askOne(peer: AutonatPeer, connection: Connection, candidates: readonly OwnCandidate[], signal: AbortSignal): Promise<Finding[]> {
    const { clock, isTrusted, log, dialBacks, metrics } = this.#o;
    const ordered = inOrderFor(candidates, peer.seenAt);
    peer.askedAt = clock.now();
    try {
      const result = await requestCheck({ connection, addrs: ordered.map(({ addr }) => addr), dialBacks, clock, signal });
      metrics.check(result.outcome);
      if (result.outcome !== 'refused') {
        const guessed = ordered.find(({ addr }) => addr === result.addr)?.guessed === true;
        return [{ addr: result.addr.toString(), guessed, reachable: result.outcome === 'reachable', from: networkAround(connection), trusted: isTrusted(peer.peer) }];
      }
    } catch (error) {
      metrics.check('failed');
      log.debug({ peer: peer.peer.toString(), error: peerText(errorMessage(error)) }, 'a peer did not say whether it reaches this node');
    }
    this.#o.peers.shun(peer, clock.now());
    return [];
  }
}

function networkAround({ remoteAddr }: Connection): string {
  const ip = ipOf(remoteAddr);
  return ip === undefined ? '' : networkOf(ip, WITNESS_BITS[ip.kind()]);
}
