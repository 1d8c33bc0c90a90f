import type { Connection } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { Status } from '../../../../src/lib/circuit/protocol.ts';
import { errorMessage } from '../../../../src/lib/errors.ts';
import type { Attempt } from '../../support/cluster/history.ts';
import { nowMs } from '../../support/time.ts';
import { WirePeer, accept } from '../../../support/wire-peer.ts';
import { EchoEnd } from './echo-end.ts';

/** A relay that has not answered by then is dead to this peer. */
const CONNECT_MS = 3_000;
const ANSWER_MS = 4_000;

/** One peer of a cluster: it reserves at a relay, takes circuits and echoes what comes, and opens circuits to others. */
export class ClusterPeer {
  readonly id: string;
  readonly #peer: WirePeer;
  readonly #connections = new Map<string, Connection>();
  readonly #dials = new Map<string, Promise<Connection>>();

  static async start(): Promise<ClusterPeer> {
    return new ClusterPeer(
      await WirePeer.start({
        stop: async (incoming) => {
          incoming.stream.addEventListener('message', ({ data }) => void incoming.stream.send(data));
          await accept(incoming);
        },
      }),
    );
  }

  private constructor(peer: WirePeer) {
    this.#peer = peer;
    this.id = peer.peerId.toString();
  }

  /** Connects where it is not, and asks for a reservation. Never throws. */
  async reserve(relay: string, addr: string): Promise<Attempt> {
    let beganMs = nowMs();
    const attempt = (outcome: Attempt['outcome'], reason?: string): Attempt => ({ kind: 'attempt', peer: this.id, relay, beganMs, endedMs: nowMs(), outcome, reason });
    try {
      const connection = await this.#connected(addr);
      beganMs = nowMs();
      const answer = await this.#peer.request({ type: 'RESERVE' }, { connection, timeoutMs: ANSWER_MS });
      await answer.stream.close().catch(() => {});
      return answer.status === Status.OK ? attempt('admitted') : attempt('refused', answer.refusal?.limit ?? String(answer.status));
    } catch (error) {
      return attempt('failed', errorMessage(error));
    }
  }

  /** Hears when the connection to a relay ends, whoever ends it; at once where there is none. */
  onceGone(addr: string, listener: () => void): void {
    const connection = this.#connections.get(addr);
    if (connection?.status === 'open') connection.addEventListener('close', listener, { once: true });
    else listener();
  }

  /** A reservation ends with the connection. */
  leave(addr: string): void {
    this.#connections.get(addr)?.abort(new Error('this peer leaves'));
    this.#connections.delete(addr);
  }

  leaveAll(): void {
    [...this.#connections.keys()].forEach((addr) => this.leave(addr));
  }

  /** @throws Error when there is no circuit */
  async open(target: string, through: string): Promise<EchoEnd> {
    const connection = await this.#connected(through);
    const answer = await this.#peer.request({ type: 'CONNECT', peer: { id: peerIdFromString(target).toMultihash().bytes, addrs: [] } }, { connection, timeoutMs: ANSWER_MS });
    if (answer.status !== Status.OK) throw new Error(`${answer.status} ${answer.refusal?.limit ?? ''}`);
    return new EchoEnd(answer.stream);
  }

  async #connected(addr: string): Promise<Connection> {
    const open = this.#connections.get(addr);
    if (open?.status === 'open') return open;
    const dial = this.#dials.get(addr) ?? this.#dial(addr).finally(() => this.#dials.delete(addr));
    this.#dials.set(addr, dial);
    return dial;
  }

  async #dial(addr: string): Promise<Connection> {
    const connection = await this.#peer.node.dial(multiaddr(addr), { signal: AbortSignal.timeout(CONNECT_MS), force: true });
    this.#connections.set(addr, connection);
    return connection;
  }
}
