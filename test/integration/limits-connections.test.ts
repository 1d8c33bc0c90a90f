import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ManualClock } from '../../src/lib/clock.ts';
import { withRelay } from '../support/relay-under-test.ts';
import type { RelayUnderTest } from '../support/relay-under-test.ts';
import { assertOk } from '../support/refusals.ts';
import { until, within } from '../support/waiting.ts';
import type { WirePeer } from '../support/wire-peer.ts';

const refusals = (relay: RelayUnderTest, limit: string): Promise<number> => relay.metric(`relayd_connections_refused_total{limit="${limit}"}`);
const openOnes = (relay: RelayUnderTest): Promise<number> => relay.metric('relayd_connections_open');
const pendingOnes = (relay: RelayUnderTest): Promise<number> => relay.metric('relayd_connections_pending');

/** A peer that cannot connect says why only as "the connection was reset". */
async function isRefused(relay: RelayUnderTest, options: { from?: string } = {}): Promise<boolean> {
  const peer = await relay.unconnectedPeer(options);
  return peer.connect(relay.addr).then(() => false, () => true);
}

describe('connections', () => {
  const sockets: Socket[] = [];
  afterEach(() => sockets.splice(0).forEach((socket) => socket.destroy()));

  /** A socket that says nothing: a handshake that never comes. */
  async function silentSocket(relay: RelayUnderTest, from: string): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: relay.port, localAddress: from });
    sockets.push(socket);
    // A refusal may come with the connection itself.
    await new Promise<void>((resolve) => {
      socket.on('error', () => {}).once('connect', resolve).once('close', () => resolve());
    });
    return socket;
  }

  async function closed(socket: Socket): Promise<void> {
    if (!socket.closed) await within(once(socket.resume(), 'close'), 'the relay to close a socket');
  }

  it('max: one more is refused, until one is closed', () =>
    withRelay({ connections: { low: 2, high: 3, max: 3 } }, async (relay) => {
      const peers = [await relay.peer(), await relay.peer(), await relay.peer()];
      assert.equal(await isRefused(relay), true);
      assert.equal(await refusals(relay, 'max'), 1);
      await peers[0]?.disconnect();
      await until(async () => (await openOnes(relay)) === 2, 'the connection to be gone');
      assert.equal(await isRefused(relay), false);
      assert.equal(await refusals(relay, 'max'), 1);
    }));

  it('max: handshakes that are pending count', () =>
    withRelay({ connections: { low: 2, high: 3, max: 3 } }, async (relay) => {
      for (let i = 0; i < 3; i++) await silentSocket(relay, '127.0.0.9');
      await until(async () => (await pendingOnes(relay)) === 3, 'the sockets to be seen');
      assert.equal(await isRefused(relay), true);
      sockets.forEach((socket) => socket.destroy());
      await until(async () => (await pendingOnes(relay)) === 0, 'the sockets to be gone');
      assert.equal(await isRefused(relay), false);
    }));

  it('high and low: above high, those without reservation or circuit are closed down to low, the oldest first', async () => {
    const clock = new ManualClock();
    await withRelay(
      { connections: { low: 4, high: 6, max: 100 }, relay: { limits: { circuits: { idle: 'unlimited', duration: 'unlimited' } } } },
      async (relay) => {
        const reserved = await relay.reserved();
        const source = await relay.peer();
        assertOk(await source.connectTo(reserved.peerId));
        const idle: WirePeer[] = [];
        for (let i = 0; i < 4; i++) {
          idle.push(await relay.peer());
          await until(async () => (await openOnes(relay)) === 3 + i, 'the relay to see it');
          clock.advance(60_000);
        }
        assert.equal(await openOnes(relay), 6, 'at high nothing is closed');
        idle.push(await relay.peer());
        await until(async () => (await openOnes(relay)) === 4, 'the trim');
        const isOpen = (peer: WirePeer): boolean => peer.connection.status === 'open';
        await until(() => idle.filter(isOpen).length === 2, 'the peers to see it');
        assert.deepEqual(idle.map(isOpen), [false, false, false, true, true]);
        assert.ok(isOpen(reserved) && isOpen(source), 'spared, although they are the oldest');
        assert.equal(await relay.metric('relayd_connections_trimmed_total'), 3);
        assert.equal((await relay.counts()).circuits.count, 1);
      },
      { clock },
    );
  });

  it('high and low: with more reservations than high, a newcomer can still reserve', async () => {
    const clock = new ManualClock();
    await withRelay(
      { connections: { low: 1, high: 2, max: 100 } },
      async (relay) => {
        for (let i = 0; i < 4; i++) {
          await relay.reserved();
          clock.advance(60_000);
        }
        assert.deepEqual([(await relay.counts()).reservations.count, await openOnes(relay)], [4, 4]);
      },
      { clock },
    );
  });

  it('pendingPerPrefix: one more handshake of an address is refused, those of others are not', () =>
    withRelay(
      { connections: { pendingPerPrefix: 3 }, prefixes: true },
      async (relay) => {
        for (let i = 0; i < 3; i++) await silentSocket(relay, '127.0.0.2');
        await until(async () => (await pendingOnes(relay)) === 3, 'the sockets to be seen');
        await closed(await silentSocket(relay, '127.0.0.2'));
        assert.equal(await refusals(relay, 'pendingPerPrefix'), 1);
        assert.equal(await isRefused(relay, { from: '127.0.0.2' }), true);
        assert.equal(await isRefused(relay, { from: '127.0.0.3' }), false);
        sockets[0]?.destroy();
        await until(async () => (await pendingOnes(relay)) === 2, 'the socket to be gone');
        assert.equal(await isRefused(relay, { from: '127.0.0.2' }), false);
        assert.equal(await refusals(relay, 'pendingPerPrefix'), 2);
      },
      // Time stands still: a silent socket that has had its time would give way.
      { clock: new ManualClock() },
    ));

  it('pendingPerPrefix: a socket that has said nothing gives way to a peer that speaks; one that has begun to speak does not', async () => {
    const clock = new ManualClock();
    await withRelay(
      { connections: { pendingPerPrefix: 2 }, prefixes: true },
      async (relay) => {
        const [speaking, silent] = [await silentSocket(relay, '127.0.0.2'), await silentSocket(relay, '127.0.0.2')];
        const answered = once(speaking, 'data');
        speaking.write('\x13/multistream/1.0.0\n');
        await within(answered, 'the relay to answer the one');
        clock.advance(1_000);
        assert.equal(await isRefused(relay, { from: '127.0.0.2' }), false);
        await closed(silent);
        assert.equal(speaking.destroyed, false);
        assert.deepEqual([await refusals(relay, 'pendingPerPrefix'), await relay.metric('relayd_handshakes_evicted_total{reason="silent"}')], [0, 1]);
      },
      { clock },
    );
  });

  it('pendingPerPrefix: with an idle socket every 0.4 s from one address, 99 of 100 honest dials from it succeed', () =>
    withRelay({ connections: { pendingPerPrefix: 16 }, prefixes: true }, async (relay) => {
      // As many as would have come before, had it gone on for so long.
      for (let i = 0; i < 16; i++) {
        await silentSocket(relay, '127.0.0.2');
        await sleep(40);
      }
      const idlers = setInterval(() => void silentSocket(relay, '127.0.0.2'), 400);
      try {
        const outcomes = await Promise.all(Array.from({ length: 4 }, () => dialRepeatedly(relay, 50)));
        const failed = outcomes.flat().filter((ok) => !ok).length;
        assert.ok(failed <= 2, `${failed} of ${outcomes.flat().length} dials failed`);
        assert.ok((await relay.metric('relayd_handshakes_evicted_total{reason="silent"}')) >= 10, 'the sockets were in the way');
      } finally {
        clearInterval(idlers);
      }
    }));

  /** Connects and leaves again, `times` times, over about four seconds. */
  async function dialRepeatedly(relay: RelayUnderTest, times: number): Promise<boolean[]> {
    const peer = await relay.unconnectedPeer({ from: '127.0.0.2' });
    const outcomes: boolean[] = [];
    while (outcomes.length < times) {
      const connected = await peer.connect(relay.addr).then(() => true, () => false);
      outcomes.push(connected);
      if (connected) await peer.disconnect();
      await sleep(80);
    }
    return outcomes;
  }

  it('inboundPerPrefix: one more in a second from an address is refused, from others it is not', async () => {
    const clock = new ManualClock();
    await withRelay(
      { connections: { inboundPerPrefix: '3/s' }, prefixes: true },
      async (relay) => {
        for (let i = 0; i < 3; i++) assert.equal(await isRefused(relay, { from: '127.0.0.2' }), false);
        assert.equal(await isRefused(relay, { from: '127.0.0.2' }), true);
        assert.equal(await refusals(relay, 'inboundPerPrefix'), 1);
        assert.equal(await isRefused(relay, { from: '127.0.0.3' }), false);
        clock.advance(334);
        assert.equal(await isRefused(relay, { from: '127.0.0.2' }), false);
        assert.equal(await isRefused(relay, { from: '127.0.0.2' }), true);
        assert.equal(await refusals(relay, 'inboundPerPrefix'), 2);
      },
      { clock },
    );
  });

  it('exempt prefixes have no limit per prefix', () =>
    withRelay({ connections: { pendingPerPrefix: 1, inboundPerPrefix: '1/m' } }, async (relay) => {
      for (let i = 0; i < 4; i++) await silentSocket(relay, '127.0.0.2');
      for (let i = 0; i < 4; i++) assert.equal(await isRefused(relay, { from: '127.0.0.2' }), false);
    }));
});
