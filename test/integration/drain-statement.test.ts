import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadConfig } from '../../src/config/index.ts';
import type { LoadResult } from '../../src/config/index.ts';
import { ManualClock } from '../../src/lib/clock.ts';
import { DirectoryClient } from '../support/directory-client.ts';
import { makePeerIds } from '../support/peer-ids.ts';
import { withRelay } from '../support/relay-under-test.ts';
import { settled, until } from '../support/waiting.ts';

/** How often a relay looks whether it has something to tell. */
const LOOK_MS = 10_000;

const addr = async (): Promise<string> => `/ip4/192.0.2.1/tcp/4001/p2p/${String((await makePeerIds(1))[0])}`;

describe('a relay\'s statement about itself', () => {
  it('is given to who asks: limits, load, region, version and other relays', async () => {
    const alternative = await addr();
    const limits = { reservations: { max: 4, ttl: '10m' }, circuits: { duration: '1m', bytesPerDirection: 'unlimited' } };
    await withRelay({ relay: { region: 'eu-west', alternatives: [alternative], limits } }, async (relay) => {
      const client = await DirectoryClient.start(await relay.reserved());
      const statement = await client.get();
      assert.deepEqual(statement.classes, [{ name: 'public', reservationsMax: 4, reservationTtlMs: 600_000, circuitDurationMs: 60_000, circuitBytesPerDirection: Infinity }]);
      assert.deepEqual({ ...statement.load, eventLoopDelayMs: 0 }, { reservations: 0.25, circuits: 0, bandwidth: undefined, eventLoopDelayMs: 0 });
      assert.deepEqual(statement.alternatives.map(String), [alternative]);
      assert.deepEqual([statement.region, statement.draining, statement.drainEndsInMs], ['eu-west', false, undefined]);
      assert.match(statement.version, /^\d+\.\d+\.\d+/);
      assert.equal(await relay.metric('relayd_relay_statements_total{outcome="answered"}'), 1);
    });
  });

  it('names the limits of members where there can be any, and each class\'s own load', async () => {
    const [member] = await makePeerIds(1);
    await withRelay({ relay: { open: false }, realm: { members: [String(member)] } }, async (relay) => {
      const stranger = await DirectoryClient.start(await relay.peer());
      const { classes, load } = await stranger.get();
      assert.deepEqual(classes.map(({ name }) => name), ['member']);
      assert.deepEqual([load.reservations, load.circuits], [1, 1], 'a stranger has no room here');
    });
  });

  it('is brought to those who asked and hold a reservation when it changes, and to nobody else', async () => {
    const clock = new ManualClock();
    const limits = { reservations: { max: 4 } };
    await withRelay(
      { relay: { limits } },
      async (relay) => {
        const client = await DirectoryClient.start(await relay.reserved());
        const onlooker = await DirectoryClient.start(await relay.peer());
        const first = await client.get();
        await onlooker.get();
        await relay.reserved();
        await relay.reserved();
        const silent = await DirectoryClient.start(await relay.reserved());
        clock.advance(LOOK_MS);
        const told = await client.nextTold();
        assert.equal(told.statement.load.reservations, 1);
        assert.ok(told.statement.sequence > first.sequence);
        told.ready();
        await until(async () => (await relay.metric('relayd_relay_statements_total{outcome="pushed"}')) === 1, 'the push to be counted');
        clock.advance(LOOK_MS);
        await settled();
        assert.equal(await relay.metric('relayd_relay_statements_total{outcome="pushed"}'), 1);
        assert.equal((await silent.get()).load.reservations, 1);
      },
      { clock },
    );
  });

  it('takes a new region and other alternatives when the config is read again', async () => {
    const alternative = await addr();
    const reloadConfig = async (inline: object): Promise<LoadResult> => loadConfig({ inline: { ...inline, relay: { ...(inline as { relay: object }).relay, region: 'moon', alternatives: [alternative] } } });
    await withRelay(
      {},
      async (relay) => {
        const client = await DirectoryClient.start(await relay.peer());
        assert.deepEqual((await client.get()).alternatives, []);
        await relay.node.reload();
        const { region, alternatives } = await client.get();
        assert.deepEqual([region, alternatives.map(String)], ['moon', [alternative]]);
      },
      { reloadConfig },
    );
  });

  it('is one that nobody needs: a relay that is full says where there may be room, and one that turns somebody away does not', async () => {
    const alternative = await addr();
    await withRelay({ relay: { alternatives: [alternative], limits: { reservations: { max: 1 } }, access: { connect: { deny: ['127.0.0.9'] } } } }, async (relay) => {
      const holder = await relay.reserved();
      const refused = await (await relay.peer()).reserve();
      assert.deepEqual([refused.refusal?.limit, refused.refusal?.alternatives], ['reservations.max', [alternative]]);
      const denied = await (await relay.peer({ from: '127.0.0.9' })).connectTo(holder.peerId);
      assert.deepEqual([denied.refusal?.limit, denied.refusal?.alternatives], ['access.connect', []]);
    });
  });
});
