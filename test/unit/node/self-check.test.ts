import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { systemClock } from '../../../src/lib/clock.ts';
import { SelfCheck } from '../../../src/node/self-check.ts';
import { stockDataPath } from '../../../src/transport/stock.ts';
import { withRelay } from '../../support/relay-under-test.ts';
import { AddressPolicy } from '../../../src/node/address-policy.ts';
import { until, within } from '../../support/waiting.ts';

const problems = (relay: { node: { view: { readinessProblems(signal: AbortSignal): Promise<string[]> } } }): Promise<string[]> => relay.node.view.readinessProblems(AbortSignal.timeout(5_000));

describe('the readiness check', () => {
  it('opens a circuit through the relay itself and leaves nothing in any count', () =>
    withRelay({}, async (relay) => {
      for (let i = 0; i < 3; i++) assert.deepEqual(await problems(relay), []);
      const metrics = await relay.metrics();
      assert.deepEqual(
        [...metrics].filter(([name, value]) => /relaysvc_(reservation|connection|data)|relayd_relay_/.test(name) && value > 0),
        [],
      );
      await until(async () => (await relay.metric('relayd_connections_open')) === 0, 'its connections to be closed');
      assert.deepEqual([relay.node.view.reservations(), relay.node.view.circuits()], [[], []]);
    }));

  it('does not need the room of users, nor their permission', () =>
    withRelay({ relay: { open: false, limits: { reservations: { max: 0 }, circuits: { max: 0 } }, access: { reserve: { deny: ['127.0.0.0/8'] }, connect: { deny: ['127.0.0.0/8'] }, target: { deny: ['127.0.0.0/8'] } } } }, async (relay) => {
      assert.deepEqual(await problems(relay), []);
    }));

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
