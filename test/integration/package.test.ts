import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Daemon } from '../../scripts/lib/daemon.ts';
import { runCommand } from '../../scripts/lib/processes.ts';

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

  test('has the program, its types, the configs, the reference, the man page, the completions and the licences, and no tests or sources', () => {
    for (const wanted of WANTED) {
      assert.ok(files.includes(wanted), `${wanted} is missing`);
    }
    assert.deepEqual(files.filter((file) => !ALLOWED.test(file)), []);
    assert.deepEqual(files.filter((file) => file.startsWith('dist/') && !/\.(js|d\.ts)$/.test(file)), []);
  });

  test('names no place of the machine that packed it, and no secret', async () => {
    for (const file of files.filter((name) => !name.endsWith('/'))) {
      const text = await readFile(join(dir, 'node_modules/p2p-relayd', file), 'latin1');
      assert.ok(!text.includes(ROOT) && !PRIVATE_KEY.test(text), file);
    }
  });

  test('is ready to be published with provenance', async () => {
    const { publishConfig, man, license, engines } = JSON.parse(await readFile(join(dir, 'node_modules/p2p-relayd/package.json'), 'utf8')) as Record<string, unknown>;
    assert.deepEqual(publishConfig, { access: 'public', provenance: true });
    assert.ok(files.includes(String(man)));
    assert.deepEqual([license, typeof engines], ['MIT OR Apache-2.0', 'object']);
  });

  for (const name of ['relayd', 'p2p-relayd']) {
    test(`gives the command ${name}`, async () => {
      const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
      assert.equal((await succeed('npx', ['--no-install', name, '--version'], { cwd: dir, timeoutMs: COMMAND_TIMEOUT_MS })).trim(), version);
    });
  }

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
    await checkPage(ready.admin);
    assert.equal(await daemon.stop(), 'exit code 0');
  });

  test('gives the library', async () => {
    await writeFile(join(dir, 'library.js'), LIBRARY_PROGRAM);
    const output = await succeed(process.execPath, ['library.js', JSON.stringify({ ...LOOPBACK, dataDir: join(dir, 'library-data'), log: { level: 'silent' } })], { cwd: dir, timeoutMs: COMMAND_TIMEOUT_MS });
    assert.match(output, /^12D3KooW\w+ \/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3KooW\w+\n$/);
  });
});

/** The first line of one and some of its bytes; programs that read keys have the first alone. */
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}/;

const WANTED = [
  'dist/main.js',
  'dist/index.js',
  'dist/index.d.ts',
  'configs/tier1-relay.yaml',
  'configs/systemd/relayd.service',
  'configs/systemd/relayd.sysusers.conf',
  'configs/compose/tier1.yaml',
  'configs/completions/relayd.bash',
  'docs/man/relayd.1',
  'docs/install/README.md',
  'docs/monitoring/alerts.md',
  'docs/upgrade.md',
  'docs/reference/configuration.md',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'LICENSE-MIT',
  'LICENSE-APACHE',
];
const ALLOWED = /^(dist|configs|docs\/(install|man|monitoring|reference))\/|^(package\.json|README\.md|CHANGELOG\.md|docs\/upgrade\.md|LICENSE[-A-Z]*)$/;

const LOOPBACK = { role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0'], allowPrivate: true }, admin: { listen: '127.0.0.1:0' } };

/** The status page and every file that it names or that a script of it imports are in the package. */
async function checkPage(url: string): Promise<void> {
  const text = async (address: URL): Promise<string> => {
    const response = await fetch(address, { signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS) });
    assert.equal(response.status, 200, address.href);
    return response.text();
  };
  const page = await text(new URL('/', url));
  const wanted = [...page.matchAll(/(?:src|href)="(assets[^"]+)"/g)].map(([, path = '']) => new URL(path, url));
  for (let next = wanted.shift(); next !== undefined; next = wanted.shift()) {
    const imports = [...(await text(next)).matchAll(/^import .* from '([^']+)'/gm)];
    wanted.push(...imports.map(([, path = '']) => new URL(path, next)));
  }
}

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
