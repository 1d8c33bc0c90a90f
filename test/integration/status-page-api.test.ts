import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { Columns } from '../../src/admin/history.ts';
import { EventReader } from '../../src/admin/page/reading.ts';
import type { Tick } from '../../src/admin/sampling.ts';
import type { ConfigRow } from '../../src/lib/contracts.ts';
import { Fleet } from '../support/fleet.ts';
import { RelayUnderTest } from '../support/relay-under-test.ts';
import { until, within } from '../support/waiting.ts';
import { ask, post, startServer, tempDir, TOKEN } from '../unit/admin/server-helpers.ts';

/** The ticks of `/api/v1/events`, as they come; ends with the stream. */
async function* ticksOf(url: string, signal: AbortSignal): AsyncGenerator<Tick> {
  const response = await fetch(`${url}/api/v1/events`, { signal });
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  const reader = new EventReader();
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    for (const { event, data } of reader.read(piece)) if (event === 'tick') yield JSON.parse(data) as Tick;
  }
}

async function nextTick(ticks: AsyncGenerator<Tick>): Promise<Tick> {
  const { value } = await within(ticks.next(), 'a tick');
  assert.ok(value, 'the stream has ended');
  return value as Tick;
}

describe('the events of a relay', () => {
  it('tell of reservations, bytes and refusals, and are what the history keeps', async (t) => {
    const relay = await RelayUnderTest.start({ relay: { limits: { reservations: { max: 1 } } } });
    t.after(() => relay.stop());
    const stop = new AbortController();
    t.after(() => stop.abort());
    const ticks = ticksOf(relay.node.adminUrl, stop.signal);
    assert.equal((await nextTick(ticks)).values.publicReservations, 0);
    await relay.reserved();
    await (await relay.peer()).reserve();
    let tick = await nextTick(ticks);
    while (tick.refusals['reservations.max'] === undefined) tick = await nextTick(ticks);
    assert.equal(tick.values.publicReservations, 1);
    assert.equal((tick.status['relay'] as { reservations: { count: number } }).reservations.count, 1);
    assert.ok((tick.values.rssBytes ?? 0) > 1e6 && tick.values.delayP99Ms !== undefined && tick.values.relayedBytesPerSecond === 0);
    const history = (await (await fetch(`${relay.node.adminUrl}/api/v1/history`)).json()) as Columns;
    assert.equal(history.values['publicReservations']?.[0], 0);
    assert.ok(history.times.includes(tick.time / 1000));
    assert.deepEqual(Object.entries(history.refusals).map(([limit, counts]) => [limit, counts.reduce((a, b) => a + b)]), [['reservations.max', 1]]);
  });
});

describe('the events of the admin server', () => {
  it('end with it', async (t) => {
    const { server, url } = await startServer(t);
    const ticks = ticksOf(url, new AbortController().signal);
    await nextTick(ticks);
    const toTheEnd = async (): Promise<void> => {
      // One more tick may come before it.
      while ((await ticks.next()).done !== true);
    };
    const over = assert.rejects(within(toTheEnd(), 'the end of the stream'), /terminated/);
    await server.stop();
    await over;
  });

  it('are not begun for HEAD', async (t) => {
    const { url } = await startServer(t);
    assert.deepEqual((({ status, text }) => [status, text])(await ask(url, '/api/v1/events', { method: 'HEAD' })), [200, '']);
  });

  it('free their place when the reader goes', async (t) => {
    const { url } = await startServer(t);
    for (let i = 0; i < 70; i++) {
      const leave = new AbortController();
      await until(async () => {
        const response = await fetch(`${url}/api/v1/events`, { signal: leave.signal });
        return response.ok;
      }, 'a place');
      leave.abort();
    }
  });
});

describe('what a status page needs before it has the token', () => {
  it('are its own files, and nothing that they show', async (t) => {
    const tokenFile = join(await tempDir(t), 'token');
    await writeFile(tokenFile, TOKEN, { mode: 0o600 });
    const { url } = await startServer(t, { config: { listen: { host: '127.0.0.1', port: 0 }, tokenFile } });
    const page = await ask(url, '/', { headers: { accept: 'text/html' } });
    const script = /src="(assets\/[0-9a-f]+\/main\.ts)"/.exec(page.text)?.[1];
    assert.equal((await ask(url, `/${script}`)).status, 200);
    for (const path of ['/api/v1/events', '/api/v1/history', '/api/v1/config', '/api/v1/reservations']) {
      assert.equal((await ask(url, path)).status, 401, path);
      assert.equal((await ask(url, path, { method: 'HEAD', headers: { authorization: `Bearer ${TOKEN}` } })).status, 200, path);
    }
    assert.equal((await ask(url, '/assets/main.ts')).json.error.code, 'NOT_FOUND');
    assert.equal((await post(url, `/${script}`)).status, 405);
  });
});

describe('the history and the lists', () => {
  it('say what they cannot be asked', async (t) => {
    const { url } = await startServer(t);
    for (const path of ['history?range=1y', 'reservations?sort=nothing', 'peers?offset=-1']) {
      const { status, json } = await ask(url, `/api/v1/${path}`);
      assert.deepEqual([status, json.error.code], [400, 'BAD_REQUEST'], path);
    }
  });
});

describe('the config of a running daemon', () => {
  async function rowsOf(t: TestContext): Promise<{ fleet: Fleet; rows: () => Promise<Map<string, ConfigRow>>; reload: () => void }> {
    const fleet = await Fleet.create();
    t.after(() => fleet.stopAll());
    const { daemon, ready } = await fleet.start('relay', { role: 'relay', relay: { limits: { circuits: { duration: '3m' } } } });
    const rows = async (): Promise<Map<string, ConfigRow>> => new Map(((await (await fetch(new URL('/api/v1/config', ready.admin))).json()) as ConfigRow[]).map((row) => [row.key, row]));
    return { fleet, rows, reload: () => daemon.signal('SIGHUP') };
  }

  it('says who set what, and after a reload what is in force and what waits for a restart', { timeout: 120_000 }, async (t) => {
    const { fleet, rows, reload } = await rowsOf(t);
    const file = fleet.configFile('relay');
    const before = await rows();
    const line = (await readFile(file, 'utf8')).split('\n').findIndex((text) => text.includes('duration')) + 1;
    assert.deepEqual(before.get('relay.limits.circuits.duration'), { key: 'relay.limits.circuits.duration', value: '3m', origin: `${file}:${line}`, applies: 'live' });
    assert.equal(before.get('relay.limits.circuits.idle')?.origin, 'default');
    await fleet.configure('relay', { role: 'relay', relay: { limits: { circuits: { duration: '7m' } } }, network: { security: ['noise'] } });
    reload();
    const security = async (): Promise<unknown[]> => {
      const row = (await rows()).get('network.security');
      return [row?.value, row?.afterRestart];
    };
    await until(async () => (await rows()).get('relay.limits.circuits.duration')?.value === '7m' && (await security())[1] !== undefined, 'the reload');
    assert.deepEqual(await security(), [['tls', 'noise'], ['noise']]);
  });
});
