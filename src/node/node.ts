import type { Connection } from '@libp2p/interface';
import type { Registry } from 'prom-client';
import { AdminServer } from '../admin/index.ts';
import type { RelaydConfig } from '../config/domain.ts';
import { assertConfig, changedKeys, configRows } from '../config/index.ts';
import type { EffectiveConfig, LoadResult } from '../config/index.ts';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { ClusterView, Dialler, NodeState, NodeView, Upgrade } from '../lib/contracts.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { Lifecycle } from '../lib/lifecycle.ts';
import { createLogger } from '../lib/logger.ts';
import type { Logger } from '../lib/logger.ts';
import { supervisorSettings } from '../client/index.ts';
import { addressLists } from '../discovery/index.ts';
import { buildRooms, configuredAddrs } from './build.ts';
import type { Rooms } from './build.ts';
import { claimDataDir } from './data-dir.ts';
import type { DirLock } from '../lib/dir-lock.ts';
import { NodeEmitter } from './events.ts';
import { ensureIdentity } from './identity.ts';
import type { Identity } from './identity.ts';
import { addMemoryLimits } from './memory-metrics.ts';
import { Outside } from './outside.ts';
import { ping } from './ping.ts';
import { processRegistry } from './process-metrics.ts';
import { ReadinessWatch } from './readiness-watch.ts';
import { readinessProblems } from './readiness.ts';
import { sampleOf } from './sample.ts';
import { addStateMetrics } from './state-metrics.ts';
import { peerRows, statusOf } from './status.ts';

export interface RelayNodeOptions {
  log?: Logger;
  clock?: Clock;
  /** Where each value of the config comes from, to show it; without it nothing is shown. */
  layers?: EffectiveConfig;
  /** Reads the configuration again, for {@link RelayNode.reload}; without it there is nothing to reload. */
  reloadConfig?: () => LoadResult | Promise<LoadResult>;
}

interface Running {
  readonly lock: DirLock;
  readonly identity: Identity;
  readonly rooms: Rooms;
  readonly admin: AdminServer;
  readonly lifecycle: Lifecycle;
  readonly readiness: ReadinessWatch;
  readonly outside: Outside;
  /** Of what is measured: by this run of the node, and by the process. */
  readonly registries: readonly Registry[];
  readonly startedAt: number;
}

/**
 * A whole node: relay, client, tunnels and admin server as its configuration says. Everything is made in `start()`, in order,
 * and what a failed start began is stopped again; `stop()` goes backwards. Both may be called again after the other.
 */
export class RelayNode extends NodeEmitter {
  #config: RelaydConfig;
  /** Those that the node was made with, of which restart keys hold; and those of the last reload that applied, of which live keys do. */
  readonly #layers: { started: EffectiveConfig; read: EffectiveConfig } | undefined;
  readonly #o: RelayNodeOptions;
  readonly #log: Logger;
  #running: Running | undefined;
  #state: NodeState = 'starting';
  #draining: Promise<void> | undefined;
  #drainEndsAt: number | undefined;
  #busy: Promise<void> = Promise.resolve();

  constructor(config: RelaydConfig, options: RelayNodeOptions = {}) {
    super();
    this.#config = config;
    this.#o = options;
    this.#layers = options.layers === undefined ? undefined : { started: options.layers, read: options.layers };
    this.#log = options.log ?? createLogger(config.log);
  }

  get config(): RelaydConfig {
    return this.#config;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** @throws RelaydError CLOSED before the first start: the identity is read then */
  get peerId(): string {
    return this.#now().identity.peerId.toString();
  }

  /** The full addresses under which others reach this node now, circuits included. */
  get addrs(): string[] {
    return this.#running === undefined ? [] : this.#running.rooms.host.libp2p.getMultiaddrs().map((addr) => addr.toString());
  }

  get adminUrl(): string {
    return this.#running?.admin.url ?? '';
  }

  get dialler(): Dialler {
    return this.#now().rooms.dialler;
  }

  /** The real port of each `tunnels.forward` entry, in the order of the configuration. */
  get forwardPorts(): number[] {
    return this.#running?.rooms.tunnels?.forwardPorts() ?? [];
  }

  /**
   * @throws RelaydError DATA_DIR_UNWRITABLE, DATA_DIR_IN_USE, IDENTITY_INVALID, FILE_UNREADABLE, ADDRESS_IN_USE, ADDRESS_UNAVAILABLE and others
   * of the parts; nothing is left running then
   */
  start(): Promise<void> {
    return this.#oneAtATime(async () => {
      if (this.#running === undefined) await this.#start();
    });
  }

  /** Stops everything, whatever circuits are open; {@link drain} first lets them finish. */
  stop(): Promise<void> {
    return this.#oneAtATime(() => this.#stop());
  }

  /**
   * Admits nothing new, tells clients to move, and resolves when every circuit has ended, every client that was told has moved, and every tunnel has
   * ended or stands still, or when `drain.timeout` has passed. Does not stop the node.
   */
  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  /**
   * Reads the configuration again and takes into force what can change while running. A config with another profile or role is another
   * set of presets, half of which could not change: nothing of it applies before a restart.
   *
   * @throws RelaydError CONFIG_INVALID when it is not valid; everything stays as it was then
   */
  async reload(): Promise<{ changed: string[]; restartNeeded: string[] }> {
    if (this.#o.reloadConfig === undefined) {
      throw new RelaydError('BAD_REQUEST', 'this node was made from a config object: there is nothing to read again');
    }
    const loaded = await this.#o.reloadConfig();
    const next = assertConfig(loaded);
    const { live, restart } = changedKeys(this.#config, next);
    if (restart.includes('profile') || restart.includes('role')) {
      return { changed: [], restartNeeded: [...restart, ...live] };
    }
    await this.#apply(next);
    if (this.#layers !== undefined && loaded.ok) this.#layers.read = loaded.layers;
    return { changed: live, restartNeeded: restart };
  }

  /** What the admin server and the commands show. */
  readonly view: NodeView = {
    peerId: () => this.#now().identity.peerId,
    state: () => this.#state,
    status: () => this.#status(),
    reservations: () => this.#running?.rooms.relay?.reservations() ?? [],
    circuits: () => this.#running?.rooms.relay?.circuits() ?? [],
    peers: () => this.#peers(),
    relays: () => this.#running?.rooms.client?.candidates() ?? [],
    tunnels: () => this.#running?.rooms.tunnels?.tunnels() ?? [],
    sample: () => this.#sample(),
    cluster: () => this.#cluster(),
    config: () => (this.#layers === undefined ? [] : configRows(this.#layers.started, this.#layers.read)),
    metrics: () => this.#metrics(),
    readinessWarnings: () => this.#readinessWarnings(),
    readinessProblems: (signal) => this.#now().readiness.problems(signal),
    ping: (target, options) => ping(this.dialler, target, { ...options, upgradeOf: this.#upgradeOf }),
    drain: () => void this.drain(),
    reload: () => this.reload(),
    checkReachability: (ask, signal) => this.#now().outside.ask(ask, signal),
    rehearseFailover: (signal) => this.#rehearseFailover(signal),
  };

  async #start(): Promise<void> {
    this.#state = 'starting';
    this.#draining = undefined;
    this.#drainEndsAt = undefined;
    const lock = await claimDataDir(this.#config.dataDir, this.#log);
    try {
      await this.#startIn(lock);
    } catch (error) {
      this.#running = undefined;
      await lock.release();
      throw error;
    }
    this.#state = 'ready';
    this.#running?.rooms.coordination?.changed();
    this.emit('ready', { peerId: this.peerId, addrs: this.addrs, admin: this.adminUrl });
  }

  async #startIn(lock: DirLock): Promise<void> {
    const identity = await ensureIdentity(this.#config.identity.keyFile);
    const rooms = await buildRooms({ config: this.#config, identity, clock: this.#o.clock ?? systemClock, log: this.#log, emitter: this, condition: () => this.#condition() });
    const admin = new AdminServer({ config: this.#config.admin, dataDir: this.#config.dataDir, log: this.#log, view: this.view });
    const lifecycle = new Lifecycle(this.#log);
    const readiness = new ReadinessWatch((signal) => this.#readinessProblems(signal), this.#o.clock ?? systemClock);
    this.#addMetrics(rooms.registry, readiness);
    const outside = new Outside(rooms, this.#config);
    this.#running = { lock, identity, rooms, admin, lifecycle, readiness, outside, registries: [rooms.registry, processRegistry()], startedAt: Date.now() };
    await lifecycle.start([...rooms.parts, readiness, admin]);
  }

  #addMetrics(registry: Registry, readiness: ReadinessWatch): void {
    addMemoryLimits(registry);
    addStateMetrics(registry, {
      config: this.#config,
      state: () => this.#state,
      problems: () => (this.#state === 'ready' ? readiness.lastProblems() : [this.#state]),
      drainEndsAt: () => this.#drainEndsAt,
    });
  }

  async #stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) {
      return;
    }
    this.#state = 'draining';
    running.rooms.relay?.endCircuits();
    await running.lifecycle.stop();
    await running.lock.release().catch((error: unknown) => this.#log.warn({ error: errorMessage(error) }, 'the lock of the data directory stays; the next start sees that it is stale'));
    this.#running = undefined;
    this.#state = 'starting';
    this.emit('stopped');
  }

  async #drain(): Promise<void> {
    this.#state = 'draining';
    this.emit('draining');
    const { timeoutMs } = this.#config.drain;
    this.#drainEndsAt = (this.#o.clock ?? systemClock).wall() + timeoutMs;
    const deadline = AbortSignal.timeout(timeoutMs);
    const rooms = this.#running?.rooms;
    rooms?.coordination?.changed();
    void rooms?.discovery.withdraw();
    await Promise.all([rooms?.relay?.drain(deadline, timeoutMs), rooms?.tunnels?.drain(deadline)]);
    this.emit('drained');
  }

  async #apply(next: RelaydConfig): Promise<void> {
    const { connections, drain, doctor } = next;
    const { name, revocationFile } = this.#config.realm;
    const realm = { ...next.realm, name, revocationFile };
    const relay = { ...next.relay, asnFile: this.#config.relay.asnFile };
    const client = next.client;
    const { limits, memberLimits } = next.coordination;
    const coordination = { ...this.#config.coordination, limits, memberLimits };
    const discovery = { ...this.#config.discovery, bootstrap: next.discovery.bootstrap };
    this.#config = { ...this.#config, connections, realm, drain, doctor, relay, client, discovery, coordination };
    this.#log.level = next.log.level;
    const rooms = this.#running?.rooms;
    rooms?.keeper.update(next.connections, next.relay.prefixes);
    rooms?.relay?.update(this.#config.relay, this.#config.realm, this.#config.coordination);
    rooms?.coordination?.update(this.#config);
    rooms?.addresses.configure(configuredAddrs(this.#config));
    rooms?.discovery.update(addressLists(this.#config));
    rooms?.client?.update({ ...supervisorSettings(this.#config), ...rooms.discovery.lists });
    if (rooms !== undefined) await this.#applyRealm(rooms);
  }

  /** After the lists of relays: they say who may be shown a bearer's token. */
  async #applyRealm({ realm, token, sharing, client }: Rooms): Promise<void> {
    const before = token.shown;
    realm.update(this.#config.realm);
    token.update(this.#config);
    if (token.shown !== before) client?.tokenChanged();
    await sharing.update(this.#config.realm.authority);
    await realm.reload();
  }

  #status(): Record<string, unknown> {
    const { identity, rooms, startedAt } = this.#now();
    return statusOf({
      peerId: identity.peerId.toString(),
      config: this.#config,
      state: this.#state,
      startedAt,
      addrs: this.addrs,
      connections: rooms.keeper.open,
      relay: rooms.relay,
      client: rooms.client,
      reachability: rooms.reachability,
      tunnels: rooms.tunnels,
      realm: rooms.realm,
      cluster: rooms.coordination?.summary(),
      delay: rooms.eventLoop,
    });
  }

  #sample(): ReturnType<NodeView['sample']> {
    const { keeper, relay, client, tunnels, eventLoop, registry } = this.#now().rooms;
    return sampleOf({ registry, connections: keeper.open, relay, client, tunnels, delay: eventLoop });
  }

  async #metrics(): Promise<string> {
    return (await Promise.all(this.#now().registries.map((registry) => registry.metrics()))).join('\n');
  }

  #peers(): ReturnType<NodeView['peers']> {
    const { rooms } = this.#now();
    return peerRows(rooms.host.libp2p, { internal: rooms.selfCheck.peers, reserved: rooms.relay?.protectedPeers() ?? new Set(), upgradeOf: this.#upgradeOf });
  }

  async #rehearseFailover(signal: AbortSignal): ReturnType<NodeView['rehearseFailover']> {
    const { client } = this.#now().rooms;
    if (client === undefined) {
      throw new RelaydError('BAD_REQUEST', 'a relay holds no reservations: rehearse on a client');
    }
    this.#log.warn({ event: 'failover-rehearsal' }, 'the best relay is dropped: a rehearsal was asked for over the admin API');
    return await client.rehearseFailover(signal);
  }

  readonly #upgradeOf = (connection: Connection): Upgrade => this.#running?.rooms.punching?.upgradeOf(connection) ?? { state: 'none' };

  #cluster(): ClusterView {
    const { coordination } = this.#now().rooms;
    if (coordination === undefined) {
      throw new RelaydError('NO_CLUSTER', 'this node is in no cluster: coordination.backend is none');
    }
    return coordination.view();
  }

  /** What the other relays of a cluster are told; of readiness, what the last check found. */
  #condition(): 'ready' | 'unready' | 'draining' {
    if (this.#state !== 'ready') return this.#state === 'draining' ? 'draining' : 'unready';
    const problems = this.#running?.readiness.lastProblems() ?? [];
    return problems.length === 0 ? 'ready' : 'unready';
  }

  #readinessWarnings(): string[] {
    const warning = this.#running?.rooms.coordination?.warning();
    return warning === undefined ? [] : [warning];
  }

  #readinessProblems(signal: AbortSignal): Promise<string[]> {
    const { rooms, identity } = this.#now();
    const relay = rooms.relay === undefined ? undefined : { check: rooms.selfCheck, addrs: rooms.host.listenAddrs(), peerId: identity.peerId.toString() };
    return readinessProblems({ state: this.#state, delay: rooms.eventLoop, relay, client: rooms.client, cluster: rooms.coordination?.failure() }, signal);
  }

  #now(): Running {
    if (this.#running === undefined) {
      throw new RelaydError('CLOSED', 'the node is not running');
    }
    return this.#running;
  }

  /** Starts and stops that overlap wait for each other. */
  #oneAtATime(work: () => Promise<void>): Promise<void> {
    const next = this.#busy.then(work, work);
    this.#busy = next.catch(() => {});
    return next;
  }
}
