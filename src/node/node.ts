import type { Registry } from 'prom-client';
import { AdminServer } from '../admin/index.ts';
import type { RelaydConfig } from '../config/domain.ts';
import { assertConfig, changedKeys, withLive } from '../config/index.ts';
import type { EffectiveConfig, LoadResult } from '../config/index.ts';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { Dialler, NodeState, NodeView } from '../lib/contracts.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { Lifecycle } from '../lib/lifecycle.ts';
import { createLogger } from '../lib/logger.ts';
import type { Logger } from '../lib/logger.ts';
import { applyConfig } from './apply-config.ts';
import { buildRooms } from './build.ts';
import { claimDataDir } from './data-dir.ts';
import type { DirLock } from '../lib/dir-lock.ts';
import { NodeEmitter } from './events.ts';
import { ensureIdentity } from './identity.ts';
import { addMemoryLimits } from './memory-metrics.ts';
import { Outside } from './outside.ts';
import { processRegistry } from './process-metrics.ts';
import { ReadinessWatch } from './readiness-watch.ts';
import { readinessProblems } from './readiness.ts';
import { asRunning } from './running.ts';
import type { Running } from './running.ts';
import { addStateMetrics } from './state-metrics.ts';
import { viewOf } from './view.ts';

export interface RelayNodeOptions {
  log?: Logger;
  clock?: Clock;
  /** Where each value of the config comes from, to show it; without it nothing is shown. */
  layers?: EffectiveConfig;
  /** Reads the configuration again, for {@link RelayNode.reload}; without it there is nothing to reload. */
  reloadConfig?: () => LoadResult | Promise<LoadResult>;
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
  /** What the admin server and the commands show. */
  readonly view: NodeView;
  #running: Running | undefined;
  #state: NodeState = 'starting';
  #draining: Promise<void> | undefined;
  #drainEndsAt: number | undefined;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(config: RelaydConfig, options: RelayNodeOptions = {}) {
    super();
    this.#config = config;
    this.#o = options;
    this.#layers = options.layers === undefined ? undefined : { started: options.layers, read: options.layers };
    this.#log = options.log ?? createLogger(config.log);
    this.view = viewOf({
      running: () => this.#running,
      state: () => this.#state,
      config: () => this.#config,
      layers: this.#layers,
      addrs: () => this.addrs,
      drain: () => void this.drain(),
      reload: () => this.reload(),
      log: this.#log,
    });
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
   * One after the other, and none during a start or a stop, so that what was read last is what is in force.
   *
   * @throws RelaydError CONFIG_INVALID when it is not valid; everything stays as it was then
   */
  reload(): Promise<{ changed: string[]; restartNeeded: string[] }> {
    return this.#oneAtATime(() => this.#reload());
  }

  async #reload(): Promise<{ changed: string[]; restartNeeded: string[] }> {
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
    const hasOtherSecret = (await this.#running?.rooms.coordination?.reloadSecret()) === true;
    if (this.#layers !== undefined && loaded.ok) this.#layers.read = loaded.layers;
    return { changed: [...new Set([...live, ...(hasOtherSecret ? ['coordination.secretFile'] : [])])], restartNeeded: restart };
  }

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
    this.#config = withLive(this.#config, next);
    this.#log.level = next.log.level;
    if (this.#running !== undefined) await applyConfig(this.#running.rooms, this.#config);
  }

  /** What the other relays of a cluster are told; of readiness, what the last check found. */
  #condition(): 'ready' | 'unready' | 'draining' {
    if (this.#state !== 'ready') return this.#state === 'draining' ? 'draining' : 'unready';
    const problems = this.#running?.readiness.lastProblems() ?? [];
    return problems.length === 0 ? 'ready' : 'unready';
  }

  #readinessProblems(signal: AbortSignal): Promise<string[]> {
    const { rooms, identity } = this.#now();
    const relay = rooms.relay === undefined ? undefined : { check: rooms.selfCheck, addrs: rooms.host.listenAddrs(), peerId: identity.peerId.toString() };
    return readinessProblems({ state: this.#state, delay: rooms.eventLoop, relay, client: rooms.client, cluster: rooms.coordination?.failure() }, signal);
  }

  #now(): Running {
    return asRunning(this.#running);
  }

  /** Starts and stops that overlap wait for each other. */
  #oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#busy.then(work, work);
    this.#busy = next;
    return next;
  }
}
