import type { HostPort } from '../../config/domain.ts';
import { isLoopbackHost } from '../../lib/addresses.ts';
import type { Clock } from '../../lib/clock.ts';
import { errorMessage } from '../../lib/errors.ts';
import { peerText } from '../../lib/logger.ts';
import type { Logger } from '../../lib/logger.ts';
import type { RenewedFiles } from '../renewed-files.ts';
import { Connection } from './connection.ts';
import { placeOf, storeProblem } from './problems.ts';
import { askSentinels } from './sentinels.ts';
import { serverInfo } from './server-info.ts';
import type { ServerInfo } from './server-info.ts';
import type { Access, Settings } from './settings.ts';
import { ownerNamedIn, slotOf } from './slot.ts';

/** Nodes of a Redis Cluster that are remembered, beside those of the configuration: its specification knows at most 1,000. */
const MAX_NODES = 64;

type Files = Pick<RenewedFiles<Settings>, 'current' | 'readAgain'>;

/** Finds the server that takes this cluster's writes: all keys have one hash tag, so there is always just one. */
export class Primary {
  readonly #files: Files;
  readonly #slot: number;
  readonly #clock: Clock;
  readonly #log: Pick<Logger, 'warn'>;
  /** Of a Redis Cluster, as its nodes have told: those of the configuration may be gone by now. */
  #nodes: readonly HostPort[] = [];
  #turn = 0;
  /** It has been said that no sentinel answers as it should. */
  #isSaid = false;

  constructor(files: Files, hashTag: string, clock: Clock, log: Pick<Logger, 'warn'>) {
    this.#files = files;
    this.#slot = slotOf(hashTag);
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * A connection to it.
   *
   * @param moved what the last one answered, if that was where the slot is now: other nodes may hear of it later
   * @throws Error whose text is for people
   */
  async connect(moved: unknown, signal: AbortSignal): Promise<{ connection: Connection; info: ServerInfo }> {
    const owner = ownerNamedIn(moved);
    const first = owner === undefined ? await this.#firstServer(signal) : this.#allowed(owner, 'Redis Cluster');
    const reached = await this.#reach(first, signal);
    if (!reached.info.isCluster) {
      return reached;
    }
    return this.#ownerOfSlot(reached, signal);
  }

  /** Whether more than half of the sentinels know another primary: the one at `where` may not have heard of it yet, and takes writes that will be lost. */
  async hasMoved(where: string, signal: AbortSignal): Promise<boolean> {
    const { sentinels } = this.#files.current;
    if (sentinels.length === 0) {
      return false;
    }
    try {
      const { server, votes } = await askSentinels(this.#files.current, this.#clock, signal);
      this.#isSaid = false;
      return votes > sentinels.length / 2 && placeOf(server) !== where;
    } catch (error) {
      if (!signal.aborted) this.#refused(error);
      return false;
    }
  }

  /** Their password, or the certificate, may have been replaced while the store itself stays connected. */
  #refused(error: unknown): void {
    this.#files.readAgain();
    if (this.#isSaid) return;
    this.#isSaid = true;
    this.#log.warn({ problem: errorMessage(error) }, 'no sentinel says whether the primary is still the same: a failover would be noticed late');
  }

  async #firstServer(signal: AbortSignal): Promise<HostPort> {
    if (this.#files.current.sentinels.length > 0) {
      return this.#allowed((await askSentinels(this.#files.current, this.#clock, signal)).server, 'a Redis Sentinel');
    }
    const all = [...this.#files.current.servers, ...this.#nodes];
    // Another one at each attempt: the last may be frozen.
    return all[this.#turn++ % all.length]!;
  }

  async #reach(server: HostPort, signal: AbortSignal): Promise<{ connection: Connection; info: ServerInfo }> {
    const connection = await openOrSay(server, this.#files.current.access, this.#clock, signal);
    try {
      return { connection, info: serverInfo(String(await connection.command(['INFO']))) };
    } catch (error) {
      connection.close(error);
      throw new Error(storeProblem(error, connection.where).text, { cause: error });
    }
  }

  async #ownerOfSlot(asked: { connection: Connection; info: ServerInfo }, signal: AbortSignal): Promise<{ connection: Connection; info: ServerInfo }> {
    const ranges = (await asked.connection.command(['CLUSTER', 'SLOTS']).catch((error: unknown) => {
      asked.connection.close(error);
      throw new Error(storeProblem(error, asked.connection.where).text, { cause: error });
    })) as SlotRange[];
    const known = this.#files.current.servers[0]!;
    this.#nodes = ranges.flatMap(([, , ...nodes]) => nodes.map((node) => nodeAddress(node, known))).filter((node) => this.#mayReach(node)).slice(0, MAX_NODES);
    const range = ranges.find(([from, to]) => from <= this.#slot && this.#slot <= to);
    if (range === undefined) {
      asked.connection.close(undefined);
      throw new Error(`Redis Cluster at ${asked.connection.where} has no owner for slot ${this.#slot}, in which this cluster's keys are: redis-cli --cluster check says more`);
    }
    const owner = nodeAddress(range[2], known);
    if (placeOf(owner) === asked.connection.where) {
      return asked;
    }
    asked.connection.close(undefined);
    return this.#reach(this.#allowed(owner, `Redis at ${asked.connection.where}`), signal);
  }

  /** The password and all that is kept would go there. @throws Error for a server on another machine that `who` names, without TLS */
  #allowed(server: HostPort, who: string): HostPort {
    if (!this.#mayReach(server)) {
      const right = 'coordination.redis.url: rediss://… for TLS or, in a network that is yours alone, coordination.allowPlaintext: true';
      throw new Error(`${who} names ${peerText(placeOf(server))}, which is another machine, and what goes there would not be encrypted: ${right}`);
    }
    return server;
  }

  #mayReach({ host }: HostPort): boolean {
    return this.#files.current.mayBeFar || isLoopbackHost(host);
  }
}

type SlotNode = [host: Buffer | null, port: number, ...rest: unknown[]];
type SlotRange = [from: number, to: number, primary: SlotNode, ...replicas: SlotNode[]];

/** A node may leave its host out: it is the one that was asked. */
function nodeAddress([host, port]: SlotNode, asked: HostPort): HostPort {
  return { host: host === null || host.length === 0 ? asked.host : host.toString(), port };
}

async function openOrSay(server: HostPort, access: Access, clock: Clock, signal: AbortSignal): Promise<Connection> {
  try {
    return await Connection.open(server, access, clock, signal);
  } catch (error) {
    throw new Error(storeProblem(error, placeOf(server)).text, { cause: error });
  }
}
