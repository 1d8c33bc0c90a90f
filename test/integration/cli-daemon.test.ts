import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { RelaydError } from '../../src/lib/errors.ts';
import { ALICE, BOB } from '../unit/admin/fake-view.ts';
import { someCluster } from '../unit/admin/some-cluster.ts';
import { startServer, tempDir, TOKEN } from '../unit/admin/server-helpers.ts';
import { cli, spawnCli, startCli } from '../unit/cli/run-cli.ts';

const inDir = (dataDir: string): string[] => ['--set', `dataDir=${dataDir}`];

describe('finding the daemon', () => {
  test('by what it wrote to its data directory, over TCP and over a unix socket', async (t) => {
    const tcp = await startServer(t);
    assert.match((await cli(['status', ...inDir(tcp.dataDir)])).stdout, /^state +ready/m);
    const unix = await startServer(t, { config: { listen: { socketPath: join(await tempDir(t), 's') }, tokenFile: undefined } });
    assert.match((await cli(['status', ...inDir(unix.dataDir)])).stdout, /^state +ready/m);
  });

  test('by --admin and --token-file', async (t) => {
    const dir = await tempDir(t);
    const { url, dataDir, view } = await startServer(t);
    const tokenFile = join(dir, 'token');
    await writeFile(tokenFile, `${TOKEN}\n`);
    const other = inDir(dir);
    assert.equal((await cli(['status', '--admin', url, ...other])).code, 0);
    const refused = await cli(['reload', '--admin', url, ...other]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /UNAUTHORIZED.*--token-file/);
    assert.equal((await cli(['reload', '--admin', url, '--token-file', tokenFile, ...other])).code, 0);
    assert.equal((await cli(['reload', '--admin', `${url}/`, ...inDir(dataDir)])).code, 0);
    assert.equal(view.reloads, 2);
    assert.equal((await cli(['status', '--admin', url, '--token-file', join(dir, 'none'), ...other])).code, 78);
  });

  test('no daemon is exit 69, with what was tried and what would help', { timeout: 30_000 }, async (t) => {
    const dir = await tempDir(t);
    const none = await spawnCli(t, ['status', ...inDir(dir)]).result;
    assert.deepEqual([none.code, none.stdout], [69, '']);
    assert.ok(none.stderr.includes(join(dir, 'admin.json')));
    assert.match(none.stderr, /"relayd run" starts one; --config F .* or --admin URL/);
    assert.equal(none.stderr.trimEnd().split('\n').length, 1);

    const refused = await cli(['status', '--admin', 'http://127.0.0.1:1', ...inDir(dir)]);
    assert.equal(refused.code, 69);
    assert.match(refused.stderr, /http:\/\/127\.0\.0\.1:1 \(--admin\): connect ECONNREFUSED/);

    await writeFile(join(dir, 'admin.json'), JSON.stringify({ url: 'http://127.0.0.1:1', token: 'x', pid: 2 ** 30 }));
    const stale = await cli(['status', ...inDir(dir)]);
    assert.equal(stale.code, 69);
    assert.match(stale.stderr, /written by process 1073741824, which is gone/);

    await writeFile(join(dir, 'admin.json'), '{}');
    const damaged = await cli(['status', ...inDir(dir)]);
    assert.equal(damaged.code, 69);
    assert.match(damaged.stderr, /not a file that relayd wrote/);
  });

  test('something else at that address is exit 69 too', async (t) => {
    const server = createServer((_request, response) => response.writeHead(404).end('not here')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { code, stderr } = await cli(['status', '--admin', `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ...inDir(await tempDir(t))]);
    assert.equal(code, 69);
    assert.match(stderr, /is not relayd: HTTP 404/);
  });

  test('a file that cannot be read says so', async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, 'admin.json'));
    const { code, stderr } = await cli(['status', ...inDir(dir)]);
    assert.equal(code, 69);
    assert.match(stderr, /as the user that runs the daemon/);
  });
});

describe('looking', () => {
  test('tables for people, the JSON of the API unchanged for programs', async (t) => {
    const { dataDir, url } = await startServer(t);
    for (const name of ['reservations', 'circuits', 'peers', 'relays', 'tunnels']) {
      const people = await cli([name, ...inDir(dataDir)]);
      assert.equal(people.code, 0);
      assert.match(people.stdout, /^[A-Z ]+\n/);
      assert.ok(!people.stdout.includes(ALICE), `${name} has peer ids in full`);
      assert.ok((await cli([name, '--wide', ...inDir(dataDir)])).stdout.includes(name === 'reservations' ? BOB : ALICE));
      const [first] = JSON.parse((await cli([name, '--json', ...inDir(dataDir)])).stdout) as object[];
      const [served] = (await (await fetch(`${url}/api/v1/${name}`)).json()) as object[];
      assert.deepEqual(Object.keys(first ?? {}), Object.keys(served ?? {}));
    }
  });

  test('a relay shows its cluster, and DNS records of the relays that serve', async (t) => {
    const { dataDir, url, view } = await startServer(t);
    const none = await cli(['status', '--cluster', ...inDir(dataDir)]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /NO_CLUSTER/);
    assert.match((await cli(['relays', '--dnsaddr', ...inDir(dataDir)])).stdout, new RegExp(`^_dnsaddr 300 IN TXT "dnsaddr=/ip4/198\\.51\\.100\\.4/tcp/4001/p2p/${BOB}"\n$`), "a client's own relays");

    view.clusterResult = () => someCluster();
    assert.match((await cli(['status', '--cluster', ...inDir(dataDir)])).stdout, /^cluster +example, by gossip$/m);
    assert.equal((await cli(['status', '--cluster', '--json', ...inDir(dataDir)])).stdout.trim(), await (await fetch(`${url}/api/v1/cluster`)).text());
    const relays = await cli(['relays', ...inDir(dataDir)]);
    assert.match(relays.stdout, /^RELAY +STATE +RTT +UP[\s\S]*\n\nRelays of the cluster example:\nRELAY +STATE +LINK/);
    const zone = await cli(['relays', '--dnsaddr', '--name', 'relays.example.org.', '--ttl', '60', ...inDir(dataDir)]);
    assert.match(zone.stdout, /^(_dnsaddr\.relays\.example\.org\. 60 IN TXT "dnsaddr=[^"]+"\n){2}$/);
    assert.ok(!zone.stdout.includes(BOB), 'it drains');

    view.clusterResult = () => someCluster({ relays: [] });
    const empty = await cli(['relays', '--dnsaddr', ...inDir(dataDir)]);
    assert.deepEqual([empty.code, empty.stdout], [1, '']);
    assert.match(empty.stderr, /would cut everybody off.*\(NO_ADDRESS\)/);
    for (const wrong of [['--name', 'a b'], ['--ttl', '1h'], ['--name', '-']]) {
      assert.equal((await cli(['relays', '--dnsaddr', ...wrong, ...inDir(dataDir)])).code, 64, wrong.join(' '));
    }
  });

  test('--watch redraws until SIGINT, and ends with 0', { timeout: 20_000 }, async (t) => {
    const { dataDir } = await startServer(t);
    const run = startCli(['status', '--watch', '--json', ...inDir(dataDir)]);
    await once(run.output, 'write');
    await once(run.output, 'write');
    run.signals.emit('SIGINT', 'SIGINT');
    const { code, stdout } = await run.done;
    assert.equal(code, 0);
    assert.equal(stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as object).length, 2);
    assert.deepEqual(run.signals.eventNames(), []);
  });

  test('--watch clears a terminal, and waits for a daemon that went away', { timeout: 20_000 }, async (t) => {
    const { dataDir, server } = await startServer(t);
    const run = startCli(['status', '--watch', ...inDir(dataDir)], {}, true);
    await once(run.output, 'write');
    assert.ok(run.written[0]?.startsWith('\u001b[H\u001b[Jpeer '));
    await server.stop();
    // It may have looked once more before.
    while (!/no daemon answers at/.test(run.written.at(-1) ?? '')) await once(run.output, 'write');
    run.signals.emit('SIGINT', 'SIGINT');
    assert.equal((await run.done).code, 0);
  });

  test('--watch ends with 0 when its reader has gone', { timeout: 20_000 }, async (t) => {
    const { dataDir } = await startServer(t);
    const child = spawnCli(t, ['peers', '--watch', ...inDir(dataDir)]);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    assert.equal((await child.result).code, 0);
  });

  test('--watch without a daemon is exit 69', async (t) => {
    assert.equal((await cli(['status', '--watch', ...inDir(await tempDir(t))])).code, 69);
  });
});

describe('ping', () => {
  test('--watch goes on until it is told to stop, also while the peer cannot be reached', { timeout: 20_000 }, async (t) => {
    const { view, dataDir } = await startServer(t);
    view.pingResult = (target) => Promise.resolve({ peer: target, path: null, via: null, dialMs: null, rttMs: [], error: 'no way' });
    const run = startCli(['ping', ALICE, '--watch', '--count', '1', '--interval', '1ms', ...inDir(dataDir)]);
    while (!run.written.join('').includes('2: no echo: no way')) await once(run.output, 'write');
    view.pingResult = (target) => Promise.resolve({ peer: target, path: 'relay', via: BOB, dialMs: 1, rttMs: [5] });
    while (!/\d: 5(\.0)? ms/.test(run.written.join(''))) await once(run.output, 'write');
    run.signals.emit('SIGINT');
    const { code, stdout } = await run.done;
    assert.equal(code, 0);
    assert.match(stdout, /--- \d+ sent, /);
  });

  test('--watch --json prints a whole ping a line', { timeout: 20_000 }, async (t) => {
    const { dataDir } = await startServer(t);
    const run = startCli(['ping', ALICE, '--watch', '--json', '-n', '2', ...inDir(dataDir)]);
    while (run.written.length < 2) await once(run.output, 'write');
    run.signals.emit('SIGTERM');
    const { code, stdout } = await run.done;
    assert.equal(code, 0);
    for (const line of stdout.trim().split('\n')) assert.deepEqual((JSON.parse(line) as { rttMs: number[] }).rttMs, [20, 21]);
  });

  test('for people: how it is connected, a line an echo, a summary', async (t) => {
    const { dataDir, view } = await startServer(t);
    const { code, stdout } = await cli(['ping', ALICE, '--count', '3', '--interval', '1ms', '--fresh', ...inDir(dataDir)]);
    assert.equal(code, 0);
    assert.equal(stdout, `PING ${ALICE}: connected through relay ${BOB} in 45.1 ms\n1: 20.0 ms\n2: 20.0 ms\n3: 20.0 ms\n--- 3 sent, 3 came back, 0% lost; round trip min 20.0 ms, mean 20.0 ms, max 20.0 ms\n`);
    assert.deepEqual(view.pings.map(({ fresh }) => fresh), [true, false, false]);
  });

  test('for programs: one answer with all echoes', async (t) => {
    const { dataDir, view } = await startServer(t);
    const { code, stdout } = await cli(['ping', ALICE, '--count', '3', '--json', ...inDir(dataDir)]);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), { peer: ALICE, path: 'relay', via: BOB, dialMs: 45.123, rttMs: [20, 21, 22] });
    assert.equal(view.pings.length, 1);
  });

  test('a peer that cannot be reached is exit 1, as a result or as an error of the daemon', async (t) => {
    const { dataDir, view } = await startServer(t);
    const failures = [
      (): Promise<never> => Promise.reject(new RelaydError('NO_ADDRESS', 'no address of it is known')),
      (target: string) => Promise.resolve({ peer: target, path: null, via: null, dialMs: null, rttMs: [], error: 'no address of it is known' }),
    ];
    for (const failure of failures) {
      view.pingResult = failure;
      const people = await cli(['ping', ALICE, ...inDir(dataDir)]);
      assert.deepEqual([people.code, people.stdout, people.stderr], [1, '', `PING ${ALICE}: not reachable: no address of it is known\n`]);
      const program = await cli(['ping', ALICE, '--json', ...inDir(dataDir)]);
      assert.equal(program.code, 1);
      assert.deepEqual(JSON.parse(program.stdout), { peer: ALICE, path: null, via: null, dialMs: null, rttMs: [], error: 'no address of it is known' });
    }
  });

  test('lost echoes are counted, and exit 1', async (t) => {
    const { dataDir, view } = await startServer(t);
    let sent = 0;
    view.pingResult = (target) => Promise.resolve({ peer: target, path: 'direct', via: null, dialMs: 1, rttMs: sent++ === 0 ? [5] : [], ...(sent === 1 ? {} : { error: 'closed' }) });
    const { code, stdout } = await cli(['ping', ALICE, '-n', '2', '-i', '1ms', ...inDir(dataDir)]);
    assert.equal(code, 1);
    assert.match(stdout, /: connected directly in 1\.0 ms\n1: 5\.0 ms\n2: no echo: closed\n--- 2 sent, 1 came back, 50% lost;/);
  });

  test('SIGINT ends it with the summary', { timeout: 10_000 }, async (t) => {
    const { dataDir } = await startServer(t);
    const run = startCli(['ping', ALICE, '--interval', '1h', ...inDir(dataDir)]);
    while (run.written.length < 2) await once(run.output, 'write');
    run.signals.emit('SIGINT', 'SIGINT');
    const { code, stdout } = await run.done;
    assert.equal(code, 0);
    assert.match(stdout, /--- 1 sent, 1 came back, 0% lost/);
  });
});

describe('reload and drain', () => {
  test('reload says what changed and what needs a restart', async (t) => {
    const { dataDir, view } = await startServer(t);
    assert.equal((await cli(['reload', ...inDir(dataDir)])).stdout, 'reloaded: log.level\nneeds a restart: network.listen\n');
    view.reloadResult = () => Promise.resolve({ changed: [], restartNeeded: [] });
    assert.equal((await cli(['reload', ...inDir(dataDir)])).stdout, 'reloaded: nothing changed\n');
  });

  test('a reload of a wrong config prints its errors, exit 78', async (t) => {
    const { dataDir, view } = await startServer(t);
    view.reloadResult = () => Promise.reject(new RelaydError('CONFIG_INVALID', 'f.yaml:1:1: a: b; c\nf.yaml:2:1: d: e; f', { data: { problems: [{}, {}] } }));
    const { code, stderr } = await cli(['reload', ...inDir(dataDir)]);
    assert.equal(code, 78);
    assert.equal(stderr, 'f.yaml:1:1: a: b; c\nf.yaml:2:1: d: e; f\nrelayd: the config is wrong, so the daemon keeps its old one\n');
  });

  test('drain shows what is left and waits until the daemon is gone', { timeout: 20_000 }, async (t) => {
    const { dataDir, server, view } = await startServer(t);
    view.onDrain = () => void server.stop();
    const { code, stdout } = await cli(['drain', ...inDir(dataDir)]);
    assert.equal(code, 0);
    assert.equal(stdout, 'draining: 1 circuit and 2 reservations left\ndrained; the daemon has stopped\n');
  });

  test('drain does not wait when told so, or longer than told', { timeout: 20_000 }, async (t) => {
    const { dataDir, view } = await startServer(t);
    assert.deepEqual(await cli(['drain', '--no-wait', ...inDir(dataDir)]), { code: 0, stdout: 'draining: 1 circuit and 2 reservations left\n', stderr: '' });
    const { code, stderr } = await cli(['drain', '--timeout', '1ms', ...inDir(dataDir)]);
    assert.equal(code, 1);
    assert.match(stderr, /still drains, with 1 circuit and 2 reservations left/);
    assert.equal(view.drains, 2);
  });
});
