import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import fc from 'fast-check';
import { ManualClock } from '../../../src/lib/clock.ts';
import { INTERNAL_LIMITS } from '../../../src/relay/classes.ts';
import type { LimitClass } from '../../../src/relay/classes.ts';
import { Refused } from '../../../src/relay/refusal.ts';
import { Reservations } from '../../../src/relay/reservations.ts';
import type { Reservation } from '../../../src/relay/reservations.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

type Limits = typeof INTERNAL_LIMITS.reservations;
const HOUR = 3_600_000;
const ADDR = multiaddr('/ip4/192.0.2.7/tcp/1');
const limits = (set: Partial<Limits> = {}): Limits => ({ max: 100, perPrefix: Infinity, perAsn: Infinity, ttlMs: HOUR, ...set });

let ids: PeerId[];
before(async () => {
  ids = await makePeerIds(8);
});
const id = (i: number): PeerId => ids[i] ?? assert.fail();

interface Rig {
  clock: ManualClock;
  held: Reservations;
  told: string[];
  grant(peer: number, set?: Partial<Limits>, request?: { class?: LimitClass; prefixes?: string[]; asn?: number }): Reservation;
}

function rig(): Rig {
  const clock = new ManualClock();
  const told: string[] = [];
  const tell = (what: string) => (reservation: Reservation): void => void told.push(`${what} ${ids.findIndex((peer) => peer.equals(reservation.peer))}`);
  const held = new Reservations(clock, { opened: tell('opened'), renewed: tell('renewed'), closed: tell('closed') });
  const grant: Rig['grant'] = (peer, set = {}, request = {}) => held.grant({ peer: id(peer), addr: ADDR, prefixes: request.prefixes ?? [], asn: request.asn, standing: { class: request.class ?? 'public' } }, limits(set));
  return { clock, held, told, grant };
}

const refused = (limit: string, current: number, maximum: number) => (error: unknown): boolean => {
  assert.ok(error instanceof Refused, String(error));
  assert.deepEqual([error.limit, error.details.current, error.details.maximum], [limit, current, maximum]);
  return true;
};

describe('Reservations', () => {
  it('are given up to each cap, and again when one is free', () => {
    const cases = [
      ['reservations.max', { max: 2 }, {}],
      ['reservations.perPrefix', { perPrefix: 2 }, { prefixes: ['p'] }],
      ['reservations.perAsn', { perAsn: 2 }, { asn: 64_500 }],
    ] as const;
    for (const [name, set, request] of cases) {
      const { grant, held, told } = rig();
      const take = (peer: number): Reservation => grant(peer, set, { ...request, prefixes: [...('prefixes' in request ? request.prefixes : [])] });
      take(0);
      take(1);
      assert.throws(() => take(2), refused(name, 2, 2));
      assert.deepEqual([held.count('public'), held.get(id(2)), told], [2, undefined, ['opened 0', 'opened 1']], 'a refusal changes nothing');
      held.release(id(0));
      take(2);
      assert.throws(() => take(3), refused(name, 2, 2));
    }
  });

  it('are undone when nobody could be told of them, but not what was granted or renewed since', () => {
    const { grant, held, told } = rig();
    const first = grant(0);
    const renewed = grant(0);
    [first, renewed].forEach((one) => held.undo(one));
    assert.equal(held.get(id(0)), renewed);
    held.release(id(0));
    const another = grant(0);
    held.undo(first);
    assert.equal(held.get(id(0)), another);
    held.undo(another);
    assert.deepEqual([held.get(id(0)), told.at(-1)], [undefined, 'closed 0']);
  });

  it('say when a full pool may have room, never less than a second and never more than a minute', () => {
    const { grant, clock } = rig();
    const retry = (ttlMs: number): number | undefined => {
      try {
        grant(1, { max: 1, ttlMs });
        return undefined;
      } catch (error) {
        return error instanceof Refused ? error.details.retryAfterMs : undefined;
      }
    };
    grant(0, { max: 1, ttlMs: HOUR });
    assert.equal(retry(HOUR), 60_000);
    clock.advance(HOUR - 5_000);
    assert.equal(retry(HOUR), 5_000);
    clock.advance(4_900);
    assert.equal(retry(HOUR), 1_000);
  });

  it('count every prefix of an address, the fullest decides', () => {
    const { grant } = rig();
    grant(0, { perPrefix: 2 }, { prefixes: ['a/56', 'x/48'] });
    grant(1, { perPrefix: 2 }, { prefixes: ['b/56', 'x/48'] });
    assert.throws(() => grant(2, { perPrefix: 2 }, { prefixes: ['c/56', 'x/48'] }), refused('reservations.perPrefix', 2, 2));
    grant(2, { perPrefix: 2 }, { prefixes: ['c/56', 'y/48'] });
  });

  it('are renewed however full the pool is, which moves the expiry everywhere', () => {
    const { grant, held, clock, told } = rig();
    const set = { max: 1, perPrefix: 1, perAsn: 1 };
    const request = { prefixes: ['p'], asn: 1 };
    const first = grant(0, set, request);
    clock.advance(HOUR / 2);
    const second = grant(0, set, request);
    assert.equal(second.expireSeconds - first.expireSeconds, HOUR / 2000);
    assert.deepEqual([second.renewals, second.openedAt, held.count('public')], [1, first.openedAt, 1]);
    assert.equal(held.get(id(0)), second);
    clock.advance(HOUR / 2);
    assert.equal(held.get(id(0)), second, 'the first expiry no longer counts');
    clock.advance(HOUR / 2);
    assert.deepEqual([held.get(id(0)), held.count('public'), clock.pending], [undefined, 0, 0]);
    assert.deepEqual(told, ['opened 0', 'renewed 0', 'closed 0']);
    grant(1, set, request);
  });

  it('expire at their time, by the clock that nobody can set', () => {
    const { grant, held, clock, told } = rig();
    const { expireSeconds } = grant(0);
    assert.equal(expireSeconds, Math.floor((clock.wall() + HOUR) / 1000));
    clock.stepWall(2 * HOUR);
    assert.ok(held.get(id(0)), 'a wall clock set forward expires nothing early');
    clock.advance(HOUR - 1);
    assert.ok(held.get(id(0)));
    clock.stepWall(-10 * HOUR);
    clock.advance(1);
    assert.equal(held.get(id(0)), undefined, 'set back, nothing late');
    assert.deepEqual(told, ['opened 0', 'closed 0']);
  });

  it('that have expired count for nothing even before their timer has fired', () => {
    const told: string[] = [];
    // The event loop was busy: time has passed, timers have not fired.
    const late = new ManualClock();
    let lag = 0;
    const clock = { now: () => late.now() + lag, wall: () => late.wall() + lag, setTimer: late.setTimer.bind(late), setCoarseTimer: late.setCoarseTimer.bind(late) };
    const tell = (what: string) => (): void => void told.push(what);
    const reservations = new Reservations(clock, { opened: tell('opened'), renewed: tell('renewed'), closed: tell('closed') });
    const request = (peer: number) => ({ peer: id(peer), standing: { class: 'public' as const }, addr: ADDR, prefixes: ['p'], asn: undefined });
    const set = limits({ max: 1, perPrefix: 1 });
    reservations.grant(request(0), set);
    lag = HOUR;
    assert.equal(reservations.get(id(0)), undefined);
    reservations.grant(request(0), set);
    assert.deepEqual(told, ['opened', 'closed', 'opened'], 'the old one is over, this is a new one');
    assert.equal(reservations.count('public'), 1);
  });

  it('move to the other pool when their peer\'s class changes, if there is room', () => {
    const { grant, held, told } = rig();
    grant(0, {}, { prefixes: ['p'], asn: 1 });
    grant(1, { max: 1 }, { class: 'member' });
    assert.throws(() => grant(0, { max: 1 }, { class: 'member', prefixes: ['p'], asn: 1 }), refused('reservations.max', 1, 1));
    assert.equal(held.get(id(0))?.class, 'public', 'a refusal leaves it what it was');
    const moved = grant(0, { max: 2 }, { class: 'member', prefixes: ['q'] });
    assert.deepEqual([held.count('public'), held.count('member'), moved.renewals], [0, 2, 1]);
    grant(2, { max: 1, perPrefix: 1, perAsn: 1 }, { prefixes: ['p'], asn: 1 });
    assert.deepEqual(told, ['opened 0', 'opened 1', 'renewed 0', 'opened 2']);
  });

  it('are freed when they are released, once, and all at the end', () => {
    const { grant, held, told, clock } = rig();
    [0, 1, 2].forEach((peer) => grant(peer, {}, { prefixes: ['p'], asn: 1 }));
    held.release(id(1));
    held.release(id(1));
    held.release(id(5));
    assert.equal(held.all().length, 2);
    held.clear();
    assert.deepEqual([held.all().length, held.count('public'), clock.pending], [0, 0, 0]);
    assert.deepEqual(told.filter((line) => line.startsWith('closed')), ['closed 1', 'closed 0', 'closed 2']);
    [0, 1, 2].forEach((peer) => grant(peer, { perPrefix: 3, perAsn: 3 }, { prefixes: ['p'], asn: 1 }));
  });

  it('agree with a plain list, whatever comes', () => {
    const operation = fc.record({
      what: fc.constantFrom('grant' as const, 'grant' as const, 'release' as const, 'advance' as const),
      peer: fc.nat({ max: 7 }),
      class: fc.constantFrom('public' as const, 'member' as const),
      prefix: fc.constantFrom('a', 'b', undefined),
      asn: fc.constantFrom(1, 2, undefined),
      ms: fc.integer({ min: 1, max: 700 }),
    });
    const set = { max: 4, perPrefix: 2, perAsn: 3, ttlMs: 1_000 };
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        const { clock, held, grant, told } = rig();
        let model: { peer: number; class: LimitClass; prefix: string | undefined; asn: number | undefined; expiresAt: number }[] = [];
        for (const { what, peer, class: limitClass, prefix, asn, ms } of operations) {
          if (what === 'advance') {
            clock.advance(ms);
            model = model.filter(({ expiresAt }) => expiresAt > clock.now());
          } else if (what === 'release') {
            held.release(id(peer));
            model = model.filter((one) => one.peer !== peer);
          } else {
            const pool = model.filter((one) => one.class === limitClass);
            const own = model.find((one) => one.peer === peer);
            const inPrefix = prefix === undefined ? 0 : pool.filter((one) => one.prefix === prefix).length;
            const inAsn = asn === undefined ? 0 : pool.filter((one) => one.asn === asn).length;
            const full = own?.class !== limitClass && (pool.length >= set.max || inPrefix >= set.perPrefix || inAsn >= set.perAsn);
            const attempt = (): unknown => grant(peer, set, { class: limitClass, prefixes: prefix === undefined ? [] : [prefix], asn });
            if (full) {
              assert.throws(attempt, Refused);
            } else {
              attempt();
              model = [...model.filter((one) => one.peer !== peer), { peer, class: limitClass, prefix, asn, expiresAt: clock.now() + set.ttlMs }];
            }
          }
          const names = (list: number[]): string => list.toSorted((a, b) => a - b).join();
          assert.equal(names(held.all().map((one) => ids.findIndex((peerId) => peerId.equals(one.peer)))), names(model.map((one) => one.peer)));
          (['public', 'member'] as const).forEach((name) => assert.equal(held.count(name), model.filter((one) => one.class === name).length));
          assert.equal(clock.pending, model.length);
        }
        held.clear();
        const count = (word: string): number => told.filter((line) => line.startsWith(word)).length;
        assert.equal(count('opened'), count('closed'));
        [0, 1].forEach((peer) => grant(peer, set, { prefixes: ['a'], asn: 1 }));
      }),
    );
  });
});
