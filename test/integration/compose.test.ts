import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { assertConfig, loadConfig } from '../../src/config/index.ts';
import { writeNamedFiles } from '../support/config-files.ts';
import { PEERS } from '../unit/config/helpers.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What these files use of the compose specification: a key that is not here is a typing error, or a test to write. */
interface Service {
  build?: string;
  image: string;
  environment?: Record<string, string>;
  entrypoint?: string[];
  user?: string;
  ports?: string[];
  volumes: string[];
  cap_add?: string[];
  network_mode?: string;
  networks?: string[];
  depends_on?: string[] | Record<string, { condition: string; restart?: boolean }>;
  command?: string[];
  restart: string;
  stop_grace_period?: string;
  ulimits?: object;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
}

interface Compose {
  name: string;
  services: Record<string, Service>;
  volumes: Record<string, null>;
  networks?: Record<string, null>;
}

const SERVICE_KEYS = ['build', 'image', 'environment', 'entrypoint', 'user', 'cap_add', 'ports', 'volumes', 'network_mode', 'networks', 'depends_on', 'command', 'restart', 'stop_grace_period', 'ulimits', 'read_only', 'cap_drop', 'security_opt'];

/** Where the container has the secrets of the cluster. */
const SECRETS = '/run/relayd-cluster/';

function secretsOf({ environment = {} }: Service): string[] {
  return Object.values(environment).filter((value) => value.startsWith(SECRETS));
}

/** Of the container, with the files that it finds there in a folder of this machine, and what a person puts into `.env`. */
function environmentHere({ environment = {} }: Service, t: TestContext): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'relayd-compose-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeNamedFiles(folder);
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, value.replace(SECRETS, `${folder}/`).replace('${RELAY_A}', PEERS[0])]));
}

/** Does what the container does, twice; gives the names of the files that are there then. Their owner is the container's matter. */
function runSecrets(service: Service | undefined, t: TestContext): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'relayd-compose-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = service?.command?.[0]?.replaceAll('$$', '$').replaceAll(SECRETS.slice(0, -1), folder).replace('chown 4001', ': chown') ?? 'exit 1';
  const run = (): Record<string, string> => {
    const { status, stderr } = spawnSync('sh', ['-ec', script], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
  };
  const first = run();
  assert.deepEqual(run(), first, 'a second start makes no new ones');
  assert.match(first['cluster.secret'] ?? '', /^[0-9a-f]{64}$/);
  assert.equal(statSync(join(folder, 'cluster.secret')).mode & 0o777, 0o600);
  return Object.keys(first);
}

for (const file of globSync('configs/compose/*.yaml', { cwd: ROOT })) {
  describe(file, async () => {
    const folder = resolve(ROOT, dirname(file));
    const compose = parse(await readFile(join(ROOT, file), 'utf8'), { merge: true }) as Compose;
    const services = Object.entries(compose.services);
    const relays = services.filter(([name]) => name.startsWith('relay'));
    const cluster = services.find(([name]) => name === 'cluster-prometheus')?.[1];
    const watchers = services.filter(([name]) => name.startsWith('prometheus'));

    test('has only keys that are known, and names only what is there', () => {
      for (const [name, service] of services) {
        assert.deepEqual(Object.keys(service).filter((key) => !SERVICE_KEYS.includes(key)), [], name);
        const needed = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on ?? {});
        const host = service.network_mode === 'none' ? undefined : service.network_mode?.replace('service:', '');
        for (const other of [...needed, ...(host === undefined ? [] : [host])]) {
          assert.ok(compose.services[other] !== undefined, `${name}: there is no service ${other}`);
        }
        assert.deepEqual((service.networks ?? []).filter((network) => compose.networks?.[network] === undefined), []);
      }
    });

    test('mounts files that are there, and volumes that it declares', () => {
      const used = services.flatMap(([, { volumes }]) => volumes.map((volume) => volume.split(':')[0] ?? ''));
      for (const source of used) {
        assert.ok(source.startsWith('.') ? existsSync(resolve(folder, source)) : Object.hasOwn(compose.volumes, source), source);
      }
      assert.deepEqual(Object.keys(compose.volumes).filter((volume) => !used.includes(volume)), []);
      assert.ok(relays.every(([, { build }]) => statSync(resolve(folder, build ?? '', 'Dockerfile')).isFile()));
    });

    test('publishes each port once, and only the relays to everybody', () => {
      const ports = services.flatMap(([, service]) => service.ports ?? []);
      assert.equal(new Set(ports).size, ports.length);
      for (const [name, service] of services) {
        const open = (service.ports ?? []).filter((port) => !port.startsWith('127.0.0.1:'));
        assert.deepEqual(open.filter((port) => !port.endsWith(':4001')), [], name);
      }
    });

    test('gives each relay a valid config, a volume for its identity, time to drain, and no rights', (t) => {
      assert.notEqual(relays.length, 0);
      for (const [, service] of relays) {
        const [configMount = '', state = ''] = service.volumes;
        const config = assertConfig(loadConfig({ file: resolve(folder, configMount.split(':')[0] ?? ''), env: { ...environmentHere(service, t), STATE_DIRECTORY: '/var/lib/relayd' } }));
        assert.equal(service.environment?.['RELAYD_CONFIG'], configMount.split(':')[1]);
        assert.ok(Object.keys(compose.volumes).some((volume) => state === `${volume}:${config.dataDir}`), `${state} is not a volume at ${config.dataDir}`);
        assert.ok(Number(service.stop_grace_period?.replace(/s$/, '')) * 1000 > config.drain.timeoutMs);
        assert.deepEqual([service.read_only, service.cap_drop, service.security_opt], [true, ['ALL'], ['no-new-privileges:true']]);
      }
    });

    test('has a Prometheus in the network of each relay, which asks where the admin server listens', async () => {
      assert.deepEqual(watchers.map(([, service]) => service.network_mode ?? 'none').toSorted(), relays.map(([name]) => `service:${name}`).toSorted());
      for (const [, service] of watchers) {
        const [source = '', target = ''] = service.volumes[0]?.split(':') ?? [];
        const configFile = service.command?.[0]?.replace(`--config.file=${target}`, resolve(folder, source)) ?? '';
        const { scrape_configs: scrapes, rule_files: rules } = parse(await readFile(configFile, 'utf8')) as { scrape_configs: { static_configs: { targets: string[] }[] }[]; rule_files: string[] };
        assert.deepEqual(scrapes.flatMap((scrape) => scrape.static_configs.flatMap(({ targets }) => targets)), ['127.0.0.1:9641']);
        assert.ok(rules.every((rule) => existsSync(resolve(dirname(configFile), rule))));
      }
    });

    if (cluster !== undefined) test('has a Prometheus that asks those of all relays', async () => {
      const configFile = resolve(folder, '../prometheus', cluster.command?.[0]?.split('/').at(-1) ?? '');
      const { scrape_configs: scrapes } = parse(await readFile(configFile, 'utf8')) as { scrape_configs: { metrics_path: string; static_configs: { targets: string[] }[] }[] };
      assert.deepEqual(scrapes.map(({ metrics_path }) => metrics_path), ['/federate']);
      assert.deepEqual(scrapes.flatMap((scrape) => scrape.static_configs.flatMap(({ targets }) => targets)), relays.map(([name]) => `${name}:9090`));
    });

    if (cluster !== undefined) test('makes the secrets that its relays read', (t) => {
      const made = runSecrets(compose.services['secrets'], t);
      for (const [, service] of relays) {
        for (const secret of secretsOf(service)) assert.ok(made.includes(basename(secret)), secret);
        assert.equal((service.depends_on as Record<string, { condition: string }>)['secrets']?.condition, 'service_completed_successfully');
      }
    });

    test('has a Grafana that finds each Prometheus, and the dashboards', async () => {
      const { volumes } = compose.services['grafana'] ?? { volumes: [] };
      const sourceOf = (target: string): string => resolve(folder, volumes.find((volume) => volume.split(':')[1] === target)?.split(':')[0] ?? 'none');
      const { datasources } = parse(await readFile(sourceOf('/etc/grafana/provisioning/datasources/relayd.yaml'), 'utf8')) as { datasources: { url: string; isDefault?: boolean }[] };
      const asked = cluster === undefined ? relays.map(([name]) => name) : ['cluster-prometheus'];
      assert.deepEqual(datasources.map(({ url }) => url), asked.map((name) => `http://${name}:9090`));
      assert.equal(datasources.filter(({ isDefault }) => isDefault === true).length, 1);
      const { providers } = parse(await readFile(sourceOf('/etc/grafana/provisioning/dashboards/relayd.yaml'), 'utf8')) as { providers: { options: { path: string } }[] };
      const dashboards = globSync('*.json', { cwd: sourceOf(providers[0]?.options.path ?? '') });
      assert.ok(dashboards.includes('relay.json'), dashboards.join(' '));
    });
  });
}
