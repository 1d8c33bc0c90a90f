import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { addStateMetrics } from '../../../src/node/state-metrics.ts';
import type { NodeState } from '../../../src/lib/contracts.ts';
import { withRelay } from '../../support/relay-under-test.ts';

const DRAIN_MS = 60_000;

describe('the state of a node, as series', () => {
  it('follows the state, the last readiness check and the drain', async () => {
    const registry = new Registry();
    const now: { state: NodeState; problems: string[] | undefined; drainEndsAt: number | undefined } = { state: 'starting', problems: undefined, drainEndsAt: undefined };
    addStateMetrics(registry, { config: { profile: 'tier2', role: 'both' }, state: () => now.state, problems: () => now.problems, drainEndsAt: () => now.drainEndsAt });
    const values = async (name: string): Promise<number[]> => ((await registry.getSingleMetric(name)?.get())?.values ?? []).map(({ value }) => value);
    assert.deepEqual(await values('relayd_state'), [1, 0, 0]);
    assert.deepEqual(await values('relayd_ready'), [], 'nothing is known yet');
    assert.deepEqual(await values('relayd_drain_deadline_seconds'), [0]);
    now.state = 'ready';
    now.problems = [];
    assert.deepEqual([await values('relayd_state'), await values('relayd_ready')], [[0, 1, 0], [1]]);
    now.problems = ['no way through'];
    assert.deepEqual(await values('relayd_ready'), [0]);
    now.drainEndsAt = 1_700_000_000_500;
    assert.deepEqual(await values('relayd_drain_deadline_seconds'), [1_700_000_000.5]);
    assert.match(await registry.metrics(), /relayd_info\{version="\d+\.\d+\.\d+",profile="tier2",role="both"\} 1/);
  });

  it("is that of a real relay: ready after a check, draining until the drain's deadline, ready again", () =>
    withRelay({ drain: { timeout: `${DRAIN_MS}ms` } }, async (relay) => {
      await relay.node.view.readinessProblems(AbortSignal.timeout(10_000));
      assert.deepEqual([await relay.metric('relayd_ready'), await relay.metric('relayd_state{state="ready"}')], [1, 1]);
      const before = Date.now() + DRAIN_MS;
      await relay.node.drain();
      assert.deepEqual([await relay.metric('relayd_ready'), await relay.metric('relayd_state{state="draining"}')], [0, 1]);
      const deadlineMs = (await relay.metric('relayd_drain_deadline_seconds')) * 1000;
      assert.ok(deadlineMs >= before && deadlineMs <= Date.now() + DRAIN_MS, `${deadlineMs}`);
      await relay.node.stop();
      await relay.node.start();
      assert.deepEqual([await relay.metric('relayd_drain_deadline_seconds'), await relay.metric('relayd_state{state="ready"}')], [0, 1]);
    }));
});
