import type { HostPort } from '../../config/domain.ts';
import { isLoopbackHost } from '../../lib/addresses.ts';
import type { Clock } from '../../lib/clock.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { errorMessage } from '../../lib/errors.ts';
import { peerText } from '../../lib/logger.ts';
import { Connection } from './connection.ts';
import { placeOf, storeProblem } from './problems.ts';
import type { Access, Settings } from './settings.ts';

/** What asking all sentinels may take: one that is frozen keeps nobody waiting longer. */
const SENTINEL_TIMEOUT_MS = 700;

/** Nodes of a Redis Cluster that are remembered, beside those of the configuration: its specification knows at most 1,000. */
const MAX_NODES = 64;

/** Finds the server that takes this cluster's writes: all keys have one hash tag, so there is always just one. */
export class Primary {
  readonly #settings: Settings;
  readonly #slot: number;
  readonly #clock: Clock;
  /** Of a Redis Cluster, as its nodes have told: those of the configuration may be gone by now. */
  #nodes: readonly HostPort[] = [];
  #turn = 0;

  constructor(settings: Settings, hashTag: string, clock: Clock) {
    this.#settings = settings;
    this.#slot = slotOf(hashTag);
    this.#clock = clock;
  }

  /** A connection to it. @throws Error whose text is for people */
  async connect(signal: AbortSignal): Promise<{ connection: Connection; info: ServerInfo }> {
    const first = await this.#firstServer(signal);
    const reached = await this.#reach(first, signal);
    if (!reached.info.isCluster) {
      return reached;
    }
    return this.#ownerOfSlot(reached, signal);
  }

  /** Whether more than half of the sentinels know another primary: the one at `where` may not have heard of it yet, and takes writes that will be lost. */
  async hasMoved(where: string, signal: AbortSignal): Promise<boolean> {
    const { sentinels } = this.#settings;
    if (sentinels.length === 0) {
      return false;
    }
    const said = await askSentinels(this.#settings, this.#clock, signal).catch(() => undefined);
    return said !== undefined && said.votes > sentinels.length / 2 && placeOf(said.server) !== where;
  }

  async #firstServer(signal: AbortSignal): Promise<HostPort> {
    if (this.#settings.sentinels.length > 0) {
      return this.#allowed((await askSentinels(this.#settings, this.#clock, signal)).server, 'a Redis Sentinel');
    }
    const all = [...this.#settings.servers, ...this.#nodes];
    // Another one at each attempt: the last may be frozen.
    return all[this.#turn++ % all.length]!;
  }

  async #reach(server: HostPort, signal: AbortSignal): Promise<{ connection: Connection; info: ServerInfo }> {
    const connection = await openOrSay(server, this.#settings.access, this.#clock, signal);
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
    const known = this.#settings.servers[0]!;
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
    return this.#settings.mayBeFar || isLoopbackHost(host);
  }
}

export interface ServerInfo {
  readonly version: string;
  readonly isCluster: boolean;
  readonly isPrimary: boolean;
  /** Another one when the process or the history of its data is another: what was written may be gone. `undefined` where the server does not say. */
  readonly history: string | undefined;
  /** It may throw away what relayd keeps. */
  readonly evicts: string | undefined;
}

type SlotNode = [host: Buffer | null, port: number, ...rest: unknown[]];
type SlotRange = [from: number, to: number, primary: SlotNode, ...replicas: SlotNode[]];

/** A node may leave its host out: it is the one that was asked. */
function nodeAddress([host, port]: SlotNode, asked: HostPort): HostPort {
  return { host: host === null || host.length === 0 ? asked.host : host.toString(), port };
}

export function serverInfo(text: string): ServerInfo {
  const values = new Map(text.split('\r\n').map((line) => line.split(':', 2) as [string, string]));
  const run = values.get('run_id');
  const policy = values.get('maxmemory_policy');
  return {
    version: values.get('redis_version') ?? '',
    isCluster: values.get('redis_mode') === 'cluster',
    isPrimary: (values.get('role') ?? 'master') === 'master',
    history: run === undefined ? undefined : `${run}/${values.get('master_replid') ?? ''}`,
    evicts: policy === undefined || policy === 'noeviction' || (values.get('maxmemory') ?? '0') === '0' ? undefined : policy,
  };
}

interface Vote {
  readonly server: HostPort;
  readonly votes: number;
}

/** Asks all of them: what more than half say, or else what most of those say that answer in time. */
async function askSentinels({ sentinels, sentinelPrimary, access }: Settings, clock: Clock, signal: AbortSignal): Promise<Vote> {
  const all = new Map<string, Vote>();
  const failures: string[] = [];
  await new Promise<void>((decided) => {
    const asking = sentinels.map(async (sentinel) => {
      try {
        const server = await withDeadline(SENTINEL_TIMEOUT_MS, clock, [signal], (limit) => askSentinel(sentinel, sentinelPrimary, access, clock, limit));
        const votes = (all.get(placeOf(server))?.votes ?? 0) + 1;
        all.set(placeOf(server), { server, votes });
        if (votes > sentinels.length / 2) decided();
      } catch (error) {
        failures.push(`${placeOf(sentinel)}: ${errorMessage(error)}`);
      }
    });
    void Promise.all(asking).then(() => decided());
  });
  const best = [...all.values()].sort((a, b) => b.votes - a.votes)[0];
  if (best === undefined) {
    throw new Error(`no Redis Sentinel says where the primary '${sentinelPrimary}' is (${failures.join('; ')}): check coordination.redis.sentinels and sentinelPrimary`);
  }
  return best;
}

async function askSentinel(sentinel: HostPort, name: string, access: Access, clock: Clock, signal: AbortSignal): Promise<HostPort> {
  const connection = await openSentinel(sentinel, { ...access, database: 0 }, clock, signal);
  const onAbort = (): void => connection.close(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const answer = (await connection.command(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name])) as [Buffer, Buffer] | null;
    if (answer === null) {
      throw new Error('it knows no primary of that name');
    }
    return { host: answer[0].toString(), port: Number(answer[1].toString()) };
  } finally {
    signal.removeEventListener('abort', onAbort);
    connection.close(undefined);
  }
}

/** Most sentinels have no users of their own; one that has gets the store's. */
async function openSentinel(sentinel: HostPort, access: Access, clock: Clock, signal: AbortSignal): Promise<Connection> {
  try {
    return await Connection.open(sentinel, { ...access, username: undefined, password: undefined }, clock, signal);
  } catch (error) {
    if (access.password === undefined || !errorMessage(error).startsWith('NOAUTH')) {
      throw error;
    }
    return Connection.open(sentinel, access, clock, signal);
  }
}

async function openOrSay(server: HostPort, access: Access, clock: Clock, signal: AbortSignal): Promise<Connection> {
  try {
    return await Connection.open(server, access, clock, signal);
  } catch (error) {
    throw new Error(storeProblem(error, placeOf(server)).text, { cause: error });
  }
}

const SLOTS = 16_384;
const CRC16_POLYNOMIAL = 0x1021;

/** CRC-16/XMODEM of the hash tag, as the specification of Redis Cluster has it. */
export function slotOf(hashTag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(hashTag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ CRC16_POLYNOMIAL) & 0xffff;
    }
  }
  return crc % SLOTS;
}
