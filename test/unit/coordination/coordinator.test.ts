import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Registry as MetricsRegistry } from 'prom-client';
import type { BackendListener, Counters, Registry } from '../../../src/coordination/backend.ts';
import { Coordinator } from '../../../src/coordination/coordinator.ts';
import type { CoordinatorOptions } from '../../../src/coordination/coordinator.ts';
import type { Links } from '../../../src/coordination/links.ts';
import { KNOWN_FOR_MS } from '../../../src/coordination/relay-memory.ts';
import { openRecord } from '../../../src/coordination/record.ts';
import type { RelayFacts, RelayRecord } from '../../../src/coordination/record.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import type { ClusterClaims, ClusterVerdict } from '../../../src/lib/cluster/relay-cluster.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { settled } from '../../support/waiting.ts';
import { SECRET, aRelay } from './a-relay.ts';
import type { ARelay } from './a-relay.ts';

const CLAIMS: ClusterClaims = { holds: [{ limit: 'reservations.max', key: 'public/reservations.max/*', maximum: 9 }], rates: [], quotas: [] };
const HOUR_MS = 3_600_000;

/** A store that writes down what it is asked, and fails when it is told to. */
class Store {
  readonly done: string[] = [];
  readonly records: Uint8Array[] = [];
  fails: RelaydError | undefined;
  failsToStart = false;
  problem: string | undefined;
  listener: BackendListener | undefined;

  readonly registry: Registry;
  readonly counters: Counters;

  constructor() {
    const told = async (what: string): Promise<void> => {
      if (this.fails !== undefined) throw this.fails;
      this.done.push(what);
    };
    const problem = (): string | undefined => this.problem;
    this.registry = {
      name: 'registry',
      get problem() {
        return problem();
      },
      start: () => void this.done.push('start'),
      stop: () => void this.done.push('stop'),
      beat: async (record) => {
        await told('beat');
        this.records.push(record);
      },
      leave: () => told('leave'),
      publish: (changes) => told(`publish ${changes.length}`),
      publishAll: (held) => told(`all ${held.length}`),
      holders: async () => [],
      report: async (usage) => usage.map(({ bytes }) => bytes),
      tellRevocations: () => told('revocations'),
    };
    this.counters = {
      name: 'counters',
      start: () => {
        if (this.failsToStart) throw new RelaydError('START_FAILED', 'no');
      },
      stop: () => {},
      take: async () => {
        await told('take');
        return { ok: true };
      },
      give: () => {},
      add: () => {},
      restate: (held) => told(`restate ${held.size}`),
    };
  }
}

const LINKS: Links = {
  name: 'links',
  start: () => {},
  stop: () => {},
  members: () => [],
  isMember: () => false,
  onChange: () => () => {},
  onLink: () => () => {},
  want: () => {},
  configured: () => [],
  ask: () => Promise.reject(new RelaydError('CLOSED', 'no link')),
  answer: () => () => {},
  openStream: () => Promise.reject(new RelaydError('CLOSED', 'no link')),
  rttMs: () => undefined,
  skew: () => undefined,
};

describe('the coordinator', () => {
  let dir: string;
  let relay: ARelay;
  let clock: ManualClock;
  let store: Store;
  let facts: RelayFacts;
  let fencedTimes: number;
  let coordinator: Coordinator;
  let metrics: MetricsRegistry;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-coordinator-'));
    relay = await aRelay();
    clock = new ManualClock();
    store = new Store();
    facts = relay.facts();
    fencedTimes = 0;
    coordinator = make();
  });

  afterEach(async () => {
    await coordinator.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const make = (set: Partial<CoordinatorOptions> = {}): Coordinator => {
    metrics = new MetricsRegistry();
    return new Coordinator({
      self: relay.name,
      key: relay.key,
      epoch: 7,
      cluster: 'test',
      dataDir: dir,
      configured: [],
      backend: 'redis',
      secret: SECRET,
      links: LINKS,
      makeBackend: (listener) => {
        store.listener = listener;
        return store;
      },
      facts: () => facts,
      forwarded: () => ({ out: 1, in: 2 }),
      realm: { authority: () => undefined, current: () => undefined, offer: () => 'refused', signedSequence: () => undefined, onChange: () => () => {} },
      onFenced: () => fencedTimes++,
      clock,
      log: silentLogger,
      metrics,
      ...set,
    });
  };

  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 100) {
      clock.advance(Math.min(100, left));
      await settled(1);
    }
  };

  const admit = (): Promise<ClusterVerdict> => coordinator.admit(CLAIMS, new AbortController().signal);
  const newest = async (): Promise<RelayRecord> => openRecord(store.records.at(-1) ?? new Uint8Array(), relay.id, SECRET);
  const metric = async (name: string): Promise<number> => (await metrics.getSingleMetric(name)?.get())?.values[0]?.value ?? NaN;
  const since = async (work: () => Promise<unknown>): Promise<string[]> => {
    store.done.length = 0;
    await work();
    return store.done;
  };

  it('is known when it has started, has told what it holds, and goes on saying that it is alive', async () => {
    const done = await since(() => coordinator.start());
    assert.deepEqual(done, ['start', 'beat', 'restate 0', 'all 0']);
    assert.deepEqual([coordinator.problem, await metric('relayd_cluster_up')], [undefined, 1]);
    const { epoch, sequence, state } = await newest();
    assert.deepEqual({ epoch, sequence, state }, { epoch: 7, sequence: 1, state: 'ready' });
    assert.deepEqual(await since(() => pass(3_000)), ['beat', 'beat', 'beat']);
  });

  it('starts though the store is away, decides by itself, and tells everything once it is there', async () => {
    store.fails = new RelaydError('STORE_UNAVAILABLE', 'refused');
    await coordinator.start();
    assert.equal(coordinator.problem, 'refused');
    assert.equal(coordinator.failure, undefined, 'the relay serves all the same');
    assert.ok((await admit()).ok);
    coordinator.holds(relay.id, HOUR_MS);
    store.fails = undefined;
    assert.deepEqual(await since(() => pass(1_000)), ['beat', 'restate 1', 'all 1']);
    assert.deepEqual(await since(admit), ['take']);
  });

  it('does not let a silent store hold up a start', async () => {
    store.registry.beat = () => new Promise(() => {});
    const started = coordinator.start();
    await settled();
    clock.advance(1_000);
    await started;
    assert.match(coordinator.problem ?? '', /not been told/);
  });

  it('decides by itself as soon as the store is said to be away, and asks it again after a beat has got through', async () => {
    await coordinator.start();
    store.problem = 'reset';
    store.fails = new RelaydError('STORE_UNAVAILABLE', 'reset');
    store.listener?.health('reset');
    assert.deepEqual(await since(admit), []);
    assert.deepEqual([coordinator.problem, await metric('relayd_cluster_store_problems_total')], ['reset', 1]);
    await pass(2_000);
    store.problem = store.fails = undefined;
    store.listener?.health(undefined);
    assert.deepEqual(await since(() => pass(100)), ['beat', 'restate 1', 'all 0'], 'at once');
    assert.equal(await metric('relayd_cluster_store_problems_total'), 1);
  });

  it('warns once that the store is away, whatever it is called meanwhile', async () => {
    const warned: unknown[] = [];
    coordinator = make({ log: { ...silentLogger, warn: (about: unknown) => void warned.push(about) } });
    await coordinator.start();
    ['reset', 'refused', undefined, 'reset'].forEach((problem) => store.listener?.health(problem));
    assert.deepEqual(warned, [{ backend: 'redis', problem: 'reset' }, { backend: 'redis', problem: 'reset' }]);
  });

  it('goes on counting by shares while a store that counts nothing is away', async () => {
    await coordinator.stop();
    coordinator = make({ backend: 'etcd' });
    await coordinator.start();
    store.listener?.health('no quorum');
    assert.deepEqual(await since(admit), ['take']);
    store.fails = new RelaydError('STORE_UNAVAILABLE', 'the relay that owns it is gone');
    assert.ok((await admit()).ok);
    store.fails = undefined;
    store.registry.beat = () => Promise.reject(new RelaydError('STORE_UNAVAILABLE', 'no quorum'));
    assert.deepEqual(await since(() => pass(1_000)), ['restate 1'], 'the relays are there, though the store is not');
    assert.deepEqual(await since(admit), ['take']);
  });

  it('tells everything again when the store may have lost it', async () => {
    await coordinator.start();
    await admit();
    coordinator.holds(relay.id, HOUR_MS);
    await pass(100);
    const done = await since(async () => {
      store.listener?.stale();
      await settled(2);
    });
    assert.deepEqual(done.sort(), ['all 1', 'restate 1']);
  });

  it('tells everything again from time to time, in case the store lost it unnoticed', async () => {
    await coordinator.start();
    await admit();
    const done = await since(() => pass(31_000));
    assert.deepEqual(done.filter((what) => what !== 'beat'), ['restate 1', 'all 0']);
  });

  it('tells all again after what it told one by one was not taken', async () => {
    await coordinator.start();
    store.fails = new RelaydError('STORE_UNAVAILABLE', 'reset');
    coordinator.holds(relay.id, HOUR_MS);
    await pass(100);
    store.fails = undefined;
    assert.deepEqual((await since(() => pass(1_000))).sort(), ['all 1', 'beat', 'restate 0']);
  });

  it('says at once that it drains', async () => {
    await coordinator.start();
    facts = relay.facts({ state: 'draining' });
    coordinator.changed();
    await pass(100);
    assert.deepEqual([(await newest()).state, (await newest()).sequence], ['draining', 2]);
  });

  it('lets go of everything when another process has its identity, and says why', async () => {
    await coordinator.start();
    store.fails = new RelaydError('FENCED', 'a newer epoch');
    await pass(1_000);
    assert.equal(fencedTimes, 1);
    assert.match(coordinator.failure ?? '', /another process runs with this relay's identity/);
    await assert.rejects(admit(), (error) => error instanceof RelaydError && error.code === 'FENCED');
    store.fails = undefined;
    store.listener?.fenced();
    assert.deepEqual([await since(() => pass(3_000)), fencedTimes], [[], 1]);
    assert.deepEqual(await since(() => coordinator.stop()), ['stop'], 'it does not leave in the name of the other');
  });

  it('starts at once where the store is found to be away, however long a beat would take', async () => {
    store.problem = 'away';
    store.registry.beat = () => new Promise(() => {});
    await coordinator.start();
    assert.equal(coordinator.problem, 'away');
    // A beat that is lost does not hold up the stop either.
    store.problem = undefined;
  });

  it('leaves when it stops, and can be started again', async () => {
    await coordinator.start();
    assert.deepEqual(await since(() => coordinator.stop()), ['leave', 'stop']);
    assert.deepEqual(await since(() => pass(3_000)), []);
    assert.equal(clock.pending, 0);
    await coordinator.start();
    assert.equal(coordinator.problem, undefined);
  });

  it('leaves nothing running when a part of it does not start', async () => {
    store.failsToStart = true;
    const done = await since(() => assert.rejects(coordinator.start()));
    assert.deepEqual(done, ['start', 'stop']);
    assert.equal(clock.pending, 0);
  });

  it('remembers the relays of its last run, and leaves their part of a limit to them', async () => {
    const [one, two] = await Promise.all([aRelay(), aRelay()]);
    await coordinator.start();
    for (const other of [one, two]) store.listener?.relay(other.name, await other.seal());
    await settled();
    await coordinator.stop();
    coordinator = make();
    store.fails = new RelaydError('STORE_UNAVAILABLE', 'away');
    await coordinator.start();
    for (let i = 0; i < 3; i++) assert.ok((await admit()).ok);
    assert.deepEqual(await admit(), { ok: false, limit: 'reservations.max', current: 3, maximum: 3 });
  });

  it('leaves the part of the relays that its configuration names to them, though it has never seen one', async () => {
    const named = await Promise.all([aRelay(), aRelay()]);
    await coordinator.stop();
    coordinator = make({ configured: [...named.map(({ name }) => name), relay.name] });
    store.fails = new RelaydError('STORE_UNAVAILABLE', 'away');
    await coordinator.start();
    for (let i = 0; i < 3; i++) assert.ok((await admit()).ok);
    assert.deepEqual(await admit(), { ok: false, limit: 'reservations.max', current: 3, maximum: 3 });
  });

  it('leaves their part to relays that it is linked to, however long the store is away, and for ten minutes after', async () => {
    const named = await Promise.all([aRelay(), aRelay()]);
    const linked = new Set(named.map(({ name }) => name));
    const listeners = new Set<Parameters<Links['onChange']>[0]>();
    await coordinator.stop();
    coordinator = make({ configured: [...linked], links: { ...LINKS, members: () => [...linked], onChange: (listener) => (listeners.add(listener), () => listeners.delete(listener)) } });
    store.fails = new RelaydError('STORE_UNAVAILABLE', 'away');
    await coordinator.start();
    clock.advance(5 * KNOWN_FOR_MS);
    for (let i = 0; i < 3; i++) assert.ok((await admit()).ok);
    assert.deepEqual(await admit(), { ok: false, limit: 'reservations.max', current: 3, maximum: 3 });
    linked.clear();
    for (const { name } of named) listeners.forEach((listener) => listener(name, false));
    assert.ok(!(await admit()).ok);
    clock.advance(KNOWN_FOR_MS + 1);
    assert.ok((await admit()).ok);
  });

  it('does not believe what a relay said before, after it has been started anew', async () => {
    const other = await aRelay();
    const old = await other.seal({ sequence: 3 });
    await coordinator.start();
    store.listener?.relay(other.name, await other.seal({ sequence: 4 }));
    await settled();
    await coordinator.stop();
    coordinator = make();
    await coordinator.start();
    store.listener?.relay(other.name, old);
    await settled();
    assert.deepEqual(coordinator.relays.live(), []);
  });

  it('shows the cluster: the relays, whether they agree, what all have together and the limits', async () => {
    const other = await aRelay();
    await coordinator.start();
    store.listener?.relay(other.name, await other.seal({ digest: 'fedcba9876543210', state: 'draining' }));
    await settled();
    await admit();
    clock.advance(40);
    const view = coordinator.view();
    assert.deepEqual(view.relays.map(({ peer, self, state, linked, heardMsAgo, agrees }) => [peer, self, state, linked, heardMsAgo, agrees]), [
      [relay.name, true, 'ready', null, 0, true],
      [other.name, false, 'draining', false, 40, false],
    ]);
    assert.deepEqual(view.totals, { relays: 2, reservations: { count: 6, max: 256 }, circuits: { count: 4, max: Infinity }, bytesRelayed: 2_000 });
    assert.deepEqual(view.limits, [{ limit: 'reservations.max', key: 'public/reservations.max/*', own: 1, total: null, maximum: 9, share: null }]);
    assert.deepEqual([view.cluster, view.backend, view.problem, view.forwarded], ['test', 'redis', null, { out: 1, in: 2 }]);
  });
});
