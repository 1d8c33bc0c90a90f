import assert from 'node:assert/strict';
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Again } from '../support/alerts/scene.ts';
import { Stage } from '../support/alerts/stage.ts';
import { call, tunnelPair } from '../support/alerts/scenes/tunnels.ts';
import { queriesOf, readDashboard } from '../support/dashboards.ts';
import type { Dashboard } from '../support/dashboards.ts';
import { Prometheus, prometheusMissing } from '../support/prometheus.ts';
import { until } from '../support/waiting.ts';

/** Every query of our dashboards, and of go-libp2p's for relays and their clients, has an answer from nodes that are at work. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const OURS = globSync(join(ROOT, 'configs/grafana/*.json')).toSorted();
const skip = prometheusMissing();

/** Panels that have nothing to show here, and why. */
const EMPTY: Readonly<Record<string, string>> = {
  'Certificate expires in': 'the relay has no secure WebSocket listener',
  Alerts: 'all is well',
};
/** A first query that finds nothing means little: rates want two scrapes, percentiles something that has ended. */
const DATA_MS = 60_000;
const CALL_EVERY_MS = 200;
/** Well within the ten seconds that a reservation lasts there, also where turns are slow. */
const RESERVE_EVERY_TURNS = 5;
const GRID_COLUMNS = 24;

describe('the dashboards of configs/grafana', () => {
  for (const file of OURS) {
    const dashboard = readDashboard(file);

    it(`${basename(file)} imports cleanly: one data source that the importer chooses, panels side by side, each described`, () => {
      assert.equal(dashboard.uid, `relayd-${basename(file, '.json')}`);
      assert.ok(dashboard.tags?.includes('relayd') && dashboard.schemaVersion >= 38 && !('id' in dashboard));
      assert.deepEqual(dashboard.templating.list.filter(({ type }) => type === 'datasource').map(({ name, query }) => [name, query]), [['datasource', 'prometheus']]);
      const { panels } = dashboard;
      assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
      for (const panel of panels.filter(({ type }) => type !== 'row')) {
        assert.ok((panel.description?.length ?? 0) > 5, panel.title);
        const sources = [panel, ...(panel.targets ?? [])].map(({ datasource }) => datasource?.uid);
        assert.deepEqual([...new Set(sources)], ['${datasource}'], panel.title);
      }
      assertApart(dashboard);
    });
  }

  it('have names of their own', () => {
    assert.equal(OURS.length, 3);
    assert.equal(new Set(OURS.map((file) => readDashboard(file).title)).size, OURS.length);
  });
});

function assertApart({ panels }: Dashboard): void {
  const taken = new Map<string, string>();
  for (const { title, gridPos } of panels) {
    assert.ok(gridPos.x + gridPos.w <= GRID_COLUMNS, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.equal(taken.get(`${x} ${y}`), undefined, `${title} lies over another panel`);
        taken.set(`${x} ${y}`, title);
      }
    }
  }
}

describe('the queries of dashboards, against nodes at work', { skip, timeout: 180_000 }, () => {
  let prometheus: Prometheus;
  let stage: Stage;

  before(async () => {
    prometheus = await Prometheus.start();
    stage = await Stage.open(prometheus);
    // Renewals and ends of circuits within seconds.
    const limits = { reservations: { ttl: '10s' }, rates: { reservePerPeer: 'unlimited' } };
    mkdirSync(stage.fleet.dataDir('files'), { recursive: true });
    const secretFile = stage.path('cluster.secret');
    writeFileSync(secretFile, 'ab'.repeat(32), { mode: 0o600 });
    const relay = await stage.node('relay', { role: 'relay', config: { relay: { limits }, coordination: { backend: 'gossip', secretFile, limits: { circuits: { perSource: 100 } } } } });
    const { forwardPort } = await tunnelPair(stage, relay);
    const calling = new Again(CALL_EVERY_MS, () => call(forwardPort));
    stage.defer(() => calling.stop());
    calling.start();
    // Circuits that end, and requests that are refused.
    const [target, source] = [await stage.peer(relay), await stage.peer(relay)];
    let turn = 0;
    const coming = new Again(CALL_EVERY_MS, async () => {
      if (turn++ % RESERVE_EVERY_TURNS === 0) await target.reserve();
      (await source.connectTo(target.peerId)).stream.abort(new Error('enough'));
      await source.connectTo(source.peerId);
    });
    stage.defer(() => coming.stop());
    coming.start();
  });

  after(async () => {
    await stage?.close();
    await prometheus?.stop();
  });

  for (const file of OURS) {
    it(`${basename(file)}: every panel has data`, () => assertAnswered(readDashboard(file), EMPTY));
  }

  for (const name of ['relaysvc', 'autorelay']) {
    const file = goDashboard(name);
    it(`go-libp2p's ${name} dashboard works unchanged`, { skip: file === undefined && "go-libp2p's sources are not in the Go module cache: build test/interop/go-peer first" }, () => assertAnswered(readDashboard(file ?? ''), {}));
  }

  async function assertAnswered(dashboard: Dashboard, empty: Readonly<Record<string, string>>): Promise<void> {
    const queries = queriesOf(dashboard);
    assert.ok(queries.length > 5);
    for (const { panel, expr } of queries) {
      if (Object.hasOwn(empty, panel)) await prometheus.query(expr);
      else await until(async () => (await prometheus.query(expr)).some(({ value }) => !Number.isNaN(value)), `an answer to ${panel}: ${expr}`, DATA_MS);
    }
  }
});

/** In the module cache, where building the Go peer has put it: the version that the peer is built with. */
function goDashboard(name: string): string | undefined {
  const version = /go-libp2p (v\S+)/.exec(readFileSync(join(ROOT, 'test/interop/go-peer/go.mod'), 'utf8'))?.[1];
  const caches = [process.env.GOMODCACHE, join(process.env.GOPATH ?? join(homedir(), 'go'), 'pkg/mod')].filter((folder) => folder !== undefined);
  return caches.map((cache) => join(cache, `github.com/libp2p/go-libp2p@${version}/dashboards/${name}/${name}.json`)).find((file) => existsSync(file));
}
