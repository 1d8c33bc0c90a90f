import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Clock } from '../lib/clock.ts';
import type { DialBackRow } from '../lib/contracts.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import { ownCandidates } from './autonat-candidates.ts';
import { DIAL_BACK_STREAMS, DialBacks } from './autonat-dial-backs.ts';
import { DIAL_BACK_PROTOCOL } from './autonat-protocol.ts';
import { requestCheck } from './autonat-request.ts';
import type { AutonatRegistrar } from './autonat-server.ts';
import { seenAt } from './seen-at.ts';

export interface OutsideCheckOptions {
  host: AutonatRegistrar;
  /** Of a node that takes dial-backs anyway; without it they are taken only while {@link OutsideCheck.during} runs. */
  dialBacks?: DialBacks | undefined;
  /** Of the sockets themselves. */
  listenAddrs: () => readonly Multiaddr[];
  /** The operator's addresses, which stand for those of the sockets. */
  announce: readonly string[];
  mayTell: (addr: Multiaddr) => boolean;
  clock: Clock;
}

export interface OutsideFindings {
  readonly seenAt: string | null;
  readonly dialBacks: DialBackRow[];
}

/** One answer each: a server takes up to 10 s for a dial, and a person waits. */
const MAX_ADDRS = 4;

/** Puts the question of AutoNAT v2 to named peers at once, for each address by itself: an operator asks. */
export class OutsideCheck {
  readonly #o: OutsideCheckOptions;
  readonly #dialBacks: DialBacks;
  #isBusy = false;

  constructor(options: OutsideCheckOptions) {
    this.#o = options;
    this.#dialBacks = options.dialBacks ?? new DialBacks(options.clock);
  }

  /** Takes dial-backs while `work` runs. @throws RelaydError BAD_REQUEST while another check runs */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const { host, dialBacks } = this.#o;
    if (this.#isBusy) {
      throw new RelaydError('BAD_REQUEST', 'a check of reachability is under way; ask again when it is over');
    }
    this.#isBusy = true;
    try {
      if (dialBacks === undefined) await host.handle(DIAL_BACK_PROTOCOL, this.#dialBacks.handle, DIAL_BACK_STREAMS);
      return await work();
    } finally {
      this.#isBusy = false;
      if (dialBacks === undefined) await host.unhandle(DIAL_BACK_PROTOCOL);
    }
  }

  /** Never rejects: what goes wrong is in the rows. One address after the other: a server serves one request of a peer at a time. */
  async ask(connection: Connection, signal: AbortSignal): Promise<OutsideFindings> {
    const { listenAddrs, announce, mayTell, clock } = this.#o;
    const seen = await seenAt(connection, clock, signal);
    const observed = seen === undefined ? [] : [seen];
    const candidates = ownCandidates({ listen: listenAddrs(), announce: announce.map((addr) => multiaddr(addr)), observed, mayTell });
    const dialBacks: DialBackRow[] = [];
    for (const { addr, guessed } of candidates.slice(0, MAX_ADDRS)) {
      dialBacks.push({ addr: addr.toString(), guessed, ...(await this.#askOne(connection, addr, signal)) });
    }
    return { seenAt: seen ?? null, dialBacks };
  }

  async #askOne(connection: Connection, addr: Multiaddr, signal: AbortSignal): Promise<Pick<DialBackRow, 'outcome' | 'reason'>> {
    try {
      const { outcome } = await requestCheck({ connection, addrs: [addr], dialBacks: this.#dialBacks, clock: this.#o.clock, signal });
      return { outcome };
    } catch (error) {
      return { outcome: 'failed', reason: peerText(errorMessage(error)) };
    }
  }
}
