import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { Daemon } from '../../scripts/lib/daemon.ts';
import { runCommand } from '../../scripts/lib/processes.ts';
import { assertConfig, loadConfig } from '../../src/config/index.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** npm builds, packs, and installs a hundred packages, most of them from its cache. */
const NPM_TIMEOUT_MS = 240_000;
const COMMAND_TIMEOUT_MS = 30_000;

describe('the npm package', { timeout: 2 * NPM_TIMEOUT_MS + 120_000 }, () => {
  let dir: string;
  let files: string[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-package-'));
    const packed = (await succeed('npm', ['pack', '--silent', '--pack-destination', dir], { cwd: ROOT, timeoutMs: NPM_TIMEOUT_MS })).trim();
    // npm's own list of what it has packed is longer than what is kept of a command's output.
    const listed = await succeed('tar', ['-tzf', packed], { cwd: dir, timeoutMs: COMMAND_TIMEOUT_MS });
    files = listed.trim().split('\n').map((file) => file.replace(/^package\//, ''));
    await writeFile(join(dir, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }\n');
    await succeed('npm', ['install', join(dir, packed), '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: dir, timeoutMs: NPM_TIMEOUT_MS });
  });

  after(() => rm(dir, { recursive: true, force: true }));

  test('has the program, its types, the configs, the reference and the licences, and no tests or sources', () => {
    for (const wanted of ['dist/main.js', 'dist/index.js', 'dist/index.d.ts', 'configs/tier1-relay.yaml', 'configs/systemd/relayd.service', 'docs/reference/configuration.md', 'README.md', 'LICENSE', 'LICENSE-MIT', 'LICENSE-APACHE']) {
      assert.ok(files.includes(wanted), `${wanted} is missing`);
    }
    assert.deepEqual(files.filter((file) => !/^(dist|configs|docs\/reference)\/|^(package\.json|README\.md|CHANGELOG\.md|LICENSE[-A-Z]*)$/.test(file)), []);
    assert.deepEqual(files.filter((file) => file.startsWith('dist/') && !/\.(js|d\.ts)$/.test(file)), []);
  });

  test('gives the command relayd', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    assert.equal((await succeed('npx', ['--no-install', 'relayd', '--version'], { cwd: dir, timeoutMs: COMMAND_TIMEOUT_MS })).trim(), version);
  });

  test('runs a relay, which answers and ends with 0 on SIGTERM', async (t) => {
    const dataDir = join(dir, 'data');
    const configFile = join(dir, 'relay.yaml');
    await mkdir(dataDir, { mode: 0o700 });
    await writeFile(configFile, JSON.stringify({ ...LOOPBACK, dataDir }));
    const daemon = new Daemon({ name: 'relay', command: [join(dir, 'node_modules', '.bin', 'relayd')], configFile, dataDir });
    t.after(() => daemon.stop());
    const ready = await daemon.ready();
    assert.match(ready.addrs.join(' '), /^\/ip4\/127\.0\.0\.1\/tcp\/[1-9]\d*\/p2p\/12D3KooW\w+$/);
    const live = await fetch(new URL('/livez', ready.admin), { signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS) });
    assert.equal(live.status, 200);
    assert.equal(await daemon.stop(), 'exit code 0');
  });

  test('gives the library', async () => {
    await writeFile(join(dir, 'library.js'), LIBRARY_PROGRAM);
    const output = await succeed(process.execPath, ['library.js', JSON.stringify({ ...LOOPBACK, dataDir: join(dir, 'library-data'), log: { level: 'silent' } })], { cwd: dir, timeoutMs: COMMAND_TIMEOUT_MS });
    assert.match(output, /^12D3KooW\w+ \/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3KooW\w+\n$/);
  });
});

const LOOPBACK = { role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0'], allowPrivate: true }, admin: { listen: '127.0.0.1:0' } };

const LIBRARY_PROGRAM = `import { createRelayNode } from 'p2p-relayd';
const node = await createRelayNode(JSON.parse(process.argv[2]));
await node.start();
console.log(node.peerId, node.addrs.join(' '));
await node.stop();
`;

async function succeed(command: string, args: string[], options: { cwd: string; timeoutMs: number }): Promise<string> {
  const { exit, stdout, output } = await runCommand(command, args, options);
  assert.equal(exit, 'exit code 0', `${command} ${args.join(' ')}: ${output}`);
  return stdout;
}

describe('the deployment files', () => {
  interface Compose {
    services: Record<string, { stop_grace_period: string; volumes: string[]; environment: Record<string, string> }>;
    volumes: Record<string, unknown>;
  }

  for (const file of globSync('configs/compose/*.yaml', { cwd: ROOT })) {
    test(`${file}: each service has a valid config, a volume for its identity, and time to drain`, async () => {
      const compose = parse(await readFile(join(ROOT, file), 'utf8'), { merge: true }) as Compose;
      assert.notDeepEqual(Object.keys(compose.services), []);
      for (const service of Object.values(compose.services)) {
        const [configMount = '', state = ''] = service.volumes;
        const config = assertConfig(loadConfig({ file: resolve(ROOT, dirname(file), configMount.split(':')[0] ?? ''), env: { ...service.environment, STATE_DIRECTORY: '/var/lib/relayd' } }));
        assert.equal(service.environment['RELAYD_CONFIG'], configMount.split(':')[1]);
        assert.ok(Object.keys(compose.volumes).some((volume) => state === `${volume}:${config.dataDir}`), `${state} is not a volume at ${config.dataDir}`);
        assert.ok(Number(service.stop_grace_period.replace(/s$/, '')) * 1000 > config.drain.timeoutMs);
      }
    });
  }

  test('the systemd unit waits for the drain of every profile, and lets systemd-notify speak', async () => {
    const unit = await readFile(join(ROOT, 'configs/systemd/relayd.service'), 'utf8');
    const seconds = Number(/^TimeoutStopSec=(\d+)s$/m.exec(unit)?.[1]);
    for (const profile of ['tier1', 'tier2']) {
      assert.ok(seconds * 1000 > assertConfig(loadConfig({ profile, env: {} })).drain.timeoutMs);
    }
    assert.match(unit, /^Type=notify$/m);
    assert.match(unit, /^NotifyAccess=all$/m);
    assert.match(unit, /^StateDirectory=relayd$/m);
  });

  test('the Docker image has the tier profiles and the state folder of the service', async () => {
    const lines = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
    assert.match(lines, /STATE_DIRECTORY=\/var\/lib\/relayd\n/);
    assert.match(lines, /^VOLUME \/var\/lib\/relayd$/m);
    assert.match(lines, /^USER relayd$/m);
    assert.match(lines, /^STOPSIGNAL SIGTERM$/m);
  });
});
