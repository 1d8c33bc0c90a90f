import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../src/lib/clock.ts';
import { assertOk, assertRefused } from '../support/refusals.ts';
import { withRelay } from '../support/relay-under-test.ts';
import type { RelayUnderTest } from '../support/relay-under-test.ts';
import type { Answer, WirePeer } from '../support/wire-peer.ts';

/** Rates are told per minute, and the relay's clock is moved by hand: nothing here depends on how fast the machine is. */
const rates = (set: object): object => ({ relay: { limits: { rates: set } } });

async function withClock(keys: object, use: (relay: RelayUnderTest, clock: ManualClock) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  await withRelay(keys, (relay) => use(relay, clock), { clock });
}

describe('relay.limits.rates', { concurrency: 2 }, () => {
  it('reservePerPeer: one more in the time is refused with 201 and told when to come again; another peer is served', () =>
    withClock(rates({ reservePerPeer: '2/m' }), async (relay, clock) => {
      const [peer, other] = [await relay.peer(), await relay.peer()];
      assertOk(await peer.reserve());
      assertOk(await peer.reserve());
      const refused = { request: 'reserve', status: 201, limit: 'rates.reservePerPeer', current: 2, maximum: 2, retryWithinSeconds: 30 } as const;
      await assertRefused(relay, await peer.reserve(), refused);
      assertOk(await other.reserve());
      clock.advance(30_000);
      assertOk(await peer.reserve());
      await assertRefused(relay, await peer.reserve(), { ...refused, times: 2 });
      assert.equal((await relay.counts()).reservations.count, 2, 'a refused renewal takes nothing away');
    }));

  it('reservePerPeer: a renewal in good time costs nothing, whatever the rate', () =>
    withClock({ relay: { limits: { rates: { reservePerPeer: '1/h' }, reservations: { ttl: '10m' } } } }, async (relay, clock) => {
      const peer = await relay.peer();
      assertOk(await peer.reserve());
      for (let i = 0; i < 5; i++) {
        clock.advance(5 * 60_000);
        assertOk(await peer.reserve());
      }
      await assertRefused(relay, await peer.reserve(), { request: 'reserve', status: 201, limit: 'rates.reservePerPeer' });
    }));

  it('reservePerPrefix: one more from the address is refused with 201, from another it is served', () =>
    withClock({ ...rates({ reservePerPrefix: '2/m' }), prefixes: true }, async (relay, clock) => {
      for (let i = 0; i < 2; i++) await relay.reserved({ from: '127.0.0.2' });
      const third = await relay.peer({ from: '127.0.0.2' });
      await assertRefused(relay, await third.reserve(), { request: 'reserve', status: 201, limit: 'rates.reservePerPrefix', current: 2, maximum: 2, retryWithinSeconds: 30 });
      await relay.reserved({ from: '127.0.0.3' });
      clock.advance(30_000);
      assertOk(await third.reserve());
    }));

  it('connectPerPeer: one more in the time is refused with 201 and told when to come again; another peer is served', () =>
    withClock(rates({ connectPerPeer: '2/m' }), async (relay, clock) => {
      const target = await relay.reserved();
      const [source, other] = [await relay.peer(), await relay.peer()];
      const connect = (from: WirePeer): Promise<Answer> => from.connectTo(target.peerId);
      assertOk(await connect(source));
      assertOk(await connect(source));
      const refused = { request: 'connect', status: 201, limit: 'rates.connectPerPeer', current: 2, maximum: 2, retryWithinSeconds: 30 } as const;
      await assertRefused(relay, await connect(source), refused);
      assertOk(await connect(other));
      clock.advance(30_000);
      assertOk(await connect(source));
      await assertRefused(relay, await connect(source), { ...refused, times: 2 });
    }));

  it('connectPerPeer: asking in vain counts, too', () =>
    withClock(rates({ connectPerPeer: '2/m' }), async (relay) => {
      const [source, stranger] = [await relay.peer(), await relay.peer()];
      for (let i = 0; i < 2; i++) assert.equal((await source.connectTo(stranger.peerId)).status, 204);
      await assertRefused(relay, await source.connectTo(stranger.peerId), { request: 'connect', status: 201, limit: 'rates.connectPerPeer' });
    }));

  it('connectPerPrefix: one more from the address is refused with 201, from another it is served', () =>
    withClock({ ...rates({ connectPerPrefix: '2/m' }), prefixes: true }, async (relay, clock) => {
      const target = await relay.reserved();
      const sources = [await relay.peer({ from: '127.0.0.2' }), await relay.peer({ from: '127.0.0.2' })];
      for (const source of sources) assertOk(await source.connectTo(target.peerId));
      const third = await relay.peer({ from: '127.0.0.2' });
      await assertRefused(relay, await third.connectTo(target.peerId), { request: 'connect', status: 201, limit: 'rates.connectPerPrefix', current: 2, maximum: 2, retryWithinSeconds: 30 });
      assertOk(await (await relay.peer({ from: '127.0.0.3' })).connectTo(target.peerId));
      clock.advance(30_000);
      assertOk(await third.connectTo(target.peerId));
    }));

  it('relay.prefixes.exempt has no rate per prefix, and has those per peer', () =>
    withClock(rates({ reservePerPrefix: '1/m', connectPerPrefix: '1/m', connectPerPeer: '2/m' }), async (relay) => {
      const targets = [await relay.reserved(), await relay.reserved(), await relay.reserved()];
      const source = await relay.peer();
      for (const target of targets.slice(0, 2)) assertOk(await source.connectTo(target.peerId));
      await assertRefused(relay, await source.connectTo(targets[2]?.peerId ?? source.peerId), { request: 'connect', status: 201, limit: 'rates.connectPerPeer' });
    }));
});
