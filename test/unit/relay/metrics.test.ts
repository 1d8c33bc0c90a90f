import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { Status } from '../../../src/lib/circuit/protocol.ts';
import { CIRCUIT_ENDS } from '../../../src/relay/circuit.ts';
import { RelayMetrics } from '../../../src/relay/metrics.ts';
import { REFUSALS, Refused } from '../../../src/relay/refusal.ts';
import type { RefusalName } from '../../../src/relay/refusal.ts';

const NAMES = Object.keys(REFUSALS) as RefusalName[];

function make(inCluster = true): { metrics: RelayMetrics; value: (name: string, labels: Record<string, string>) => Promise<number | undefined>; series: () => Promise<string[]> } {
  const registry = new Registry();
  const metrics = new RelayMetrics(registry, { reservations: () => 3, circuits: () => 2, bufferedBytes: () => 1, bytesRelayed: () => 0, limits: (limitClass) => ({ reservations: limitClass === 'public' ? 4 : 0, circuits: 5, bufferedBytes: Infinity }) }, inCluster);
  const value = async (name: string, labels: Record<string, string>): Promise<number | undefined> => (await registry.getSingleMetric(name)?.get())?.values.find((one) => JSON.stringify(one.labels) === JSON.stringify(labels))?.value;
  const series = async (): Promise<string[]> => (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.slice(0, line.lastIndexOf(' ')));
  return { metrics, value, series };
}

describe('the relay\'s metrics', () => {
  it('have every series from the start, at zero, and no new ones come', async () => {
    const { metrics, series } = make();
    const atStart = await series();
    for (const request of ['reserve', 'connect'] as const) {
      for (const name of NAMES) {
        for (const limitClass of ['public', 'member'] as const) metrics.refused(request, name, limitClass);
      }
      metrics.accepted(request);
    }
    metrics.reservationOpened();
    metrics.reservationRenewed();
    metrics.reservationClosed();
    metrics.circuitOpened();
    for (const reason of CIRCUIT_ENDS) metrics.circuitClosed('public', reason, 1_000);
    metrics.status.set(1);
    assert.deepEqual((await series()).sort(), atStart.sort());
    assert.ok(atStart.some((name) => name.includes('limit="reservations.max"')) && atStart.some((name) => name.includes('reason="duration limit"')));
  });

  it('say nothing of a cluster where there is none', async () => {
    const inNone = await make(false).series();
    const inOne = await make().series();
    assert.deepEqual(inOne.filter((name) => !name.includes('limit="cluster.')), inNone);
    assert.ok(inOne.length > inNone.length);
  });

  it('say what each class may have beside what it has', async () => {
    const { value } = make();
    assert.deepEqual([await value('relayd_relay_reservations_max', { class: 'public' }), await value('relayd_relay_reservations_max', { class: 'member' })], [4, 0]);
    assert.equal(await value('relayd_relay_circuits_max', { class: 'public' }), 5);
    assert.equal(await value('relayd_relay_buffered_bytes_max', { class: 'member' }), Infinity);
  });

  it('have go-libp2p\'s names and labels', async () => {
    const { series } = make();
    const all = await series();
    for (const name of [
      'status',
      'data_transferred_bytes_total',
      ...['opened', 'renewed', 'closed'].map((type) => `reservations_total{type="${type}"}`),
      ...['opened', 'closed'].map((type) => `connections_total{type="${type}"}`),
      ...['ok', 'rejected', 'error'].flatMap((status) => [`reservation_request_response_status_total{status="${status}"}`, `connection_request_response_status_total{status="${status}"}`]),
      ...['ip constraint violation', 'resource limit exceeded', 'permission denied', 'no reservation', 'malformed message'].flatMap((reason) => [`reservation_rejections_total{reason="${reason}"}`, `connection_rejections_total{reason="${reason}"}`]),
      'connection_duration_seconds_count',
    ]) {
      assert.ok(all.includes(`libp2p_relaysvc_${name}`), name);
    }
  });

  it('count each refusal under its status, its reason for go\'s dashboards, and its limit', async () => {
    for (const [request, prefix] of [['reserve', 'reservation'], ['connect', 'connection']] as const) {
      for (const name of NAMES) {
        const { metrics, value } = make();
        metrics.refused(request, name, 'public');
        const { status, reason } = REFUSALS[name];
        const isError = status === Status.CONNECTION_FAILED || status === Status.UNEXPECTED_MESSAGE;
        assert.equal(await value(`libp2p_relaysvc_${prefix}_request_response_status_total`, { status: isError ? 'error' : 'rejected' }), 1, name);
        assert.equal((await value(`libp2p_relaysvc_${prefix}_rejections_total`, { reason })) ?? 0, isError ? 0 : 1, name);
        assert.equal(await value('relayd_relay_refusals_total', { request, limit: name, class: 'public' }), 1, name);
      }
    }
  });

  it('read their gauges when they are scraped', async () => {
    const { value } = make();
    assert.equal(await value('relayd_relay_reservations', { class: 'member' }), 3);
    assert.equal(await value('relayd_relay_circuits', { class: 'public' }), 2);
    assert.equal(await value('relayd_relay_buffered_bytes', { class: 'public' }), 1);
  });
});

describe('Refused', () => {
  it('tells the peer which limit, how far, and when to come again, in whole numbers', () => {
    assert.deepEqual(new Refused('reservations.max', { current: 128, maximum: 128, retryAfterMs: 1 }).toMessage(['/ip4/192.0.2.1/tcp/1']), { limit: 'reservations.max', current: 128, maximum: 128, retryAfterSeconds: 1, alternatives: ['/ip4/192.0.2.1/tcp/1'] });
    assert.deepEqual(new Refused('rates.connectPerPeer', { current: 0.5, maximum: 2.5, retryAfterMs: 1_001 }).toMessage([]), { limit: 'rates.connectPerPeer', current: 1, maximum: 2, retryAfterSeconds: 2, alternatives: [] });
    assert.deepEqual(new Refused('no reservation', { maximum: Infinity }).toMessage([]), { limit: 'no reservation', current: undefined, maximum: undefined, retryAfterSeconds: undefined, alternatives: [] });
  });

  it('names other relays where one of them may have room, and never to whom it turns away for who he is or what he asks', () => {
    const helped = NAMES.filter((name) => new Refused(name).toMessage(['/ip4/192.0.2.1/tcp/1']).alternatives.length > 0);
    assert.deepEqual(helped, ['reservations.max', 'reservations.perPrefix', 'reservations.perAsn', 'circuits.max', 'circuits.pending', 'memory.total', 'event loop', 'draining']);
  });

  it('has a status of the specification for every limit, and go-libp2p\'s for full, too many and forbidden', () => {
    for (const name of NAMES) assert.ok(Object.values(Status).includes(new Refused(name).status) && new Refused(name).status !== Status.OK, name);
    assert.equal(new Refused('reservations.max').status, 200);
    assert.equal(new Refused('circuits.perSource').status, 201);
    assert.equal(new Refused('members only').status, 202);
  });
});
