import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openVoucher } from '../../src/lib/circuit/voucher.ts';
import { ManualClock } from '../../src/lib/clock.ts';
import { mmdbOf } from '../support/mmdb.ts';
import { assertOk, assertRefused } from '../support/refusals.ts';
import { withRelay } from '../support/relay-under-test.ts';
import type { RelayUnderTest } from '../support/relay-under-test.ts';
import { until } from '../support/waiting.ts';
import type { WirePeer } from '../support/wire-peer.ts';

const reservations = (set: object): object => ({ relay: { limits: { reservations: set } } });
const AT = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const;

/** Waits until the relay has seen that a peer is gone. */
const heldBy = (relay: RelayUnderTest, count: number): Promise<void> => until(async () => (await relay.counts()).reservations.count === count, `${count} reservations`);

/** Shorter than what else a circuit or a connection may wait for. */
const TTL_MS = 20_000;

/** A relay whose reservations last so long, by a clock that is moved by hand. */
async function withTtl(use: (relay: RelayUnderTest, clock: ManualClock) => Promise<void>): Promise<void> {
  const clock = new ManualClock(Date.now());
  await withRelay(reservations({ ttl: `${TTL_MS}ms` }), (relay) => use(relay, clock), { clock });
}

describe('relay.limits.reservations', { concurrency: 2 }, () => {
  it('max: one more is refused with 200, until one is free', () =>
    withRelay(reservations({ max: 2 }), async (relay) => {
      const [first] = [await relay.reserved(), await relay.reserved()];
      const third = await relay.peer();
      await assertRefused(relay, await third.reserve(), { request: 'reserve', status: 200, limit: 'reservations.max', current: 2, maximum: 2, retryWithinSeconds: 60 });
      assertOk(await first.reserve());
      await first.disconnect();
      await heldBy(relay, 1);
      assertOk(await third.reserve());
      await assertRefused(relay, await (await relay.peer()).reserve(), { request: 'reserve', status: 200, limit: 'reservations.max', current: 2, maximum: 2, times: 2 });
      assert.deepEqual((await relay.counts()).reservations, { count: 2, max: 2 });
      const metrics = await relay.metrics();
      assert.deepEqual(['opened', 'renewed', 'closed'].map((type) => metrics.get(`libp2p_relaysvc_reservations_total{type="${type}"}`)), [3, 1, 1]);
      assert.equal(metrics.get('libp2p_relaysvc_reservation_request_response_status_total{status="ok"}'), 4);
      assert.equal(metrics.get('relayd_relay_reservations{class="public"}'), 2);
    }));

  it('max: a connection that is lost frees its slot, too', () =>
    withRelay(reservations({ max: 1 }), async (relay) => {
      const first = await relay.reserved();
      await first.disconnect('abort');
      await heldBy(relay, 0);
      await relay.reserved();
    }));

  it('max: 0 gives none', () =>
    withRelay(reservations({ max: 0 }), async (relay) => {
      await assertRefused(relay, await (await relay.peer()).reserve(), { request: 'reserve', status: 200, limit: 'reservations.max', current: 0, maximum: 0 });
    }));

  it('perPrefix: one more from the same address is refused with 201, another address is welcome', () =>
    withRelay({ ...reservations({ perPrefix: 2 }), prefixes: true }, async (relay) => {
      const [first] = [await relay.reserved({ from: AT[1] }), await relay.reserved({ from: AT[1] })];
      const third = await relay.peer({ from: AT[1] });
      await assertRefused(relay, await third.reserve(), { request: 'reserve', status: 201, limit: 'reservations.perPrefix', current: 2, maximum: 2 });
      await relay.reserved({ from: AT[2] });
      assertOk(await first.reserve());
      await first.disconnect();
      await heldBy(relay, 2);
      assertOk(await third.reserve());
      assert.equal(await relay.metric('libp2p_relaysvc_reservation_rejections_total{reason="ip constraint violation"}'), 1);
    }));

  it('perPrefix: relay.prefixes.ipv4 says how much of an address is the prefix', () =>
    withRelay({ relay: { limits: { reservations: { perPrefix: 1 } }, prefixes: { ipv4: 24 } }, prefixes: true }, async (relay) => {
      await relay.reserved({ from: '127.0.7.1' });
      await assertRefused(relay, await (await relay.peer({ from: '127.0.7.200' })).reserve(), { request: 'reserve', status: 201, limit: 'reservations.perPrefix', current: 1, maximum: 1 });
      await relay.reserved({ from: '127.0.8.1' });
    }));

  it('perPrefix: relay.prefixes.exempt has no such limit', () =>
    withRelay({ relay: { limits: { reservations: { perPrefix: 1 } }, prefixes: { exempt: ['127.0.0.2/32'] } }, prefixes: true }, async (relay) => {
      for (let i = 0; i < 3; i++) await relay.reserved({ from: AT[1] });
      await relay.reserved({ from: AT[2] });
      await assertRefused(relay, await (await relay.peer({ from: AT[2] })).reserve(), { request: 'reserve', status: 201, limit: 'reservations.perPrefix' });
    }));

  it('perAsn: one more from the same AS is refused with 201, whatever its address', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'relayd-asn-'));
    const asnFile = join(folder, 'asn.mmdb');
    // 127.0.0.0/16 is AS 64500; the rest of the loopback network is in none.
    await writeFile(asnFile, mmdbOf({ address: Uint8Array.of(127, 0, 0, 0), bits: 16, asn: 64_500 }));
    try {
      await withRelay({ relay: { asnFile, limits: { reservations: { perAsn: 2 } } }, prefixes: true }, async (relay) => {
        const [first] = [await relay.reserved({ from: AT[0] }), await relay.reserved({ from: AT[1] })];
        const third = await relay.peer({ from: AT[2] });
        await assertRefused(relay, await third.reserve(), { request: 'reserve', status: 201, limit: 'reservations.perAsn', current: 2, maximum: 2 });
        for (let i = 0; i < 3; i++) await relay.reserved({ from: '127.1.0.1' });
        await first.disconnect();
        await heldBy(relay, 4);
        assertOk(await third.reserve());
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('ttl: a reservation ends with it, its addresses, its voucher and its expiry agree, and a renewal moves all of them', () =>
    withTtl(async (relay, clock) => {
      const [target, source] = [await relay.peer(), await relay.peer()];
      const granted = await target.reserve();
      const { reservation } = granted;
      assertOk(granted);
      const expire = reservation?.expire ?? 0;
      assert.equal(reservation?.ttlSeconds, TTL_MS / 1_000);
      assert.ok(expire * 1000 <= clock.wall() + TTL_MS && expire * 1000 > clock.wall() + TTL_MS - 1_000, 'seconds, within the TTL');
      const { remotePeer } = target.connection;
      await openVoucher(reservation?.voucher ?? new Uint8Array(), { relay: remotePeer, peer: target.peerId, expireSeconds: expire });
      clock.advance(TTL_MS - 1_000);
      assertOk(await source.connectTo(target.peerId));
      clock.advance(1_000);
      await heldBy(relay, 0);
      const late = await source.connectTo(target.peerId);
      assert.equal(late.status, 204, 'its peer is still connected, and no longer reachable');
      assertOk(await target.reserve());
      assertOk(await source.connectTo(target.peerId));
      assert.equal(await relay.metric('libp2p_relaysvc_reservations_total{type="closed"}'), 1);
    }));

  it('ttl: its end does not cut a circuit that is inside its own limits', () =>
    withTtl(async (relay, clock) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const { stream } = await source.connectTo(target.peerId);
      const { stream: far } = await target.nextIncoming();
      clock.advance(TTL_MS);
      await heldBy(relay, 0);
      const came = new Promise((resolve) => far.addEventListener('message', resolve, { once: true }));
      stream.send(Uint8Array.of(1));
      await came;
      assert.equal((await relay.counts()).circuits.count, 1);
    }));

  it('a request that was refused holds nothing, and its stream is closed', () =>
    withRelay(reservations({ max: 0 }), async (relay) => {
      const peer: WirePeer = await relay.peer();
      const { stream } = await peer.request({ type: 'RESERVE' });
      await until(() => stream.remoteWriteStatus === 'closed', 'the relay to close the stream');
    }));
});
