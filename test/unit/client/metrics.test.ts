import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { clientMetrics } from '../../../src/client/metrics.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { metric } from './support.ts';

const refused = (status: number): RelaydError => new RelaydError('RESERVATION_REFUSED', 'no', { data: { status } });

test('every series is there from the start, at zero', async () => {
  const registry = new Registry();
  clientMetrics(registry);
  const names = [
    'status', 'desired_reservations', 'relay_addresses_count', 'reservations_opened_total', 'reservations_closed_total', 'relay_addresses_updated_total',
    'candidates_circuit_v2_support_total{support="yes"}', 'candidates_circuit_v2_support_total{support="no"}',
    'candidates_total{type="added"}', 'candidates_total{type="removed"}',
    'scheduled_work_time{work_type="reservation refresh"}', 'scheduled_work_time{work_type="clear backoff"}',
    'scheduled_work_time{work_type="old candidate check"}', 'scheduled_work_time{work_type="allowed peer source call"}',
  ];
  for (const name of names) {
    assert.equal(await metric(registry, `libp2p_autorelay_${name}`), 0, name);
  }
  assert.equal(await metric(registry, 'libp2p_autorelay_candidate_loop_state'), 3, 'go\'s number for stopped');
  for (const type of ['new', 'refresh']) {
    for (const outcome of ['success', 'connection failed', 'malformed message', 'reservation refused', 'permission denied', 'resource limit exceeded', 'err other']) {
      assert.equal(await metric(registry, `libp2p_autorelay_reservation_requests_outcome_total{request_type="${type}",outcome="${outcome}"}`), 0);
    }
  }
});

test('outcomes have go\'s words, and no label takes anything else', async () => {
  const registry = new Registry();
  const metrics = clientMetrics(registry);
  const cases: [unknown, string][] = [
    [undefined, 'success'],
    [refused(200), 'reservation refused'],
    [refused(201), 'resource limit exceeded'],
    [refused(202), 'permission denied'],
    [refused(400), 'malformed message'],
    [refused(203), 'connection failed'],
    [refused(777), 'err other'],
    [new RelaydError('VOUCHER_INVALID', 'bad'), 'malformed message'],
    [new RelaydError('TIMEOUT', 'late'), 'connection failed'],
    [new Error('ECONNREFUSED 10.0.0.1'), 'connection failed'],
  ];
  const before = (await registry.metrics()).split('\n').length;
  for (const [error, outcome] of cases) {
    const series = `libp2p_autorelay_reservation_requests_outcome_total{request_type="refresh",outcome="${outcome}"}`;
    const count = (await metric(registry, series)) ?? assert.fail(series);
    metrics.requestFinished('refresh', error);
    assert.equal(await metric(registry, series), count + 1);
  }
  assert.equal((await registry.metrics()).split('\n').length, before);
});

test('the parts of one node count into one registry', () => {
  const registry = new Registry();
  assert.equal(clientMetrics(registry), clientMetrics(registry));
  assert.notEqual(clientMetrics(registry), clientMetrics(new Registry()));
});
