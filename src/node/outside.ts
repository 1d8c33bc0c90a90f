import type { Connection, PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import type { RelaydConfig } from '../config/domain.ts';
import { isCircuit, isRelayed } from '../lib/addresses.ts';
import { systemClock } from '../lib/clock.ts';
import type { OtherRelay, OutsideRow } from '../lib/contracts.ts';
import { withDeadline } from '../lib/deadline.ts';
import type { DirectoryEndpoint } from '../lib/directory/endpoint.ts';
import { openStatement } from '../lib/directory/statement.ts';
import { errorMessage, toError } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import { OutsideCheck } from '../reachability/index.ts';
import type { Rooms } from './build.ts';
import type { Host } from './host.ts';

const DIAL_MS = 10_000;

/** Of a round of questions, whatever peers do: an operator waits. */
const ROUND_MS = 60_000;

/** Looks at the node from where peers are: it asks them to dial back, and relays of ours what they say of themselves. */
export class Outside {
  readonly #host: Host;
  readonly #directory: DirectoryEndpoint;
  readonly #check: OutsideCheck;

  constructor({ host, directory, addresses, reachability }: Pick<Rooms, 'host' | 'directory' | 'addresses' | 'reachability'>, { network }: RelaydConfig) {
    this.#host = host;
    this.#directory = directory;
    this.#check = new OutsideCheck({
      host: host.libp2p,
      dialBacks: reachability?.dialBacks,
      listenAddrs: () => host.listenAddrs().filter((addr) => !isCircuit(addr)),
      announce: network.announce,
      mayTell: (addr) => addresses.mayTell(addr),
      clock: systemClock,
    });
  }

  /** Asks every peer at once. @throws RelaydError BAD_REQUEST while another round runs */
  ask(addrs: readonly string[], signal: AbortSignal): Promise<OutsideRow[]> {
    return this.#check.during(() => withDeadline(ROUND_MS, systemClock, [signal], (limit) => Promise.all(addrs.map((addr) => this.#askOne(addr, limit)))));
  }

  async #askOne(addr: string, signal: AbortSignal): Promise<OutsideRow> {
    const peer = addr.split('/p2p/').at(-1) ?? '';
    const row = { addr, peer, seenAt: null, dialBacks: [], relay: null };
    if (this.#host.libp2p.peerId.toString() === peer) {
      return { ...row, error: 'this is the node itself' };
    }
    try {
      const known = this.#openTo(peerIdFromString(peer));
      const connection = known ?? (await this.#dial(addr, signal));
      try {
        return { ...row, ...(await this.#check.ask(connection, signal)), relay: await this.#statement(connection, signal) };
      } finally {
        if (known === undefined) connection.close().catch((error: unknown) => connection.abort(toError(error)));
      }
    } catch (error) {
      return { ...row, error: peerText(errorMessage(error)) };
    }
  }

  #openTo(peer: PeerId): Connection | undefined {
    return this.#host.libp2p.getConnections(peer).find((connection) => connection.status === 'open' && !isRelayed(connection));
  }

  #dial(addr: string, signal: AbortSignal): Promise<Connection> {
    return withDeadline(DIAL_MS, systemClock, [signal], (limit) => this.#host.libp2p.dial(multiaddr(addr), { signal: limit, force: true }));
  }

  /** A statement's number begins at the relay's wall clock in milliseconds (docs/reference/protocol-directory.md). */
  async #statement(connection: Connection, signal: AbortSignal): Promise<OtherRelay | null> {
    try {
      const { region, alternatives, sequence } = await openStatement(await this.#directory.fetch(connection, signal), connection.remotePeer);
      return { region: region === undefined ? null : peerText(region), names: alternatives.map(String), clockAheadMs: sequence - systemClock.wall() };
    } catch {
      return null; // A standard relay, or none.
    }
  }
}
