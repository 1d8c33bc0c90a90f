import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Connection, PeerId } from '@libp2p/interface';
import { ManualClock } from '../../../src/lib/clock.ts';
import type { SentStatement, StatementProvider } from '../../../src/lib/directory/endpoint.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { UserClass } from '../../../src/relay/classes.ts';
import { Publisher } from '../../../src/relay/publisher.ts';
import type { Reservation } from '../../../src/relay/reservations.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { settled, until, within } from '../../support/waiting.ts';

const LOOK_MS = 10_000;

/** What a client does with a statement that it is sent. */
interface Push {
  readonly connection: Connection;
  readonly said: string;
  readonly signal: AbortSignal;
  /** The stream is open and the statement has gone. */
  sent(): void;
  /** The client has closed its half. */
  closed(): void;
  failed(): void;
}

/** The endpoint's side that the publisher uses, and clients that do what a test says. */
class FakeDirectory {
  provider: StatementProvider = () => undefined;
  /** Pushes that have begun, in order. */
  readonly pushes: Push[] = [];
  /** Being opened and sent now, and the most so far. */
  sending = 0;
  most = 0;
  /** What happens to a push at once. */
  script: (push: Push) => void = () => {};

  serve(provider: StatementProvider): void {
    this.provider = provider;
  }

  async push(connection: Connection, statement: Uint8Array, signal: AbortSignal): Promise<void> {
    await (await this.send(connection, statement, signal)).closed;
  }

  async send(connection: Connection, statement: Uint8Array, signal: AbortSignal): Promise<SentStatement> {
    const [sent, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    closed.promise.catch(() => {});
    signal.addEventListener('abort', () => [sent, closed].forEach(({ reject }) => reject(new Error('aborted'))), { once: true });
    const push = { connection, signal, said: new TextDecoder().decode(statement), sent: sent.resolve, closed: closed.resolve, failed: () => sent.reject(new Error('no')) };
    this.pushes.push(push);
    this.most = Math.max(this.most, ++this.sending);
    this.script(push);
    try {
      await sent.promise;
    } finally {
      this.sending--;
    }
    return { closed: closed.promise };
  }
}

describe('Publisher', () => {
  let clock: ManualClock;
  let directory: FakeDirectory;
  let publisher: Publisher;
  let said: Record<UserClass, string>;
  const outcomes: Record<string, number> = {};
  const connections = new Map<string, Connection[]>();
  let reservations: Reservation[];

  beforeEach(() => {
    clock = new ManualClock();
    directory = new FakeDirectory();
    said = { public: 'public 1', member: 'member 1' };
    reservations = [];
    connections.clear();
    Object.assign(outcomes, { answered: 0, pushed: 0, failed: 0 });
    publisher = new Publisher({
      directory,
      facts: { measure: () => {} },
      statement: { now: async (asker) => new TextEncoder().encode(said[asker]), contentKey: (asker) => said[asker] },
      host: { getConnections: (peer) => connections.get(peer.toString()) ?? [] },
      reservations: () => reservations,
      classOf: (peer) => (reservations.find((held) => held.peer.equals(peer))?.class === 'member' ? 'member' : 'public'),
      clock,
      log: silentLogger,
      metrics: { statement: (outcome) => outcomes[outcome]!++ },
    });
    publisher.start();
  });

  const take = (push: Push): void => {
    push.sent();
    push.closed();
  };

  const connect = (peer: PeerId, { limitClass = 'public', asks = true, reserved = true }: { limitClass?: UserClass; asks?: boolean; reserved?: boolean } = {}): Connection => {
    const connection = { remotePeer: peer, status: 'open' } as Connection;
    connections.set(peer.toString(), [...(connections.get(peer.toString()) ?? []), connection]);
    if (reserved) reservations.push({ peer, class: limitClass } as Reservation);
    if (asks) void directory.provider(connection);
    return connection;
  };

  const look = async (): Promise<void> => {
    clock.advance(LOOK_MS);
    await settled(3);
  };

  it('answers who asks with what is said to its class', async () => {
    const [one, two] = (await makePeerIds(2)) as [PeerId, PeerId];
    connect(one, { limitClass: 'member', asks: false });
    const read = async (peer: PeerId): Promise<string> => new TextDecoder().decode(await directory.provider({ remotePeer: peer } as Connection));
    assert.equal(await read(one), 'member 1');
    assert.equal(await read(two), 'public 1');
    assert.equal(outcomes['answered'], 2);
    publisher.stop();
    assert.equal(directory.provider({ remotePeer: two } as Connection), undefined);
  });

  it('tells of a change those who have asked and hold a reservation, on the connection on which they asked', async () => {
    const [asked, silent, unreserved, twice] = (await makePeerIds(4)) as [PeerId, PeerId, PeerId, PeerId];
    directory.script = take;
    const told = connect(asked);
    connect(silent, { asks: false });
    connect(unreserved, { reserved: false });
    connect(twice, { asks: false });
    const second = connect(twice, { reserved: false });
    await look();
    assert.equal(directory.pushes.length, 0);
    said.public = 'public 2';
    await look();
    assert.deepEqual(directory.pushes.map((push) => [push.connection, push.said]), [[told, 'public 2'], [second, 'public 2']]);
    assert.equal(outcomes['pushed'], 2);
    await look();
    assert.equal(directory.pushes.length, 2);
  });

  it('tells nobody more often than every ten seconds, and then the newest', async () => {
    const [peer] = (await makePeerIds(1)) as [PeerId];
    directory.script = take;
    connect(peer);
    for (let i = 2; i < 12; i++) {
      said.public = `public ${i}`;
      clock.advance(LOOK_MS / 10);
      await settled(1);
    }
    assert.deepEqual(directory.pushes.map((push) => push.said), ['public 11']);
  });

  it('tells only the class whose statement has changed', async () => {
    const [one, two] = (await makePeerIds(2)) as [PeerId, PeerId];
    directory.script = take;
    connect(one);
    connect(two, { limitClass: 'member' });
    said.member = 'member 2';
    await look();
    assert.deepEqual(directory.pushes.map((push) => push.said), ['member 2']);
  });

  it('gives up on a client that takes nothing, and keeps to the rest', async () => {
    const [one, two, three] = (await makePeerIds(3)) as [PeerId, PeerId, PeerId];
    connect(one);
    connect(two);
    connect(three);
    directory.script = (push) => (push.connection.remotePeer.equals(one) ? undefined : push.connection.remotePeer.equals(two) ? push.failed() : take(push));
    said.public = 'public 2';
    await look();
    assert.deepEqual(outcomes, { answered: 3, pushed: 1, failed: 1 });
    clock.advance(5_000);
    await settled();
    assert.deepEqual(outcomes, { answered: 3, pushed: 1, failed: 2 });
    assert.equal(directory.pushes[0]?.signal.aborted, true);
  });

  it('costs no burst: 1,000 clients are told a few at a time, 200 a second', async () => {
    const peers = await makePeerIds(1_000);
    peers.forEach((peer) => connect(peer));
    said.public = 'public 2';
    let pending: Push[] = [];
    directory.script = (push) => void pending.push(push);
    clock.advance(LOOK_MS);
    let elapsedMs = 0;
    while (outcomes['pushed']! < 1_000) {
      await settled(1);
      pending.forEach(take);
      pending = [];
      clock.advance(10);
      elapsedMs += 10;
      assert.ok(elapsedMs < 20_000, 'it does not come to an end');
    }
    assert.ok(directory.most <= 16, `${directory.most} at a time`);
    assert.ok(elapsedMs >= 4_500, `all within ${elapsedMs} ms`);
    assert.equal(new Set(directory.pushes.map((push) => push.connection)).size, 1_000);
    publisher.stop();
    assert.equal(clock.pending, 0);
  });

  it('ends one round before it begins the next, which tells the newest', async () => {
    const peers = await makePeerIds(48);
    peers.forEach((peer) => connect(peer));
    said.public = 'public 2';
    await look();
    said.public = 'public 3';
    // Nobody takes anything: three times sixteen clients have 5 s each.
    for (let i = 0; i < 14; i++) {
      clock.advance(1_000);
      await settled(2);
    }
    assert.deepEqual([directory.most, directory.pushes.length], [16, 48]);
    for (let i = 0; i < 10; i++) {
      clock.advance(1_000);
      await settled(2);
    }
    assert.equal(directory.most, 16);
    assert.equal(directory.pushes[48]?.said, 'public 3');
  });

  it('tells of a drain as many at a time as it may, without waiting for those who were told, and then waits for them', async () => {
    const peers = await makePeerIds(1_000);
    peers.forEach((peer) => connect(peer));
    directory.script = () => {};
    const deadline = new AbortController();
    let over = false;
    const drained = publisher.drain(deadline.signal).then(() => (over = true));
    let sent = 0;
    while (sent < 1_000) {
      await until(() => directory.sending > 0, 'a push');
      assert.ok(directory.sending <= 64);
      const to = directory.pushes.length;
      directory.pushes.slice(sent, to).forEach((push) => push.sent());
      sent = to;
      await settled(1);
    }
    assert.equal(directory.most, 64);
    assert.equal(publisher.leaving, 1_000);
    directory.pushes.slice(1).forEach((push) => push.closed());
    await settled();
    assert.equal(publisher.leaving, 1);
    assert.equal(over, false);
    directory.pushes[0]?.closed();
    await within(drained, 'the drain');
    assert.equal(publisher.leaving, 0);
    assert.equal(clock.pending, 0);
  });

  it('tells of a drain those who take it though hundreds before them do not', async () => {
    const peers = await makePeerIds(640);
    peers.forEach((peer) => connect(peer));
    const awake = peers.at(-1)!;
    directory.script = (push) => (push.connection.remotePeer.equals(awake) ? take(push) : undefined);
    const deadline = new AbortController();
    const drained = publisher.drain(deadline.signal);
    const isTold = (): boolean => directory.pushes.some((push) => push.connection.remotePeer.equals(awake));
    for (let turn = 0; turn < 12 && !isTold(); turn++) {
      await settled(3);
      clock.advance(250);
    }
    assert.ok(isTold(), 'within 3 s');
    deadline.abort(new Error('the drain is over'));
    await within(drained, 'the drain');
    assert.equal(clock.pending, 0);
  });

  it('drains at once where nobody has asked', async () => {
    const peers = await makePeerIds(3);
    peers.forEach((peer) => connect(peer, { asks: false }));
    await within(publisher.drain(new AbortController().signal), 'the drain', 100);
    assert.equal(directory.pushes.length, 0);
  });

  it('waits for nobody whom it could not tell, and for nobody when its time is over', async () => {
    const [one, two] = (await makePeerIds(2)) as [PeerId, PeerId];
    connect(one);
    connect(two);
    directory.script = (push) => (push.connection.remotePeer.equals(one) ? push.failed() : push.sent());
    const deadline = new AbortController();
    const drained = publisher.drain(deadline.signal);
    await settled();
    assert.equal(publisher.leaving, 1);
    assert.deepEqual([outcomes['pushed'], outcomes['failed']], [1, 1]);
    deadline.abort(new Error('the drain is over'));
    await within(drained, 'the drain');
    assert.equal(publisher.leaving, 0);
  });

  it('stops telling of a change when it begins to drain', async () => {
    const peers = await makePeerIds(100);
    peers.forEach((peer) => connect(peer));
    said.public = 'public 2';
    await look();
    assert.equal(directory.pushes.length, 16);
    said.public = 'draining';
    directory.script = take;
    const drained = publisher.drain(new AbortController().signal);
    directory.pushes.slice(0, 16).forEach(take);
    await within(drained, 'the drain');
    await look();
    assert.equal(directory.pushes.filter((push) => push.said === 'public 2').length, 16);
    assert.equal(directory.pushes.filter((push) => push.said === 'draining').length, 100);
  });
});
