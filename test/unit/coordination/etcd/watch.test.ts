import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { EtcdClient } from '../../../../src/coordination/etcd/client.ts';
import type { Endpoint } from '../../../../src/coordination/etcd/endpoint.ts';
import { Endpoints } from '../../../../src/coordination/etcd/endpoints.ts';
import type { Gateway } from '../../../../src/coordination/etcd/gateway.ts';
import { Health } from '../../../../src/coordination/etcd/health.ts';
import { Watch } from '../../../../src/coordination/etcd/watch.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';
import { silentLogger } from '../../../../src/lib/logger.ts';
import { settled } from '../../../support/waiting.ts';

const STEP_MS = 1_000;

/** What a watch asked for, and the other end of its stream. */
interface Asked {
  readonly at: string;
  readonly from: number;
  readonly stream: PassThrough;
}

/** Streams that a test writes, for what real servers do only by chance. */
describe('the watch on etcd', () => {
  let clock: ManualClock;
  let asked: Asked[] = [];
  let seen: string[] = [];
  let watch: Watch;

  beforeEach(() => {
    clock = new ManualClock();
    asked = [];
    seen = [];
    const endpoints = new Endpoints(['a', 'b'].map((url) => ({ url, dropIdle: () => {} }) as unknown as Endpoint));
    const gateway = { endpoints, renewToken: () => {}, stream: (_path: string, body: unknown, signal: AbortSignal) => Promise.resolve(begin(endpoints, body, signal)) } as unknown as Gateway;
    const client = { range: () => Promise.resolve({ header: { clusterId: '1', revision: 10 }, entries: [] }) } as unknown as EtcdClient;
    watch = new Watch({ range: { from: 'a', to: 'b' }, gateway, client, health: new Health(() => Promise.resolve(undefined), () => {}), clock, log: silentLogger, onAll: () => void seen.push('all'), onEvent: ({ entry }) => void seen.push(entry.key) });
    watch.start();
  });

  afterEach(async () => await watch.stop());

  function begin(endpoints: Endpoints, body: unknown, signal: AbortSignal): { endpoint: Endpoint; response: IncomingMessage } {
    const endpoint = endpoints.inOrder[0] as Endpoint;
    const stream = new PassThrough();
    signal.addEventListener('abort', () => stream.destroy(signal.reason as Error));
    asked.push({ at: endpoint.url, from: Number((body as { create_request: { start_revision: string } }).create_request.start_revision), stream });
    return { endpoint, response: stream as unknown as IncomingMessage };
  }

  function last(): Asked {
    return asked.at(-1) as Asked;
  }

  async function say(...results: object[]): Promise<void> {
    results.forEach((result) => last().stream.write(`${JSON.stringify({ result })}\n`));
    await settled(2);
  }

  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      clock.advance(STEP_MS);
      await settled(2);
    }
  }

  function event(key: string, revision: number): object {
    return { kv: { key: Buffer.from(key).toString('base64'), mod_revision: String(revision) } };
  }

  it('begins behind what has been read, and goes on behind what it has seen', async () => {
    await settled(2);
    assert.deepEqual([last().from, seen], [11, ['all']]);
    await say({ created: true }, { events: [event('x', 14)] });
    last().stream.end();
    await settled(2);
    await pass(STEP_MS);
    assert.deepEqual([asked.length, last().from, seen], [2, 15, ['all', 'x']]);
  });

  it('takes half a revision for not seen', async () => {
    await settled(2);
    await say({ created: true }, { events: [event('x', 12)] }, { fragment: true, events: [event('y', 14)] });
    last().stream.end();
    await settled(2);
    await pass(STEP_MS);
    assert.equal(last().from, 13);
  });

  it('goes elsewhere when what this relay wrote does not come back', async () => {
    await settled(2);
    await say({ created: true });
    watch.expect(12);
    await pass(2 * STEP_MS);
    assert.deepEqual(asked.map(({ at, from }) => [at, from]), [['a', 11], ['b', 11]]);
  });

  it('stays where what this relay wrote comes back', async () => {
    await settled(2);
    await say({ created: true });
    watch.expect(12);
    await say({ events: [event('own', 12)] });
    watch.expect(12);
    await pass(5 * STEP_MS);
    assert.equal(asked.length, 1);
    assert.equal(clock.pending, 0);
  });

  it('goes elsewhere when a stream begins and nothing comes', async () => {
    await settled(2);
    await pass(2 * STEP_MS);
    assert.deepEqual(asked.slice(0, 2).map(({ at }) => at), ['a', 'b']);
  });

  it('reads all anew after a compaction, and when the store is another one', async () => {
    await settled(2);
    await say({ created: true }, { canceled: true, compact_revision: '40' });
    await pass(STEP_MS);
    assert.deepEqual([asked.length, seen], [2, ['all', 'all']]);
    await say({ created: true });
    watch.readAnew();
    await settled(2);
    await pass(STEP_MS);
    assert.deepEqual(seen, ['all', 'all', 'all']);
  });

  it('leaves no timer behind', async () => {
    await settled(2);
    await say({ created: true });
    watch.expect(12);
    await watch.stop();
    assert.equal(clock.pending, 0);
  });
});
