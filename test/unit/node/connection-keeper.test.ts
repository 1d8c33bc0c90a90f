import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import type { Connection, MultiaddrConnection, PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { Registry } from 'prom-client';
import type { ConnectionsConfig } from '../../../src/config/domain.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { ConnectionKeeper } from '../../../src/node/connection-keeper.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { settled } from '../../support/waiting.ts';

const CONFIG: ConnectionsConfig = { low: 3, high: 5, max: 100, pendingPerPrefix: 100, inboundPerPrefix: undefined };
const PREFIXES = { ipv4: 32, ipv6: [64, 48], exempt: ['198.51.100.0/24'] };
const GRACE_MS = 2_000;

class FakeConnection extends EventTarget {
  readonly remoteAddr;
  readonly remotePeer: PeerId;
  closed: 'no' | 'closed' | 'aborted' = 'no';
  stubborn = false;
  received: Uint8Array[] = [];

  constructor(addr: string, peer: PeerId) {
    super();
    this.remoteAddr = multiaddr(addr);
    this.remotePeer = peer;
  }

  onData(data: Uint8Array): void {
    this.received.push(data);
  }

  close(): Promise<void> {
    if (this.stubborn) return Promise.reject(new Error('it does not close'));
    this.closed = 'closed';
    return Promise.resolve();
  }

  abort(): void {
    this.closed = 'aborted';
  }
}

describe('ConnectionKeeper', () => {
  let ids: PeerId[];
  let clock: ManualClock;
  let registry: Registry;
  let keeper: ConnectionKeeper;
  let spared: Set<string>;
  let asked: number;
  let own: Set<string>;

  before(async () => {
    ids = await makePeerIds(20);
  });
  beforeEach(() => make());

  function make(config: Partial<ConnectionsConfig> = {}): void {
    clock = new ManualClock();
    registry = new Registry();
    spared = new Set();
    asked = 0;
    own = new Set();
    const isProtected = () => (asked++, (connection: Connection) => spared.has(connection.remotePeer.toString()));
    keeper = new ConnectionKeeper({ config: { ...CONFIG, ...config }, prefixes: PREFIXES, clock, log: silentLogger, registry, isOwn: (addr) => own.has(addr.toString()), isProtected });
  }

  const connection = (i = 0, addr = '/ip4/192.0.2.1/tcp/1'): FakeConnection => new FakeConnection(addr, ids[i] ?? assert.fail());
  const refuses = (made: FakeConnection): boolean => keeper.refuseInbound(made as unknown as MultiaddrConnection);
  const upgraded = (made: FakeConnection): void => keeper.upgraded(made as unknown as MultiaddrConnection);
  const event = (made: FakeConnection): CustomEvent<Connection> => new CustomEvent('connection', { detail: made as unknown as Connection });
  const open = (made: FakeConnection): FakeConnection => (keeper.opened(event(made)), made);
  const openMany = (count: number): FakeConnection[] =>
    Array.from({ length: count }, (_, i) => {
      clock.advance(1);
      return open(connection(i));
    });
  const states = (made: FakeConnection[]): string => made.map(({ closed }) => closed[0]).join('');
  const value = async (name: string, labels: Record<string, string> = {}): Promise<number | undefined> =>
    (await registry.getSingleMetric(name)?.get())?.values.find((one) => Object.entries(labels).every(([label, text]) => one.labels[label] === text))?.value;
  const refused = (limit: string): Promise<number | undefined> => value('relayd_connections_refused_total', { limit });

  it('lets in no more than max, pending ones counted', async () => {
    make({ max: 3 });
    const [first, second] = [connection(0), connection(1)];
    assert.deepEqual([first, second].map(refuses), [false, false]);
    upgraded(first);
    open(first);
    assert.equal(refuses(connection(2)), false);
    assert.equal(refuses(connection(3)), true);
    assert.equal(await refused('max'), 1);
    keeper.closed(event(first));
    assert.equal(refuses(connection(3)), false);
    assert.deepEqual([await value('relayd_connections_open'), await value('relayd_connections_pending')], [0, 3]);
  });

  it('lets in so many handshakes of a prefix at a time; a handshake is over when it has succeeded or its socket is closed', async () => {
    make({ pendingPerPrefix: 2 });
    const [first, second] = [connection(), connection()];
    assert.deepEqual([first, second].map(refuses), [false, false]);
    assert.equal(refuses(connection()), true);
    assert.equal(refuses(connection(0, '/ip4/192.0.2.2/tcp/1')), false, 'another prefix');
    upgraded(first);
    const third = connection();
    assert.deepEqual([third, connection()].map(refuses), [false, true]);
    second.dispatchEvent(new Event('close'));
    first.dispatchEvent(new Event('close'));
    assert.deepEqual([connection(), connection()].map(refuses), [false, true], 'each handshake gives its place back once');
    assert.equal(await refused('pendingPerPrefix'), 3);
  });

  describe('when the handshakes of a prefix are too many', () => {
    const SILENT_MS = 500;
    const SLOW_MS = 5_000;
    const silent = (addr?: string): FakeConnection => {
      const made = connection(0, addr);
      assert.equal(refuses(made), false);
      return made;
    };
    const speaking = (): FakeConnection => {
      const made = silent();
      made.onData(Uint8Array.of(1));
      made.onData(Uint8Array.of(2));
      assert.deepEqual(made.received, [Uint8Array.of(1), Uint8Array.of(2)], 'the handshake gets its bytes');
      return made;
    };
    const evicted = (reason: string): Promise<number | undefined> => value('relayd_handshakes_evicted_total', { reason });

    it('the oldest that has sent nothing gives way, none that has', async () => {
      make({ pendingPerPrefix: 3 });
      const made = [speaking(), silent(), silent()];
      clock.advance(SILENT_MS);
      silent();
      assert.equal(states(made), 'nan');
      silent();
      assert.equal(states(made), 'naa');
      assert.equal(refuses(connection()), true, 'the others have had no time to say anything');
      assert.deepEqual([await evicted('silent'), await refused('pendingPerPrefix'), await value('relayd_connections_pending')], [2, 1, 3]);
    });

    it('has time for its first bytes, and one whose bytes nobody counts is not silent', () => {
      make({ pendingPerPrefix: 2 });
      const unheard = connection();
      Object.assign(unheard, { onData: undefined });
      assert.equal(refuses(unheard), false);
      const made = [unheard, silent()];
      clock.advance(SILENT_MS - 1);
      assert.equal(refuses(connection()), true);
      clock.advance(1);
      silent();
      assert.equal(states(made), 'na');
    });

    it('when all have spoken, the oldest that takes far too long gives way', async () => {
      make({ pendingPerPrefix: 2 });
      const made = [speaking(), speaking()];
      clock.advance(SLOW_MS - 1);
      assert.equal(refuses(connection()), true);
      clock.advance(1);
      silent();
      assert.equal(states(made), 'an');
      assert.equal(await evicted('slow'), 1);
    });

    it('room is made in each prefix that is full, and in none for a newcomer that the rate refuses', () => {
      make({ pendingPerPrefix: 2, inboundPerPrefix: { count: 3, perMs: 60_000 } });
      const made = [silent('/ip6/2001:db8:0:1::1/tcp/1'), silent('/ip6/2001:db8:0:2::1/tcp/1')];
      clock.advance(SILENT_MS);
      silent('/ip6/2001:db8:0:2::2/tcp/1');
      assert.equal(states(made), 'an', 'only the /48 was full');
      assert.equal(refuses(connection(0, '/ip6/2001:db8:0:2::3/tcp/1')), true, 'the /48 has no token left');
      assert.equal(states(made), 'an');
      assert.equal(refuses(connection(0, '/ip6/2001:db8:1::1/tcp/1')), false, 'another /48');
    });

  });

  it('lets in so many new connections of a prefix a second, and spends nothing on those that it refuses', async () => {
    make({ inboundPerPrefix: { count: 2, perMs: 1_000 } });
    const next = (): boolean => {
      const made = connection();
      const answer = refuses(made);
      upgraded(made);
      return answer;
    };
    assert.deepEqual([next(), next(), next(), next()], [false, false, true, true]);
    assert.equal(refuses(connection(0, '/ip4/192.0.2.2/tcp/1')), false, 'another prefix');
    clock.advance(500);
    assert.deepEqual([next(), next()], [false, true]);
    assert.equal(await refused('inboundPerPrefix'), 3);
  });

  it('spends nothing of one IPv6 prefix when the other is empty', () => {
    make({ inboundPerPrefix: { count: 2, perMs: 60_000 } });
    const from = (addr: string): boolean => refuses(connection(0, addr));
    assert.deepEqual([from('/ip6/2001:db8:0:1::1/tcp/1'), from('/ip6/2001:db8:0:2::1/tcp/1')], [false, false]);
    assert.equal(from('/ip6/2001:db8:0:3::1/tcp/1'), true, 'the /48 has used up its two');
    clock.advance(30_000);
    assert.equal(from('/ip6/2001:db8:0:3::1/tcp/1'), false);
    clock.advance(30_000);
    assert.equal(from('/ip6/2001:db8:0:3::1/tcp/1'), false, 'the /64 still had its second');
  });

  it('has no limit per prefix for exempt addresses', () => {
    make({ pendingPerPrefix: 1, inboundPerPrefix: { count: 1, perMs: 60_000 } });
    for (let i = 0; i < 5; i++) assert.equal(refuses(connection(0, '/ip4/198.51.100.1/tcp/1')), false);
  });

  it('lets in its own, whatever is full, and leaves the room to others', async () => {
    make({ max: 1, pendingPerPrefix: 1, inboundPerPrefix: { count: 1, perMs: 60_000 } });
    own.add('/ip4/192.0.2.1/tcp/7');
    for (let i = 0; i < 3; i++) assert.equal(refuses(connection(0, '/ip4/192.0.2.1/tcp/7')), false);
    assert.equal(await value('relayd_connections_pending'), 0);
    assert.equal(refuses(connection()), false);
    assert.equal(refuses(connection(0, '/ip4/192.0.2.1/tcp/7')), false);
    assert.equal(refuses(connection()), true);
  });

  it('does not count circuits through other relays', () => {
    make({ max: 0 });
    const circuit = connection(0, `/ip4/192.0.2.1/tcp/1/p2p/${String(ids[1])}/p2p-circuit`);
    assert.equal(refuses(circuit), false);
    open(circuit);
    assert.equal(keeper.open, 0);
  });

  it('trims to low above high, the oldest first', async () => {
    const made = openMany(5);
    clock.advance(GRACE_MS);
    assert.deepEqual([keeper.open, asked], [5, 0], 'at high nothing happens');
    made.push(open(connection(5)));
    await settled(1);
    assert.equal(states(made), 'cccnnn');
    assert.equal(keeper.open, 3);
    assert.equal(await value('relayd_connections_trimmed_total'), 3);
  });

  it('spares those that are protected, and closes others in their place', async () => {
    const made = openMany(5);
    spared = new Set([0, 1].map((i) => String(ids[i])));
    clock.advance(GRACE_MS);
    made.push(open(connection(5)));
    await settled(1);
    assert.equal(states(made), 'nncccn');
  });

  it('lets a new connection say what it came for, however many are protected', async () => {
    spared = new Set(ids.slice(0, 10).map(String));
    const held = openMany(10);
    clock.advance(GRACE_MS);
    const newcomer = open(connection(10));
    clock.advance(GRACE_MS - 1);
    assert.equal(newcomer.closed, 'no');
    spared.add(String(ids[10]));
    clock.advance(10 * GRACE_MS);
    await settled(1);
    assert.equal(newcomer.closed, 'no', 'it has reserved');
    const idler = open(connection(11));
    clock.advance(GRACE_MS);
    await settled(1);
    assert.equal(idler.closed, 'closed', 'it has not');
    assert.equal(states(held), 'nnnnnnnnnn');
    assert.equal(clock.pending, 0);
  });

  it('trims a burst when its time is over, and leaves no timer when it goes by itself', async () => {
    const made = openMany(8);
    assert.equal(states(made), 'nnnnnnnn');
    clock.advance(GRACE_MS);
    await settled(1);
    assert.equal(states(made), 'cccccnnn', 'down to low, not only to high');
    const more = openMany(8);
    assert.equal(clock.pending, 1);
    [...made, ...more].forEach((one) => keeper.closed(event(one)));
    assert.deepEqual([keeper.open, clock.pending], [0, 0]);
  });

  it('closes those that had their time at once, and the rest of the surplus when they had theirs', async () => {
    const made = openMany(2);
    clock.advance(GRACE_MS);
    made.push(...openMany(4));
    await settled(1);
    assert.equal(states(made), 'ccnnnn');
    clock.advance(GRACE_MS);
    await settled(1);
    assert.equal(states(made), 'cccnnn');
    assert.equal(clock.pending, 0);
  });

  it('aborts a connection that does not close', async () => {
    const made = openMany(5);
    (made[0] ?? assert.fail()).stubborn = true;
    clock.advance(GRACE_MS);
    open(connection(5));
    await settled(1);
    assert.equal(made[0]?.closed, 'aborted');
  });

  it('takes new limits into force at once', async () => {
    const made = openMany(5);
    clock.advance(GRACE_MS);
    keeper.update({ ...CONFIG, low: 1, high: 2, max: 4, pendingPerPrefix: 1 }, { ...PREFIXES, exempt: [] });
    await settled(1);
    assert.equal(states(made), 'ccccn');
    assert.deepEqual([connection(), connection()].map(refuses), [false, true]);
  });

  it('has a series for each limit from the start', async () => {
    for (const limit of ['max', 'pendingPerPrefix', 'inboundPerPrefix']) assert.equal(await refused(limit), 0);
    for (const reason of ['silent', 'slow']) assert.equal(await value('relayd_handshakes_evicted_total', { reason }), 0);
  });
});
