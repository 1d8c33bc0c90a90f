import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BEAT_EVERY_MS, LEASE_MS } from '../../../../src/coordination/backend.ts';
import type { SharedRevocations } from '../../../../src/coordination/backend.ts';
import { EtcdClient } from '../../../../src/coordination/etcd/client.ts';
import { readCredentials } from '../../../../src/coordination/etcd/credentials.ts';
import { Gateway } from '../../../../src/coordination/etcd/gateway.ts';
import { Keys } from '../../../../src/coordination/etcd/keys.ts';
import { deleteOf } from '../../../../src/coordination/etcd/messages.ts';
import { Session } from '../../../../src/coordination/etcd/session.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { silentLogger } from '../../../../src/lib/logger.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { EtcdRelay } from '../../../support/coordination/etcd-relay.ts';
import { proofsOf, signedList, signedRecord } from '../../../support/coordination/signed.ts';
import { EtcdCluster, available } from '../../../support/stores/etcd.ts';
import { PATIENCE_MS, until } from '../../../support/waiting.ts';

const HOUR_MS = 3_600_000;
/** etcd looks for leases that are over every half second; a beat of grace follows. */
const LAPSE_MS = LEASE_MS + 500 + BEAT_EVERY_MS + PATIENCE_MS;
const RECORD = '/relayd/test/relays/';

/** What the conformance suite does not look at: what lies in etcd itself, and runs of one relay. */
describe('the registry in etcd', { skip: available() ?? false, concurrency: 1 }, () => {
  let etcd: EtcdCluster;
  const relays: EtcdRelay[] = [];

  before(async () => (etcd = await EtcdCluster.start()));
  after(async () => {
    await Promise.all(relays.map((relay) => relay.kill()));
    await etcd?.stop();
  });

  async function start(id: string, epoch = 1): Promise<EtcdRelay> {
    const relay = new EtcdRelay(etcd.config(), id, epoch);
    relays.push(relay);
    return await relay.start();
  }

  function keys(prefix: string): string[] {
    return etcd.ask('get', '--prefix', prefix, '--keys-only').split('\n').filter((line) => line !== '');
  }

  function versionOf(key: string): number {
    const { kvs } = JSON.parse(etcd.ask('get', key, '-w', 'json')) as { kvs?: { version: number }[] };
    return kvs?.[0]?.version ?? 0;
  }

  it('lets a relay hear of the others\' records and their changes', async () => {
    const [a, b] = [await start('a1'), await start('b1')];
    await until(() => a.recordOf(b) === b.record && b.recordOf(a) === a.record, 'they know each other');
    b.record = 'new';
    await until(() => a.recordOf(b) === 'new', 'the change is heard');
    assert.equal(b.heard.relays.has('b1'), false, 'nobody hears of itself');
    assert.deepEqual([a.beats.errors, b.beats.errors, a.heard.problems], [[], [], []]);
  });

  it('writes a record that does not change far less often than it beats', async () => {
    const relay = await start('quiet');
    const version = versionOf(`${RECORD}quiet`);
    let beats = 0;
    const { registry } = relay;
    relay.beats.stop();
    for (; beats < 20; beats++) await registry.beat(Buffer.from(relay.record));
    assert.ok(versionOf(`${RECORD}quiet`) - version < beats / 2, `${versionOf(`${RECORD}quiet`) - version} writes in ${beats} beats`);
  });

  it('takes a relay that beats no more for gone, with all that it held, and not before its lease is over', async () => {
    const [a, victim] = [await start('a2'), await start('victim')];
    await until(() => a.heard.relays.has('victim'), 'the victim is known');
    await victim.registry.publish([{ peer: 'p2', ttlMs: HOUR_MS }]);
    const beatAt = performance.now();
    await victim.registry.beat(Buffer.from('last'));
    await victim.kill();
    await until(() => a.heard.goneBecause.get('victim') === 'lapsed', 'it has lapsed', LAPSE_MS);
    assert.ok(performance.now() - beatAt >= LEASE_MS, 'not before');
    assert.deepEqual(await a.holders('p2'), []);
  });

  it('keeps a relay known while its next run begins, and ends what the run before held', async () => {
    const [a, first] = [await start('a3'), await start('again')];
    await first.registry.publish([{ peer: 'p3', ttlMs: HOUR_MS }]);
    await first.kill();
    const second = await start('again', 2);
    assert.deepEqual(await a.holders('p3'), [], 'with its first beat');
    await until(() => a.recordOf(second) === second.record, 'the new record is heard');
    assert.equal(a.heard.goneBecause.has('again'), false);
    assert.equal(second.heard.staleTimes, 0);
  });

  it('fences an older run, and refuses one that begins while the newer lives', async () => {
    const older = await start('twice', 5);
    await older.registry.publish([{ peer: 'p4', ttlMs: HOUR_MS }]);
    const newer = await start('twice', 6);
    await newer.registry.publish([{ peer: 'p4', ttlMs: HOUR_MS }]);
    await until(() => older.heard.fencedTimes > 0, 'the older run hears of it');
    await assert.rejects(older.registry.beat(Buffer.from('still here')), (error) => error instanceof RelaydError && error.code === 'FENCED');
    await assert.rejects(older.registry.publish([{ peer: 'p4', ttlMs: undefined }]), (error) => error instanceof RelaydError && error.code === 'STORE_UNAVAILABLE');
    assert.deepEqual(await newer.holders('p4'), ['twice'], 'the older run takes nothing from the newer');
    assert.equal(older.heard.fencedTimes, 1);
    assert.deepEqual([newer.heard.fencedTimes, newer.beats.errors], [0, []]);
    await newer.stop();
    await older.registry.beat(Buffer.from('alone again'));
  });

  it('lets an older run change nothing, though it has not heard of the newer', async () => {
    const gateway = new Gateway({ urls: [etcd.first.url], credentials: { current: readCredentials(etcd.config()), readAgain: () => {} }, prefix: '', clock: systemClock });
    const [client, nothing] = [new EtcdClient(gateway, () => {}), (): void => {}];
    const older = new Session({ self: 'deaf', epoch: 1, keys: new Keys('test'), client, proofs: proofsOf({ id: 'deaf', epoch: 1 }), clock: systemClock, log: silentLogger, onWritten: nothing, onLost: nothing, onFenced: nothing, mustWrite: () => false });
    await older.beat(Buffer.from('older'));
    const newer = await start('deaf', 2);
    await newer.registry.publish([{ peer: 'p-deaf', ttlMs: HOUR_MS }]);
    await assert.rejects(older.commit([deleteOf('/relayd/test/reservations/p-deaf/deaf')]), (error) => error instanceof RelaydError && error.code === 'STORE_UNAVAILABLE');
    assert.deepEqual(await newer.holders('p-deaf'), ['deaf']);
    gateway.close();
  });

  it('says everything again when its lease was taken away', async () => {
    const [a, relay] = [await start('a5'), await start('robbed')];
    await until(() => a.heard.relays.has('robbed'), 'it is known');
    await relay.registry.publish([{ peer: 'p5', ttlMs: HOUR_MS }]);
    const { kvs } = JSON.parse(etcd.ask('get', `${RECORD}robbed`, '-w', 'json')) as { kvs: { lease: unknown }[] };
    assert.ok(kvs[0]?.lease);
    const lease = etcd.ask('lease', 'list').split('\n').find((id) => /^[0-9a-f]+$/.test(id) && etcd.ask('lease', 'timetolive', id, '--keys').includes('relays/robbed')) as string;
    etcd.ask('lease', 'revoke', lease);
    await until(() => relay.heard.staleTimes === 1, 'it is told that the store has lost it');
    await relay.registry.publishAll([{ peer: 'p5', ttlMs: HOUR_MS }]);
    assert.deepEqual(await a.holders('p5'), ['robbed']);
    assert.equal(a.heard.goneBecause.has('robbed'), false, 'nobody took it for gone');
  });

  it('tells all reservations anew only where they are not there', async () => {
    const relay = await start('thrifty');
    const held = Array.from({ length: 300 }, (_, i) => ({ peer: `held-${i}`, ttlMs: HOUR_MS }));
    await relay.registry.publishAll(held);
    const key = (i: number): string => `/relayd/test/reservations/held-${i}/thrifty`;
    etcd.ask('del', key(7));
    await relay.registry.publishAll(held);
    assert.equal(versionOf(key(7)), 1, 'what was lost is there again');
    assert.equal(versionOf(key(299)), 1, 'what was there is not written again');
    await relay.registry.publishAll(held.slice(0, 1));
    assert.deepEqual(keys('/relayd/test/reservations/held-'), [key(0)]);
  });

  it('counts what earlier runs have used, once, and lets it outlive them all', async () => {
    const usage = (bytes: number): { key: string; window: string; bytes: number }[] => [{ key: 'quota/peer/x', window: '2026-11', bytes }];
    const report = (relay: EtcdRelay, bytes: number): Promise<number[]> => relay.registry.report(usage(bytes), AbortSignal.timeout(PATIENCE_MS));
    const other = await start('a6');
    assert.deepEqual(await report(other, 1), [1]);
    for (const [epoch, total] of [[1, 101], [2, 201], [3, 301]] as const) {
      const relay = await start('spender', epoch);
      assert.deepEqual(await report(relay, 40), [total - 60]);
      assert.deepEqual(await report(relay, 100), [total]);
      assert.deepEqual(await report(relay, 100), [total]);
      await relay.stop();
    }
    assert.deepEqual(await report(other, 1), [301]);
    assert.deepEqual(keys('/relayd/test/usage/2026-11/quota%2Fpeer%2Fx/'), ['a6', 'spender'].map((id) => `/relayd/test/usage/2026-11/quota%2Fpeer%2Fx/${id}`));
  });

  it('writes nothing for a question, and never less than it has told', async () => {
    const [relay, other] = [await start('asks'), await start('counts')];
    const report = (from: EtcdRelay, key: string, bytes: number): Promise<number[]> => from.registry.report([{ key, window: '2026-11', bytes }], AbortSignal.timeout(PATIENCE_MS));
    const usages = (key: string): string[] => keys(`/relayd/test/usage/2026-11/${encodeURIComponent(key)}/`);
    assert.deepEqual(await report(relay, 'quota/peer/nobody', 0), [0]);
    assert.deepEqual(usages('quota/peer/nobody'), []);
    assert.deepEqual(await report(other, 'quota/peer/used', 900), [900]);
    assert.deepEqual(await report(relay, 'quota/peer/used', 0), [900]);
    assert.deepEqual(await report(other, 'quota/peer/used', 0), [900]);
    assert.deepEqual([usages('quota/peer/used').length, versionOf('/relayd/test/usage/2026-11/quota%2Fpeer%2Fused/counts')], [1, 1]);
    const again = await (await other.kill(), start('counts'));
    assert.deepEqual(await report(again, 'quota/peer/used', 10), [900], 'of the same epoch');
    assert.deepEqual(await report(again, 'quota/peer/used', 910), [910]);
  });

  it('counts the usage of many keys at once, in the order in which they were asked', async () => {
    const relay = await start('many');
    const usage = Array.from({ length: 150 }, (_, i) => ({ key: `quota/peer/many-${i}`, window: '2026-11-21', bytes: i }));
    assert.deepEqual(await relay.registry.report(usage, AbortSignal.timeout(PATIENCE_MS)), usage.map(({ bytes }) => bytes));
  });

  it('never puts an older revocation list in place of a newer one', async () => {
    const [a, b] = [await start('a7'), await start('b7')];
    const list = (sequence: number): SharedRevocations => signedList(sequence, 'ff');
    await Promise.all([a.registry.tellRevocations(list(3)), b.registry.tellRevocations(list(17)), a.registry.tellRevocations(list(16)), b.registry.tellRevocations(list(5))]);
    await a.registry.tellRevocations(list(2));
    assert.equal(etcd.ask('get', '/relayd/test/lists/ff', '--print-value-only'), `${(17).toString(16).padStart(16, '0')} list list 17 signed by ff.`);
    await until(() => a.heard.lists.get('ff')?.sequence === 17, 'the newest is heard');
    const late = await start('late');
    await until(() => Buffer.from(late.heard.lists.get('ff')?.list ?? Buffer.of()).toString() === 'list 17 signed by ff.', 'who comes later has it');
  });

  it('is not fenced by what its key has not signed, and writes its own record over it', async () => {
    const [a, relay] = [await start('a8'), await start('claimed')];
    await relay.registry.publish([{ peer: 'p8', ttlMs: HOUR_MS }]);
    const forgeries = ['not signed', signedRecord({ id: 'a8', epoch: 9 }, 'x').toString(), relay.record];
    for (const forgery of forgeries) {
      const { staleTimes } = relay.heard;
      etcd.ask('put', `${RECORD}claimed`, `000fffffffffffff alive ${forgery}`);
      await until(() => relay.heard.staleTimes > staleTimes, 'it is announced anew');
      await relay.registry.publishAll([{ peer: 'p8', ttlMs: HOUR_MS }]);
      assert.equal(etcd.ask('get', `${RECORD}claimed`, '--print-value-only'), `${'1'.padStart(16, '0')} alive ${relay.record}`);
    }
    await until(() => a.recordOf(relay) === relay.record, 'the others have the true one again');
    assert.deepEqual([relay.heard.fencedTimes, relay.registry.problem, relay.beats.errors, await a.holders('p8')], [0, undefined, [], ['claimed']]);
  });

  it('begins where somebody has put a forged record, and leaves the lease alone that it hangs on', async () => {
    const other = await start('lender');
    const { kvs } = JSON.parse(etcd.ask('get', `${RECORD}lender`, '-w', 'json')) as { kvs: { lease: number }[] };
    const lease = etcd.ask('lease', 'list').split('\n').find((id) => /^[0-9a-f]+$/.test(id) && etcd.ask('lease', 'timetolive', id, '--keys').includes('relays/lender')) as string;
    assert.ok(kvs[0]?.lease);
    etcd.ask('put', `--lease=${lease}`, `${RECORD}begun`, '000fffffffffffff alive not signed');
    const relay = await start('begun');
    assert.deepEqual([relay.heard.fencedTimes, relay.beats.errors], [0, []]);
    await until(() => other.recordOf(relay) === relay.record, 'it is known');
    assert.equal(other.heard.staleTimes, 0);
  });

  it('puts the true revocation list in place of what its authority has not signed', async () => {
    const [a, b] = [await start('a9'), await start('b9')];
    const key = '/relayd/test/lists/ee';
    const stored = (): string => etcd.ask('get', key, '--print-value-only');
    const text = ({ sequence, list }: SharedRevocations): string => `${sequence.toString(16).padStart(16, '0')} list ${Buffer.from(list).toString()}`;
    const [five, six] = [signedList(5, 'ee'), signedList(6, 'ee')];
    await a.registry.tellRevocations(five);
    for (const forged of ['000fffffffffffff list garbage', text({ ...five, sequence: 9_000 }), text({ ...five, list: Buffer.from('x') }), 'zzz']) {
      etcd.ask('put', key, forged);
      await until(() => stored() === text(five), `the true one is back in place of ${forged}`);
    }
    etcd.ask('del', key);
    await until(() => stored() === text(five), 'it is told again when it was deleted');
    await b.registry.tellRevocations(six);
    assert.equal(stored(), text(six), 'before the telling ends');
    await until(() => a.heard.lists.get('ee')?.sequence === 6, 'it is heard');
    assert.equal(b.heard.lists.get('ee')?.sequence, 5, 'nothing else ever was');
  });

  it('tells a revocation list to a store that holds something else under a higher number', async () => {
    etcd.ask('put', '/relayd/test/lists/dd', '000fffffffffffff list garbage');
    const [a, b] = [await start('a10'), await start('b10')];
    await a.registry.tellRevocations(signedList(6, 'dd'));
    assert.match(etcd.ask('get', '/relayd/test/lists/dd', '--print-value-only'), /^0{15}6 list list 6 signed by dd/);
    await until(() => b.heard.lists.get('dd')?.sequence === 6, 'it is heard');
  });

  it('gives up a question whose asker does', async () => {
    const relay = await start('patient');
    const asker = new AbortController();
    const asked = relay.registry.holders('x', asker.signal);
    asker.abort();
    await assert.rejects(asked, (error) => error instanceof RelaydError && error.code === 'CLOSED');
    assert.equal(relay.registry.problem, undefined);
  });
});
