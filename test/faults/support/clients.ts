import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { LineProcess } from '../../bench/support/line-process.ts';
import type { DialOrder, Dialled, Lag, Relays, Snapshot } from '../programs/clients/protocol.ts';

const PROGRAM = fileURLToPath(new URL('../programs/clients.ts', import.meta.url));
const NODE_ARGS = ['--disable-warning=ExperimentalWarning'];

/** One process runs this many at ease; more would report its own lateness. */
const CLIENTS_A_PROCESS = 50;
/** However many clients: there are few processors. */
const MAX_PROCESSES = 4;

/** What every client of the suite has; rows add their relays. A hole that is punched would take the relay out of what is measured. */
const BASE = { profile: 'tier2', role: 'client', network: { listen: [], allowPrivate: true }, client: { holePunch: false }, admin: { listen: '127.0.0.1:0' }, log: { level: 'silent' } };

export interface ClientsSetup {
  readonly count: number;
  /** Each client has a folder called by its number in it, and its identity from there where there is one. */
  readonly dir: string;
  readonly config: { network?: object; client?: object } & Record<string, unknown>;
  /** Of one client each. */
  readonly configs?: readonly Record<string, unknown>[];
  /** Before the program: `ip netns exec …`. */
  readonly prefix?: readonly string[];
}

interface Host {
  readonly process: LineProcess;
  /** The number of its first client among all. */
  readonly first: number;
  readonly count: number;
}

/** What a process said, and the number of its first client. */
interface Answer<T> {
  readonly first: number;
  readonly answer: T;
}

export interface Recording {
  /** Each time that it changed. */
  readonly announced: Relays[];
  /** At the beginning, and each time that it changed. */
  readonly held: Relays[];
  /** The worst of the suite's own processes. */
  readonly lag: Lag;
}

/** Many real clients in a few processes, numbered from 0. */
export class Clients {
  readonly peerIds: string[] = [];
  readonly #hosts: Host[];

  static async start(setup: ClientsSetup): Promise<Clients> {
    const clients = new Clients(setup);
    try {
      await clients.#make(setup);
    } catch (error) {
      await clients.stop();
      throw error;
    }
    return clients;
  }

  private constructor({ count, prefix = [] }: ClientsSetup) {
    const [command, ...args] = [...prefix, process.execPath, ...NODE_ARGS, PROGRAM];
    const width = Math.min(MAX_PROCESSES, Math.ceil(count / CLIENTS_A_PROCESS));
    const share = Math.ceil(count / width);
    this.#hosts = Array.from({ length: width }, (_, i) => ({ process: new LineProcess(`clients-${i}`, command, args), first: i * share, count: Math.max(0, Math.min(share, count - i * share)) }));
  }

  get count(): number {
    return this.peerIds.length;
  }

  /** Asks until every client announces circuits through `count` relays, and throws when they do not in time. */
  async untilHeld(count: number, options: { without?: string[]; nobodyAway?: boolean; timeoutMs: number }): Promise<void> {
    const lacking = await this.lacking(count, options);
    if (lacking.length > 0) {
      throw new Error(`after ${options.timeoutMs / 1000} s ${lacking.length} of ${this.count} clients do not have ${count} relays: ${JSON.stringify(lacking[0])}`);
    }
  }

  /** As {@link untilHeld}. @returns those that do not when the time is up */
  async lacking(count: number, options: { without?: string[]; nobodyAway?: boolean; timeoutMs: number }): Promise<Snapshot[]> {
    const answers = await this.#all<{ lacking: Snapshot[] }>('until-held', { count, ...options });
    return answers.flatMap(({ first, answer }) => answer.lacking.map((one) => ({ ...one, client: one.client + first })));
  }

  async snapshot(): Promise<Snapshot[]> {
    const answers = await this.#all<{ clients: Snapshot[] }>('snapshot');
    return answers.flatMap(({ first, answer }) => answer.clients.map((one) => ({ ...one, client: one.client + first })));
  }

  /** Forgets what was announced until now, and how late the processes ran. */
  async begin(): Promise<void> {
    await this.#all('begin');
  }

  async end(): Promise<Recording> {
    const answers = await this.#all<Recording>('end');
    const lags = answers.map(({ answer }) => answer.lag);
    const numbered = (key: 'announced' | 'held'): Relays[] => answers.flatMap(({ first, answer }) => answer[key].map((one) => ({ ...one, client: one.client + first })));
    return {
      announced: numbered('announced'),
      held: numbered('held'),
      lag: { p99Ms: most(lags, 'p99Ms'), maxMs: most(lags, 'maxMs'), cpuSeconds: sum(lags, 'cpuSeconds'), rssMiB: sum(lags, 'rssMiB') },
    };
  }

  /** Dials at the times given; resolves when the last has ended. */
  async dials(orders: readonly DialOrder[]): Promise<Dialled[]> {
    const ended = this.#hosts.map(async ({ process, first, count }) => {
      const own = orders.filter(({ from }) => from >= first && from < first + count).map((order) => ({ ...order, from: order.from - first }));
      const { dials } = await process.order<{ dials: Dialled[] }>('dials', { dials: own });
      return dials.map((dial) => ({ ...dial, from: dial.from + first }));
    });
    return (await Promise.all(ended)).flat();
  }

  /** All connect to the peer at `addr`, and stay. @throws Error when one could not */
  async watch(addr: string): Promise<void> {
    const failures = (await this.#all<{ failures: string[] }>('watch', { addr })).flatMap(({ answer }) => answer.failures);
    if (failures.length > 0) throw new Error(`${failures.length} clients are not connected to the watcher: ${failures[0]}`);
  }

  /** The local port of the first tunnel that each client forwards. */
  async forwardPorts(): Promise<(number | undefined)[]> {
    return (await this.#all<{ ports: number[][] }>('forwards')).flatMap(({ answer }) => answer.ports.map(([port]) => port));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#hosts.map(({ process }) => process.stop()));
  }

  async #make({ dir, config, configs }: ClientsSetup): Promise<void> {
    const whole = { ...BASE, ...config, network: { ...BASE.network, ...config.network }, client: { ...BASE.client, ...config.client } };
    await mkdir(dir, { recursive: true });
    const made = this.#hosts.map(async ({ process, first, count }) => {
      await process.ready();
      const { peerIds } = await process.order<{ peerIds: string[] }>('make', { count, first, dir, config: whole, configs: configs?.slice(first, first + count) });
      return peerIds;
    });
    this.peerIds.push(...(await Promise.all(made)).flat());
  }

  async #all<T>(cmd: string, args: Record<string, unknown> = {}): Promise<Answer<T>[]> {
    return Promise.all(this.#hosts.map(async ({ process, first }) => ({ first, answer: await process.order<T>(cmd, args) })));
  }
}

function most(lags: readonly Lag[], key: keyof Lag): number {
  return Math.max(...lags.map((lag) => lag[key]));
}

function sum(lags: readonly Lag[], key: keyof Lag): number {
  return lags.reduce((total, lag) => total + lag[key], 0);
}

