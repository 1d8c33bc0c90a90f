import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { BEAT_EVERY_MS, LEASE_MS } from '../../../../src/coordination/backend.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { EtcdRelay } from '../../../support/coordination/etcd-relay.ts';
import { signedList } from '../../../support/coordination/signed.ts';
import { freePort } from '../../../support/free-port.ts';
import { CutProxy } from '../../../support/stores/cut-proxy.ts';
import { EtcdCluster, available } from '../../../support/stores/etcd.ts';
import type { EtcdNode } from '../../../support/stores/etcd.ts';
import { PATIENCE_MS, until } from '../../../support/waiting.ts';

const HOUR_MS = 3_600_000;
/** What goes away comes back within this time (faults.md), on a machine that runs tests beside. */
const HEAL_MS = 5_000 + PATIENCE_MS;

describe('a relay whose etcd is away', { skip: available() ?? false, concurrency: 1 }, () => {
  let etcd: EtcdCluster;
  let relays: EtcdRelay[] = [];
  let proxies: CutProxy[] = [];

  beforeEach(() => {
    relays = [];
    proxies = [];
  });

  afterEach(async () => {
    await Promise.all(relays.map((relay) => relay.kill()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await etcd?.stop();
  });

  function relayOn(endpoints: readonly string[], id: string): EtcdRelay {
    const relay = new EtcdRelay(etcd.config({ endpoints }), id);
    relays.push(relay);
    return relay;
  }

  async function start(id: string, first: EtcdNode = etcd.first): Promise<EtcdRelay> {
    const others = etcd.nodes.filter((node) => node !== first).map(({ url }) => url);
    return await relayOn([first.url, ...others], id).start();
  }

  async function startProxy(): Promise<CutProxy> {
    const proxy = await CutProxy.start(etcd.first.port);
    proxies.push(proxy);
    return proxy;
  }

  async function startBehindProxy(id: string): Promise<{ relay: EtcdRelay; proxy: CutProxy }> {
    const proxy = await startProxy();
    return { relay: await relayOn([`http://127.0.0.1:${proxy.port}`], id).start(), proxy };
  }

  async function hearEachOther(a: EtcdRelay, b: EtcdRelay, text: string): Promise<void> {
    [a.record, b.record] = [`${text} of a`, `${text} of b`];
    await until(() => a.recordOf(b) === b.record && b.recordOf(a) === a.record, `they hear of each other's records: ${text}`, HEAL_MS);
  }

  function isUnavailable(error: unknown): boolean {
    return error instanceof RelaydError && error.code === 'STORE_UNAVAILABLE';
  }

  it('stops and starts again, as often as one likes, and leaves no connection behind', async () => {
    etcd = await EtcdCluster.start();
    const relay = relayOn([etcd.first.url], 'a');
    for (let i = 0; i < 3; i++) {
      await relay.start();
      await relay.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
      assert.deepEqual(await relay.holders('p'), ['a']);
      await relay.stop();
      await assert.rejects(relay.holders('p'), (error) => error instanceof RelaydError && error.code === 'CLOSED');
    }
    await until(() => !process.getActiveResourcesInfo().includes('TCPSocketWrap'), 'no connection is left');
    assert.deepEqual([relay.beats.errors, relay.heard.staleTimes, etcd.ask('get', '--prefix', '/')], [[], 0, '']);
  });

  it('starts without it, says so, and comes in when it is there', async () => {
    etcd = await EtcdCluster.start();
    await etcd.first.kill();
    const relay = await relayOn([etcd.first.url], 'a').start();
    assert.match(relay.registry.problem ?? '', /etcd does not answer: http:.*ECONNREFUSED/);
    assert.equal(relay.beats.errors.length, 1);
    await assert.rejects(relay.holders('p'), isUnavailable);
    await etcd.first.start();
    await until(() => relay.registry.problem === undefined, 'all is well', HEAL_MS);
    const other = await start('b');
    await hearEachOther(relay, other, 'at last');
    assert.equal(relay.heard.staleTimes, 0, 'nothing had been told before');
  });

  it('hears after a cut what happened meanwhile, and is told to tell all again', async () => {
    etcd = await EtcdCluster.start();
    const [{ relay: a, proxy }, b] = [await startBehindProxy('a'), await start('b')];
    await hearEachOther(a, b, 'before');
    const left = await start('left');
    await until(() => a.heard.relays.has('left'), 'the third relay is known');
    proxy.cut();
    await until(() => b.heard.goneBecause.get('a') === 'lapsed', 'its lease is over', LEASE_MS + HEAL_MS);
    assert.match(a.registry.problem ?? '', /etcd does not answer: .*no answer within/);
    assert.deepEqual([...a.heard.relays.keys()], ['b', 'left'], 'nobody is gone for who sees nothing');
    await left.stop();
    b.record = 'meanwhile';
    await b.registry.beat(Buffer.from('meanwhile'));
    proxy.heal();
    await until(() => a.recordOf(b) === 'meanwhile' && a.heard.goneBecause.get('left') === 'left' && a.heard.staleTimes === 1, 'it has heard all of it', HEAL_MS);
    await hearEachOther(a, b, 'after');
  });

  it('reads all anew when what it has missed was compacted', async () => {
    etcd = await EtcdCluster.start();
    const [proxy, other] = [await startProxy(), await startProxy()];
    const [a, b, left] = [await relayOn([proxy, other].map(({ port }) => `http://127.0.0.1:${port}`), 'a').start(), await start('b'), await start('left')];
    await until(() => a.heard.relays.size === 2, 'they are known');
    proxy.cut();
    other.cut();
    await until(() => a.registry.problem !== undefined, 'the cut is noticed, and the watch given up');
    await left.stop();
    await b.registry.beat(Buffer.from('one'));
    await b.registry.beat(Buffer.from('two'));
    b.record = 'three';
    await b.registry.beat(Buffer.from('three'));
    await b.registry.tellRevocations(signedList(4));
    etcd.compact();
    proxy.heal();
    await until(() => a.recordOf(b) === 'three' && a.heard.lists.get('aa')?.sequence === 4, 'it knows what is there', HEAL_MS);
    await until(() => a.heard.goneBecause.get('left') === 'lapsed', 'and what is not');
    await hearEachOther(a, b, 'after');
    assert.equal(a.heard.goneBecause.has('b'), false);
  });

  it('tells all again to an etcd that has lost everything, and takes nobody for gone', async () => {
    etcd = await EtcdCluster.start();
    const [a, b] = [await start('a'), await start('b')];
    await hearEachOther(a, b, 'before');
    await a.registry.tellRevocations(signedList(4));
    // So that the new one's revision is lower for long.
    for (let i = 0; i < 100; i++) await b.registry.beat(Buffer.from(`beat ${i}`));
    await hearEachOther(a, b, 'after many beats');
    await etcd.first.kill();
    etcd.first.forget();
    await etcd.first.start();
    await until(() => [a, b].every(({ heard }) => heard.staleTimes > 0), 'both are told', HEAL_MS);
    await hearEachOther(a, b, 'after');
    await until(() => etcd.ask('get', '--prefix', '/relayd/test/lists/').includes('list'), 'the revocation list is there again');
    assert.deepEqual([...a.heard.goneBecause, ...b.heard.goneBecause], []);
  });

  it('keeps its lease and hears all, whichever of three members dies or freezes', async (t) => {
    etcd = await EtcdCluster.start({ size: 3 });
    const [a, b] = [await start('a', etcd.nodes[0]), await start('b', etcd.nodes[1])];
    await hearEachOther(a, b, 'before');
    for (const [i, node] of etcd.nodes.entries()) {
      node.freeze();
      t.diagnostic(`member ${i + 1} frozen: ${await gapMs(a, () => hearEachOther(a, b, `frozen ${i}`))} ms without a write at most`);
      node.thaw();
      await until(() => [a, b].every(({ registry }) => registry.problem === undefined), 'all is well', HEAL_MS);
      await node.kill();
      t.diagnostic(`member ${i + 1} killed: ${await gapMs(a, () => hearEachOther(a, b, `killed ${i}`))} ms without a write at most`);
      await node.start();
      await until(() => etcd.isHealthy(), 'etcd is whole again', HEAL_MS);
    }
    assert.deepEqual([...a.heard.goneBecause, ...b.heard.goneBecause], []);
    assert.deepEqual([a.heard.staleTimes, b.heard.staleTimes], [0, 0], 'no lease was lost');
  });

  it('says that there is no quorum, answers nothing that may be old, and goes on when there is one', async (t) => {
    etcd = await EtcdCluster.start({ size: 3 });
    const [a, b] = [await start('a', etcd.nodes[0]), await start('b', etcd.nodes[1])];
    await hearEachOther(a, b, 'before');
    await a.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
    const [first, second] = etcd.nodes as [EtcdNode, EtcdNode];
    await first.kill();
    await second.kill();
    await until(() => [a, b].every(({ registry }) => /no leader: no quorum/.test(registry.problem ?? '')), 'both say so', HEAL_MS);
    await assert.rejects(a.registry.publish([{ peer: 'q', ttlMs: HOUR_MS }]), isUnavailable);
    await assert.rejects(b.holders('p'), isUnavailable, 'what one member knows may be old: the relays are asked');
    // Longer than a lease: nobody can end it without a quorum.
    const end = performance.now() + LEASE_MS + 2 * BEAT_EVERY_MS;
    await until(() => performance.now() > end, 'a lease would be over', 2 * LEASE_MS + PATIENCE_MS);
    await second.start();
    const startedAt = performance.now();
    await until(() => [a, b].every(({ registry }) => registry.problem === undefined), 'all is well', HEAL_MS);
    t.diagnostic(`all is well ${Math.round(performance.now() - startedAt)} ms after the second member's start`);
    await hearEachOther(a, b, 'after');
    assert.deepEqual([...a.heard.goneBecause, ...b.heard.goneBecause], []);
    assert.deepEqual(await b.holders('p'), ['a']);
  });

  it('says nothing of who holds what while etcd reads and does not write: it has not been told what is new', async () => {
    etcd = await EtcdCluster.start();
    const a = await start('a');
    await a.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
    await fullAlarm('ACTIVATE');
    a.record = 'to be written';
    await until(() => /database space exceeded/.test(a.registry.problem ?? ''), 'it says so', HEAL_MS);
    assert.match(etcd.ask('get', '--prefix', '--keys-only', '/relayd/test/reservations/'), /p/);
    await assert.rejects(a.holders('p'), isUnavailable);
    await fullAlarm('DEACTIVATE');
    await until(() => a.registry.problem === undefined, 'all is well', HEAL_MS);
    assert.deepEqual(await a.holders('p'), ['a']);
  });

  /** As when etcd's space is used up, or free again. */
  async function fullAlarm(action: 'ACTIVATE' | 'DEACTIVATE'): Promise<void> {
    const { status } = await fetch(`${etcd.first.url}/v3/maintenance/alarm`, { method: 'POST', body: JSON.stringify({ action, alarm: 'NOSPACE' }) });
    assert.equal(status, 200);
  }

  it('goes by when one of its addresses leads nowhere, or to something else', async () => {
    etcd = await EtcdCluster.start();
    const relay = await relayOn([`http://127.0.0.1:${await freePort()}`, etcd.first.url], 'a').start();
    assert.deepEqual([relay.beats.errors, relay.registry.problem], [[], undefined]);
  });
});

/** The longest time between two writes of `relay` that succeeded, while `work` goes on. */
async function gapMs(relay: EtcdRelay, work: () => Promise<void>): Promise<number> {
  let [last, longest] = [performance.now(), 0];
  const done = new AbortController();
  const writing = (async () => {
    for (let i = 0; !done.signal.aborted; i++) {
      await relay.registry.publish([{ peer: `gap-${i % 10}`, ttlMs: HOUR_MS }]).catch(() => {});
      if (relay.registry.problem !== undefined) continue;
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }
  })();
  await work();
  done.abort();
  await writing;
  return Math.round(longest);
}
