import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DirectoryClient } from '../support/directory-client.ts';
import { makePeerIds } from '../support/peer-ids.ts';
import { withRelay } from '../support/relay-under-test.ts';
import type { RelayUnderTest } from '../support/relay-under-test.ts';
import { until, within } from '../support/waiting.ts';

/** Longer than any test: what ends before it did not wait for it. */
const LONG = { drain: { timeout: '60s' } };

/** A client of our kind that holds a reservation. */
async function asked(relay: RelayUnderTest): Promise<DirectoryClient> {
  const client = await DirectoryClient.start(await relay.reserved());
  await client.get();
  return client;
}

/** What the relay says of clients that have been told and have not moved. */
async function leaving(relay: RelayUnderTest): Promise<number> {
  return (await relay.counts()).leaving;
}

describe('a drain', () => {
  it('is told at once to every client that asked, with the time left and other relays, and ends when all have moved', async () => {
    const alternative = `/ip4/192.0.2.1/tcp/4001/p2p/${String((await makePeerIds(1))[0])}`;
    await withRelay({ ...LONG, relay: { alternatives: [alternative] } }, async (relay) => {
      const clients = await Promise.all([asked(relay), asked(relay), asked(relay)]);
      let drained = false;
      const draining = relay.node.drain().then(() => (drained = true));
      const told = await Promise.all(clients.map((client) => client.nextTold()));
      for (const { statement } of told) {
        assert.equal(statement.draining, true);
        assert.ok((statement.drainEndsInMs ?? 0) > 50_000 && (statement.drainEndsInMs ?? 0) <= 60_000);
        assert.deepEqual(statement.alternatives.map(String), [alternative]);
      }
      assert.equal((await clients[0]?.get())?.draining, true, 'who asks during a drain is told too');
      told.slice(1).forEach(({ ready }) => ready());
      await until(async () => (await leaving(relay)) === 1, 'two clients to have moved');
      assert.equal(drained, false);
      told[0]?.ready();
      await within(draining, 'the drain');
      assert.equal(await relay.metric('relayd_relay_statements_total{outcome="pushed"}'), 3);
    });
  });

  it('does not wait for a client that is gone', () =>
    withRelay(LONG, async (relay) => {
      const [polite, lost] = await Promise.all([asked(relay), asked(relay)]);
      const draining = relay.node.drain();
      await Promise.all([polite.nextTold(), lost.nextTold()]);
      await polite.peer.disconnect('close');
      await lost.peer.disconnect('abort');
      await within(draining, 'the drain');
    }));

  it('waits for a client that never moves no longer than it may, and not for its connection', () =>
    withRelay({ drain: { timeout: '1s' } }, async (relay) => {
      const client = await asked(relay);
      const startedAt = performance.now();
      const draining = relay.node.drain();
      await client.nextTold();
      await within(draining, 'the drain');
      assert.ok(performance.now() - startedAt >= 900, 'not before');
      assert.equal(client.peer.connection.status, 'open', 'a drain does not stop the node');
      assert.equal(await leaving(relay), 0);
    }));

  it('ends at once with standard peers alone, whose renewals are refused with a way out', async () => {
    const alternative = `/ip4/192.0.2.1/tcp/4001/p2p/${String((await makePeerIds(1))[0])}`;
    await withRelay({ ...LONG, relay: { alternatives: [alternative] } }, async (relay) => {
      const standard = await relay.reserved();
      await within(relay.node.drain(), 'the drain');
      const { status, refusal } = await standard.reserve();
      assert.deepEqual([status, refusal?.limit, refusal?.alternatives], [201, 'draining', [alternative]]);
      assert.equal((await relay.counts()).reservations.count, 1, 'what is held stays until the node stops');
    });
  });

  it('waits for the circuits when the clients have moved', () =>
    withRelay(LONG, async (relay) => {
      const [target, source] = [await asked(relay), await relay.peer()];
      const { stream } = await source.connectTo(target.peer.peerId);
      const { stream: far } = await target.peer.nextIncoming();
      let drained = false;
      const draining = relay.node.drain().then(() => (drained = true));
      (await target.nextTold()).ready();
      await until(async () => (await leaving(relay)) === 0, 'the client to have moved');
      assert.equal(drained, false);
      await Promise.all([stream.close(), far.close()]);
      await within(draining, 'the drain');
    }));

  it('is over for a node that stops in the middle of it', () =>
    withRelay(LONG, async (relay) => {
      const client = await asked(relay);
      const draining = relay.node.drain();
      await client.nextTold();
      await relay.node.stop();
      await within(draining, 'the drain');
    }));
});
