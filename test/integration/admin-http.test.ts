import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { Agent, createServer, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AdminServer } from '../../src/admin/index.ts';
import { ManualClock } from '../../src/lib/clock.ts';
import { RelaydError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { ALICE, FakeView } from '../unit/admin/fake-view.ts';
import { someCluster } from '../unit/admin/some-cluster.ts';
import { ask, post, startServer, tempDir, TOKEN } from '../unit/admin/server-helpers.ts';

describe('reading', () => {
  test('every list and the status answer with the rows of the node', async (t) => {
    const { url, view } = await startServer(t);
    assert.equal((await ask(url, '/api/v1/status')).json.peerId, view.status()['peerId']);
    assert.equal((await ask(url, '/api/v1/reservations')).json[0].peer, ALICE);
    assert.equal((await ask(url, '/api/v1/circuits')).json[0].id, 7);
    assert.equal((await ask(url, '/api/v1/peers')).json[0].streams, 3);
    assert.equal((await ask(url, '/api/v1/relays')).json[1].state, 'backoff');
    assert.equal((await ask(url, '/api/v1/tunnels')).json[0].name, 'ssh');
  });

  test('limit cuts a list and the header says how long it is', async (t) => {
    const { url } = await startServer(t);
    const cut = await ask(url, '/api/v1/reservations?limit=1');
    assert.equal(cut.json.length, 1);
    assert.equal(cut.headers['x-total-count'], '2');
    const bad = await ask(url, '/api/v1/reservations?limit=-1');
    assert.equal(bad.status, 400);
    assert.equal(bad.json.error.code, 'BAD_REQUEST');
  });

  test('metrics have the content type that Prometheus expects', async (t) => {
    const { url } = await startServer(t);
    const { status, headers, text } = await ask(url, '/metrics');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(text, /^relayd_up 1$/m);
  });

  test('the cluster is shown as this relay knows it, or said not to be', async (t) => {
    const { url, view } = await startServer(t);
    const none = await ask(url, '/api/v1/cluster');
    assert.deepEqual([none.status, none.json.error.code], [404, 'NO_CLUSTER']);
    view.clusterResult = () => someCluster();
    const { status, json } = await ask(url, '/api/v1/cluster');
    assert.equal(status, 200);
    assert.deepEqual([json.cluster, json.backend, json.problem, json.totals.relays], ['example', 'gossip', null, 3]);
    assert.deepEqual([json.totals.reservations, json.totals.circuits], [{ count: 30, max: 300 }, { count: 6, max: null }], 'JSON has no infinity');
    assert.deepEqual(json.relays.map(({ state }: { state: string }) => state), ['ready', 'ready', 'draining']);
  });

  test('HEAD is GET without the body', async (t) => {
    const { url } = await startServer(t);
    const { status, headers, text } = await ask(url, '/api/v1/status', { method: 'HEAD' });
    assert.equal(status, 200);
    assert.equal(text, '');
    assert.ok(Number(headers['content-length']) > 100);
  });

  test('nothing is cached, sniffed, or told to other origins', async (t) => {
    const { url } = await startServer(t);
    const { headers } = await ask(url, '/api/v1/status', { headers: { origin: 'http://evil.example' } });
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['access-control-allow-origin'], undefined);
  });

  test('an error inside the node is an answer too', async (t) => {
    const { url, view } = await startServer(t);
    view.failWith = new Error('broken');
    const internal = await ask(url, '/api/v1/status');
    assert.equal(internal.status, 500);
    assert.deepEqual(internal.json, { error: { code: 'INTERNAL', message: 'broken' } });
    view.failWith = new RelaydError('CLOSED', 'the node is not running', { data: { hint: 1 } });
    const known = await ask(url, '/api/v1/status');
    assert.equal(known.status, 503);
    assert.deepEqual(known.json, { error: { code: 'CLOSED', message: 'the node is not running', hint: 1 } });
  });
});

describe('health', () => {
  test('livez answers in every state, readyz names the state that is in the way', async (t) => {
    const { url, view } = await startServer(t);
    for (const state of ['starting', 'draining'] as const) {
      view.current = state;
      assert.equal((await ask(url, '/livez')).status, 200);
      const { status, json } = await ask(url, '/readyz');
      assert.equal(status, 503);
      assert.deepEqual(json, { ready: false, reasons: [state], warnings: [] });
    }
    assert.equal(view.checks, 0);
  });

  test('concurrent calls share one check, and its answer lasts a second', async (t) => {
    const clock = new ManualClock();
    const { url, view } = await startServer(t, { clock });
    const started = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<string[]>();
    view.problems = () => (started.resolve(), answer.promise);
    const both = [ask(url, '/readyz'), ask(url, '/readyz')];
    await started.promise;
    answer.resolve(['a circuit through this relay failed']);
    for (const { status, json } of await Promise.all(both)) {
      assert.equal(status, 503);
      assert.deepEqual(json, { ready: false, reasons: ['a circuit through this relay failed'], warnings: [] });
    }
    clock.advance(999);
    assert.equal((await ask(url, '/readyz')).status, 503);
    assert.equal(view.checks, 1);
    view.problems = () => Promise.resolve([]);
    clock.advance(1);
    const after = await ask(url, '/readyz');
    assert.deepEqual([after.status, after.json], [200, { ready: true, warnings: [] }]);
    assert.equal(view.checks, 2);
  });
});

describe('the token', () => {
  test('without a token file reading is open, and doing needs the token', async (t) => {
    const { url, view } = await startServer(t);
    assert.equal((await ask(url, '/api/v1/status')).status, 200);
    const wrong: Record<string, string>[] = [{}, { authorization: 'Bearer wrong' }, { authorization: `Basic ${TOKEN}` }, { authorization: '' }];
    for (const headers of wrong) {
      const { status, json, headers: answered } = await post(url, '/api/v1/drain', undefined, headers);
      assert.equal(status, 401);
      assert.equal(json.error.code, 'UNAUTHORIZED');
      assert.equal(answered['www-authenticate'], 'Bearer');
    }
    assert.equal((await post(url, '/api/v1/drain?token=' + TOKEN, undefined, {})).status, 401);
    assert.equal(view.drains, 0);
  });

  test('with a token file everything but the liveness check needs it', async (t) => {
    const dir = await tempDir(t);
    const tokenFile = join(dir, 'token');
    await writeFile(tokenFile, `\n${TOKEN}  \n`, { mode: 0o600 });
    const { url, dataDir } = await startServer(t, { token: undefined, config: { listen: { host: '127.0.0.1', port: 0 }, tokenFile } });
    assert.equal((await ask(url, '/livez')).status, 200);
    for (const path of ['/', '/readyz', '/metrics', '/api/v1/status', '/nothing-here', `/api/v1/status?token=${TOKEN}`]) {
      assert.equal((await ask(url, path)).status, 401, path);
      const expected = path === '/nothing-here' ? 404 : 200;
      assert.equal((await ask(url, path, { headers: { authorization: `Bearer ${TOKEN}` } })).status, expected, path);
    }
    assert.equal((await post(url, '/api/v1/reload')).status, 200);
    assert.equal(JSON.parse(await readFile(join(dataDir, 'admin.json'), 'utf8')).token, TOKEN);
  });

  test('a browser gives it once in the address, or types it into an empty page', async (t) => {
    const dir = await tempDir(t);
    const tokenFile = join(dir, 'token');
    await writeFile(tokenFile, TOKEN, { mode: 0o600 });
    const { url } = await startServer(t, { config: { listen: { host: '127.0.0.1', port: 0 }, tokenFile } });
    const given = await ask(url, `/?token=${TOKEN}`);
    assert.equal(given.status, 200);
    assert.match(given.headers['content-type'] ?? '', /^text\/html/);
    assert.ok(!given.text.includes(TOKEN));
    assert.equal(given.headers['set-cookie'], undefined);
    const empty = await ask(url, '/', { headers: { accept: 'text/html,*/*' } });
    assert.equal(empty.status, 401);
    assert.match(empty.text, /<form/);
    assert.equal((await ask(url, '/?token=wrong-wrong-wrong-wrong')).json.error.code, 'UNAUTHORIZED');
  });

  test('a token file that is short, missing, open to all or no header text stops the start', async (t) => {
    const dir = await tempDir(t);
    const tokenFile = join(dir, 'token');
    const start = (): Promise<void> =>
      new AdminServer({ config: { listen: { host: '127.0.0.1', port: 0 }, tokenFile }, dataDir: dir, log: silentLogger, view: new FakeView() }).start();
    await assert.rejects(start(), { code: 'FILE_UNREADABLE', message: /admin\.tokenFile/ });
    await writeFile(tokenFile, 'fifteen-chars-x', { mode: 0o600 });
    await assert.rejects(start(), { code: 'CONFIG_INVALID', message: /has 15 characters.*at least 16/ });
    await writeFile(tokenFile, 'two words and more than that');
    await assert.rejects(start(), { code: 'CONFIG_INVALID', message: /Authorization header/ });
    await writeFile(tokenFile, TOKEN);
    await chmod(tokenFile, 0o644);
    await assert.rejects(start(), { code: 'CONFIG_INVALID', message: /chmod 600/ });
  });

  test('a random token differs at every start', async (t) => {
    const first = await startServer(t, { token: undefined });
    const tokenOf = async (dataDir: string): Promise<string> => JSON.parse(await readFile(join(dataDir, 'admin.json'), 'utf8')).token;
    const before = await tokenOf(first.dataDir);
    assert.equal(Buffer.from(before, 'base64url').length, 32);
    await first.server.stop();
    await first.server.start();
    assert.notEqual(await tokenOf(first.dataDir), before);
  });
});

describe('other sites', () => {
  test('a Host that is not of this machine is refused on loopback', async (t) => {
    const { url } = await startServer(t);
    for (const host of ['evil.example', 'evil.example:9641', '127.0.0.1.evil.example', 'localhost.evil.example', '10.0.0.1', '[::2]:80', 'a:b:c']) {
      const { status, json } = await ask(url, '/api/v1/status', { headers: { host } });
      assert.equal(status, 403, host);
      assert.equal(json.error.code, 'FORBIDDEN');
      assert.equal((await post(url, '/api/v1/reload', undefined, { authorization: `Bearer ${TOKEN}`, host })).status, 403, host);
    }
    for (const host of ['localhost', 'LOCALHOST:9641', '127.0.0.1:1', '127.8.9.1', '[::1]:9641']) {
      assert.equal((await ask(url, '/api/v1/status', { headers: { host } })).status, 200, host);
    }
  });

  test("another site's page can post nothing, even with the token", async (t) => {
    const { url, view } = await startServer(t);
    const authorization = `Bearer ${TOKEN}`;
    const own = new URL(url).host;
    const cases: Record<string, string>[] = [
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: `http://${own}.evil.example` },
      { origin: 'http://127.0.0.1:1' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ];
    for (const headers of cases) {
      const { status, json } = await post(url, '/api/v1/reload', undefined, { authorization, host: own, ...headers });
      assert.equal(status, 403, JSON.stringify(headers));
      assert.equal(json.error.code, 'FORBIDDEN');
    }
    assert.equal(view.reloads, 0);
    assert.equal((await post(url, '/api/v1/reload', undefined, { authorization, host: own, origin: url, 'sec-fetch-site': 'same-origin' })).status, 200);
    assert.equal(view.reloads, 1);
  });
});

describe('wrong requests', () => {
  test('an unknown path is 404 and a wrong method 405 with Allow', async (t) => {
    const { url } = await startServer(t);
    const missing = await ask(url, '/api/v1/nothing');
    assert.equal(missing.status, 404);
    assert.equal(missing.json.error.code, 'NOT_FOUND');
    assert.equal((await ask(url, '/__proto__')).status, 404);
    const cases = [['POST', '/api/v1/status', 'GET, HEAD'], ['GET', '/api/v1/drain', 'POST'], ['HEAD', '/api/v1/drain', 'POST'], ['DELETE', '/', 'GET, HEAD'], ['OPTIONS', '/api/v1/ping', 'POST']] as const;
    for (const [method, path, allow] of cases) {
      const { status, headers, json } = await ask(url, path, { method });
      assert.equal(status, 405, `${method} ${path}`);
      assert.equal(headers['allow'], allow);
      if (method !== 'HEAD') assert.equal(json.error.code, 'METHOD_NOT_ALLOWED');
    }
  });

  test('no GET changes anything', async (t) => {
    const { url, view } = await startServer(t);
    for (const path of ['/', '/livez', '/readyz', '/metrics', '/api/v1/status', '/api/v1/drain', '/api/v1/reload', '/api/v1/ping']) {
      await ask(url, path, { headers: { authorization: `Bearer ${TOKEN}` } });
    }
    assert.deepEqual([view.drains, view.reloads, view.pings.length], [0, 0, 0]);
  });

  test('a body that is not JSON or too large is refused and says why', async (t) => {
    const { url } = await startServer(t);
    const headers = { authorization: `Bearer ${TOKEN}` };
    const broken = await ask(url, '/api/v1/ping', { method: 'POST', headers, body: '{"peer":' });
    assert.equal(broken.status, 400);
    assert.equal(broken.json.error.code, 'BAD_REQUEST');
    const large = await ask(url, '/api/v1/ping', { method: 'POST', headers, body: JSON.stringify({ peer: 'x'.repeat(64 * 1024) }) });
    assert.equal(large.status, 413);
    assert.equal(large.json.error.code, 'BODY_TOO_LARGE');
    assert.equal(large.headers['connection'], 'close');
  });

  test('what is not HTTP is told so', { timeout: 10_000 }, async (t) => {
    const { url } = await startServer(t);
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.setEncoding('utf8').write('\u0013/multistream/1.0.0\n\r\n\r\n');
    let text = '';
    socket.on('data', (chunk: string) => (text += chunk));
    await once(socket, 'close');
    assert.match(text, /^HTTP\/1\.1 400 /);
    assert.match(text, /"code":"BAD_REQUEST"/);
  });
});

describe('many and large', () => {
  test('headers that are too large are answered as an error of the API', { timeout: 10_000 }, async (t) => {
    const { url } = await startServer(t);
    const { status, json } = await ask(url, '/livez', { headers: { 'x-large': 'x'.repeat(20_000) } });
    assert.deepEqual([status, json.error], [431, { code: 'BAD_REQUEST', message: 'the headers are larger than 16 KiB' }]);
  });

  test('200 probes of readiness at once are all answered, by one check', { timeout: 10_000 }, async (t) => {
    const { url, view } = await startServer(t, { clock: new ManualClock() });
    const checked = Promise.withResolvers<string[]>();
    const agent = new Agent({ keepAlive: false });
    const connected: Promise<unknown>[] = [];
    view.problems = () => checked.promise;
    const probes = Array.from({ length: 200 }, () => {
      const request = get(`${url}/readyz`, { agent });
      connected.push(once(request, 'socket').then(([socket]) => once(socket as NodeJS.EventEmitter, 'connect')));
      return once(request, 'response').then(([response]) => (response as IncomingMessage).resume().statusCode);
    });
    await Promise.all(connected);
    checked.resolve([]);
    assert.deepEqual(new Set(await Promise.all(probes)), new Set([200]));
    assert.equal(view.checks, 1);
  });
});

describe('doing', () => {
  test('a ping is handed to the node, with its defaults', async (t) => {
    const { url, view } = await startServer(t);
    const { status, json } = await post(url, '/api/v1/ping', { peer: ALICE, count: 3, fresh: true });
    assert.equal(status, 200);
    assert.deepEqual(json.rttMs, [20, 21, 22]);
    await post(url, '/api/v1/ping', { peer: ALICE });
    assert.deepEqual(view.pings, [{ target: ALICE, count: 3, fresh: true }, { target: ALICE, count: 1, fresh: false }]);
  });

  test('a ping whose asker goes away is ended', { timeout: 10_000 }, async (t) => {
    const { url, view } = await startServer(t);
    const begun = Promise.withResolvers<AbortSignal>();
    view.pingResult = (_target, _count, signal) => {
      begun.resolve(signal);
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    };
    const abort = new AbortController();
    const asked = fetch(`${url}/api/v1/ping`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body: JSON.stringify({ peer: ALICE }), signal: abort.signal });
    const signal = await begun.promise;
    abort.abort();
    await assert.rejects(asked);
    if (!signal.aborted) await once(signal, 'abort');
    assert.equal((signal.reason as RelaydError).code, 'CLOSED');
  });

  test('a drain answers with what is left before it begins', { timeout: 10_000 }, async (t) => {
    const { url, view, server } = await startServer(t);
    const stopped = Promise.withResolvers<void>();
    // With nothing to wait for, a drained node stops at once, and its admin server with it.
    view.onDrain = () => stopped.resolve(server.stop());
    const { status, json } = await post(url, '/api/v1/drain');
    assert.equal(status, 202);
    assert.deepEqual(json, { state: 'draining', reservations: 2, circuits: 1 });
    await stopped.promise;
    assert.equal(view.drains, 1);
  });

  test('a reload answers with what it did, and with the config errors', async (t) => {
    const { url, view } = await startServer(t);
    assert.deepEqual((await post(url, '/api/v1/reload')).json, { changed: ['log.level'], restartNeeded: ['network.listen'] });
    view.reloadResult = () => Promise.reject(new RelaydError('CONFIG_INVALID', 'f.yaml:1:1: relai: unknown key', { data: { problems: [{ key: 'relai' }] } }));
    const { status, json } = await post(url, '/api/v1/reload');
    assert.equal(status, 400);
    assert.deepEqual(json.error.problems, [{ key: 'relai' }]);
    view.reloadResult = () => Promise.resolve(undefined);
    assert.deepEqual((await post(url, '/api/v1/reload')).json, {});
  });
});

describe('start and stop', () => {
  test('admin.json says where it is, is for the owner only, and goes with the server', async (t) => {
    const { server, dataDir, url } = await startServer(t);
    const file = join(dataDir, 'admin.json');
    assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), { url, token: TOKEN, pid: process.pid });
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(dataDir), ['admin.json']);
    await server.stop();
    assert.deepEqual(await readdir(dataDir), []);
    assert.equal(server.url, '');
  });

  test("a successor's admin.json stays", async (t) => {
    const { server, dataDir } = await startServer(t);
    const successor = JSON.stringify({ url: 'http://127.0.0.1:1', token: 'other', pid: 1 });
    await writeFile(join(dataDir, 'admin.json'), successor);
    await server.stop();
    assert.equal(await readFile(join(dataDir, 'admin.json'), 'utf8'), successor);
  });

  test('a data directory that cannot be written stops the start, and the port is free again', async (t) => {
    const dir = await tempDir(t);
    await writeFile(join(dir, 'file'), '');
    const server = new AdminServer({ config: { listen: { host: '127.0.0.1', port: 0 }, tokenFile: undefined }, dataDir: join(dir, 'file', 'data'), log: silentLogger, view: new FakeView() });
    await assert.rejects(server.start(), { code: 'DATA_DIR_UNWRITABLE' });
    assert.equal(server.url, '');
  });

  test('stop closes connections that keep alive, that have sent nothing and that wait for an answer', { timeout: 10_000 }, async (t) => {
    const { server, view, url } = await startServer(t);
    const agent = new Agent({ keepAlive: true });
    t.after(() => agent.destroy());
    await new Promise((resolve, reject) => get(`${url}/livez`, { agent }, (response) => response.resume().once('end', resolve)).once('error', reject));
    const idle = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
    await once(idle, 'connect');
    const begun = Promise.withResolvers<void>();
    view.problems = () => (begun.resolve(), new Promise(() => {}));
    const waiting = assert.rejects(ask(url, '/readyz'));
    await begun.promise;
    const closed = once(idle.resume(), 'close');
    await server.stop();
    await Promise.all([closed, waiting]);
    await server.stop();
  });

  test('it starts again after a stop', async (t) => {
    const { server } = await startServer(t);
    await server.stop();
    await server.start();
    assert.equal((await ask(server.url, '/livez')).status, 200);
  });

  test('a port that is taken is an error that names address and key', async (t) => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    const { port } = other.address() as AddressInfo;
    await assert.rejects(startServer(t, { config: { listen: { host: '127.0.0.1', port }, tokenFile: undefined } }), { code: 'ADDRESS_IN_USE', message: new RegExp(`admin\\.listen: .*127\\.0\\.0\\.1:${port}`) });
  });

  test('an address that other machines reach is refused without a token file', async (t) => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1']) {
      await assert.rejects(startServer(t, { config: { listen: { host, port: 0 }, tokenFile: undefined } }), { code: 'CONFIG_INVALID', message: /admin\.tokenFile/ });
    }
    await assert.rejects(startServer(t, { config: { listen: { host: 'no-such-host.invalid', port: 0 }, tokenFile: undefined } }), { code: 'ADDRESS_UNAVAILABLE' });
  });

  test('IPv6 loopback is as good', async (t) => {
    const { url } = await startServer(t, { config: { listen: { host: '::1', port: 0 }, tokenFile: undefined } });
    assert.match(url, /^http:\/\/\[::1\]:\d+$/);
    assert.equal((await ask(url, '/livez')).status, 200);
  });
});
