import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { ManualClock, systemClock } from '../../../src/lib/clock.ts';
import { readinessProblems } from '../../../src/node/readiness.ts';
import { SelfCheck } from '../../../src/node/self-check.ts';
import { stockDataPath } from '../../../src/transport/stock.ts';
import { withRelay } from '../../support/relay-under-test.ts';
import { AddressPolicy } from '../../../src/node/address-policy.ts';
import { PATIENCE_MS, until, within } from '../../support/waiting.ts';

const problems = (relay: { node: { view: { readinessProblems(signal: AbortSignal): Promise<string[]> } } }): Promise<string[]> => relay.node.view.readinessProblems(AbortSignal.timeout(PATIENCE_MS));

describe('the readiness check', () => {
  it('opens a circuit through the relay itself and leaves nothing in any count', () =>
    withRelay({}, async (relay) => {
      for (let i = 0; i < 3; i++) assert.deepEqual(await problems(relay), []);
      const metrics = await relay.metrics();
      assert.deepEqual(
        [...metrics].filter(([name, value]) => /relaysvc_(reservation|connection|data)|relayd_relay_(?!\w+_max)/.test(name) && value > 0),
        [],
      );
      await until(async () => (await relay.metric('relayd_connections_open')) === 0, 'its connections to be closed');
      assert.deepEqual([relay.node.view.reservations(), relay.node.view.circuits()], [[], []]);
    }));

  it('does not need the room of users, nor their permission', () =>
    withRelay({ relay: { open: false, limits: { reservations: { max: 0 }, circuits: { max: 0 } }, access: { reserve: { deny: ['127.0.0.0/8'] }, connect: { deny: ['127.0.0.0/8'] }, target: { deny: ['127.0.0.0/8'] } } } }, async (relay) => {
      assert.deepEqual(await problems(relay), []);
    }));

  it('does not need the room of its own address either, nor take any', () =>
    withRelay({ prefixes: true, connections: { pendingPerPrefix: 1, inboundPerPrefix: '1/m' }, relay: { limits: { reservations: { perPrefix: 1 }, rates: { reservePerPrefix: '1/m', connectPerPrefix: '1/m' } } } }, async (relay) => {
      for (let i = 0; i < 3; i++) assert.deepEqual(await problems(relay), []);
      await relay.reserved();
      const another = await relay.unconnectedPeer();
      await assert.rejects(another.connect(relay.addr), 'the address has used its one');
      assert.equal(await relay.metric('relayd_connections_refused_total{limit="inboundPerPrefix"}'), 1);
      assert.deepEqual(await problems(relay), []);
    }));

  it('fails for a while after the event loop has stood still', () => {
    const clock = new ManualClock();
    return withRelay(
      {},
      async (relay) => {
        assert.deepEqual(await problems(relay), []);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_100);
        await until(async () => (await relay.metric('relayd_event_loop_delay_seconds{quantile="max"}')) > 3, 'the stall to be seen');
        assert.match((await problems(relay)).join(), /^the event loop stood still for [3-9]\.\d s within the last 10 s$/);
        clock.advance(5_000);
        assert.equal((await problems(relay)).length, 1);
        clock.advance(5_000);
        assert.deepEqual(await problems(relay), []);
      },
      { clock },
    );
  });

  it('fails while the event loop runs late all the time', async () => {
    const reasons = (p99: number, max: number): Promise<string[]> =>
      readinessProblems({ state: 'ready', delay: { p99Ms: () => p99, maxMs: () => max } }, AbortSignal.timeout(1_000));
    assert.deepEqual(await reasons(1_000, 3_000), []);
    assert.deepEqual(await reasons(1_234, 2_000), ['the event loop runs 1.2 s late (p99 of the last 10 s)']);
    assert.deepEqual(await reasons(10, 5_001), ['the event loop stood still for 5.0 s within the last 10 s']);
  });

  it('fails while the relay drains', () =>
    withRelay({}, async (relay) => {
      await relay.node.drain();
      assert.deepEqual(await problems(relay), ['draining']);
    }));

  it('says what failed when the relay cannot be reached, and within its time', async () => {
    const check = await SelfCheck.create(stockDataPath({ security: ['noise'], swarmKey: undefined, windowBytes: 256 * 1024, lookup: new AddressPolicy(true, []).lookup, clock: systemClock }));
    const [peer] = [...check.peers];
    const nowhere = multiaddr(`/ip4/127.0.0.1/tcp/1/p2p/${peer ?? ''}`);
    await assert.rejects(within(check.run(nowhere, AbortSignal.timeout(2_000)), 'the failure', 4_000));
  });
});
