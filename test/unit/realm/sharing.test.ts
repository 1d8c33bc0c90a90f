import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import type { Connection, IdentifyResult, PeerId, Stream, StreamHandler } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import { readFrame, writeFrame } from '../../../src/lib/circuit/frames.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { formatRealmKey } from '../../../src/lib/membership/realm-key.ts';
import { RevocationSharing } from '../../../src/realm/index.ts';
import type { Offered } from '../../../src/realm/index.ts';
import { MAX_ANSWER_BYTES, REVOCATIONS_PROTOCOL, decodeMessage, encodeMessage } from '../../../src/realm/sharing-protocol.ts';
import type { SharingMessage } from '../../../src/realm/sharing-protocol.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { settled } from '../../support/waiting.ts';
import { yamuxPair } from '../../support/yamux-pair.ts';

const AUTHORITY = new Uint8Array(32).fill(7);
const listOf = (sequence: number): Uint8Array => Buffer.from(`list ${sequence}`);

/** A node's realm: it takes every list that says `list N` with a higher N than its own. */
class FakeRealm {
  revocationSequence: number;
  readonly offered: string[] = [];
  readonly #listeners = new Set<() => void>();

  constructor(sequence: number) {
    this.revocationSequence = sequence;
  }

  revocationList(): Uint8Array | undefined {
    return this.revocationSequence === 0 ? undefined : listOf(this.revocationSequence);
  }

  offerRevocationList(bytes: Uint8Array): Offered {
    const text = Buffer.from(bytes).toString();
    this.offered.push(text);
    const sequence = Number(/^list (\d+)$/.exec(text)?.[1] ?? Number.NaN);
    if (Number.isNaN(sequence)) return 'refused';
    if (sequence <= this.revocationSequence) return 'known';
    this.publish(sequence);
    return 'newer';
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  publish(sequence: number): void {
    this.revocationSequence = sequence;
    this.#listeners.forEach((listener) => listener());
  }
}

class FakeHost {
  readonly handlers = new Map<string, StreamHandler>();
  readonly connections: Connection[] = [];
  readonly listeners = new Set<(event: CustomEvent<IdentifyResult>) => void>();
  readonly peerStore = { get: async () => ({ protocols: [REVOCATIONS_PROTOCOL] }) };

  async handle(protocol: string, handler: StreamHandler): Promise<void> {
    this.handlers.set(protocol, handler);
  }

  async unhandle(protocol: string): Promise<void> {
    this.handlers.delete(protocol);
  }

  getConnections(): Connection[] {
    return this.connections;
  }

  addEventListener(_type: 'peer:identify', listener: (event: CustomEvent<IdentifyResult>) => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: 'peer:identify', listener: (event: CustomEvent<IdentifyResult>) => void): void {
    this.listeners.delete(listener);
  }

  identified(connection: Connection, protocols: string[] = [REVOCATIONS_PROTOCOL]): void {
    this.listeners.forEach((listener) => listener(new CustomEvent('peer:identify', { detail: { connection, protocols } as IdentifyResult })));
  }
}

interface Node {
  readonly host: FakeHost;
  readonly realm: FakeRealm;
  readonly sharing: RevocationSharing;
  readonly count: (outcome: string) => Promise<number | undefined>;
}

describe('sharing of revocations', () => {
  let ids: PeerId[];
  let clock: ManualClock;
  before(async () => {
    ids = await makePeerIds(2);
  });
  beforeEach(() => {
    clock = new ManualClock();
  });

  async function start(sequence: number, authority: string | undefined = formatRealmKey(AUTHORITY)): Promise<Node> {
    const [host, realm, registry] = [new FakeHost(), new FakeRealm(sequence), new Registry()];
    const sharing = new RevocationSharing({ host, realm, authority, clock, log: silentLogger, registry });
    await sharing.start();
    const count: Node['count'] = async (outcome) => (await registry.getSingleMetric('relayd_realm_revocation_lists_total')?.get())?.values.find(({ labels }) => labels.outcome === outcome)?.value;
    return { host, realm, sharing, count };
  }

  /** Joins two nodes; `relayed`: over a circuit. Returns each one's end. */
  function join(a: Node, b: Node, { relayed = false } = {}): [Connection, Connection] {
    const remoteAddr = multiaddr(relayed ? `/ip4/192.0.2.7/tcp/1/p2p/${String(ids[0])}/p2p-circuit` : '/ip4/192.0.2.7/tcp/1');
    const [aToB, bToA] = [yamuxPair(), yamuxPair()];
    const ends: [Connection, Connection] = [undefined, undefined] as never;
    const end = (pair: typeof aToB, far: Node, farEnd: 0 | 1, remotePeer: PeerId | undefined): Connection => {
      const newStream = async (): Promise<Stream> => {
        const handler = far.host.handlers.get(REVOCATIONS_PROTOCOL);
        if (handler === undefined) throw Object.assign(new Error('no'), { name: 'UnsupportedProtocolError' });
        const [near, inner] = await pair.open();
        void handler(inner, ends[farEnd]);
        return near;
      };
      return { remotePeer, remoteAddr, status: 'open', newStream } as unknown as Connection;
    };
    ends[0] = end(aToB, b, 1, ids[1]);
    ends[1] = end(bToA, a, 0, ids[0]);
    a.host.connections.push(ends[0]);
    b.host.connections.push(ends[1]);
    return ends;
  }

  /** Guests that speak the protocol, and keep who asks them waiting. */
  async function crowd({ host }: Node): Promise<void> {
    for (const remotePeer of await makePeerIds(20)) {
      host.identified({ remotePeer, remoteAddr: multiaddr('/ip4/192.0.2.9/tcp/1'), status: 'open', direction: 'inbound', newStream: async () => (await yamuxPair().open())[0] } as unknown as Connection);
    }
    await settled();
  }

  it('messages come back as they were sent, and anything else is MALFORMED_MESSAGE', () => {
    const message = fc.record({ authority: fc.uint8Array({ minLength: 32, maxLength: 32 }), sequence: fc.nat({ max: Number.MAX_SAFE_INTEGER }), wants: fc.boolean(), list: fc.uint8Array({ maxLength: 300 }) }, { requiredKeys: ['authority', 'sequence', 'wants'] });
    fc.assert(fc.property(message, (sent: SharingMessage) => assert.deepEqual(decodeMessage(encodeMessage(sent)), { ...sent })));
    const refuses = (bytes: Uint8Array): boolean => {
      try {
        return decodeMessage(bytes).authority.byteLength === 32;
      } catch (error) {
        return error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE';
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), refuses), { numRuns: 1000 });
  });

  it('have the bytes that the description gives', () => {
    assert.deepEqual([...encodeMessage({ authority: AUTHORITY, sequence: 5, wants: true })], [0x0a, 32, ...AUTHORITY, 0x10, 5, 0x18, 1]);
    assert.deepEqual([...encodeMessage({ authority: AUTHORITY, sequence: 5, wants: false, list: Uint8Array.of(9) })], [0x0a, 32, ...AUTHORITY, 0x10, 5, 0x22, 1, 9]);
  });

  it('gives a newer list to who connects and asks', async () => {
    const [client, relay] = [await start(0), await start(3)];
    client.host.identified(join(client, relay)[0]);
    await settled();
    assert.deepEqual([client.realm.revocationSequence, client.realm.offered], [3, ['list 3']]);
    assert.deepEqual([await relay.count('given'), await client.count('taken')], [1, 1]);
  });

  it('gives nothing to who has it, and asks nobody who does not speak of it', async () => {
    const [client, relay] = [await start(3), await start(3)];
    const [connection] = join(client, relay);
    client.host.identified(connection);
    await settled();
    assert.deepEqual([client.realm.offered, await relay.count('given')], [[], 0]);
    client.host.identified(connection, ['/ipfs/ping/1.0.0']);
    client.realm.revocationSequence = 0;
    await settled();
    assert.deepEqual(client.realm.offered, []);
  });

  it('tells whoever has asked as soon as there is a newer one, and it is fetched', async () => {
    const [client, relay] = [await start(1), await start(1)];
    client.host.identified(join(client, relay)[0]);
    await settled();
    relay.realm.publish(2);
    await settled();
    assert.deepEqual([client.realm.revocationSequence, client.realm.offered], [2, ['list 2']]);
  });

  it('goes the other way too: a relay takes what a client has', async () => {
    const [client, relay] = [await start(9), await start(2)];
    client.host.identified(join(client, relay)[0]);
    await settled();
    assert.deepEqual([relay.realm.revocationSequence, client.realm.offered], [9, []]);
  });

  it('tells again whoever could not be told', async () => {
    const [client, relay] = [await start(1), await start(1)];
    const [near, far] = join(client, relay);
    client.host.identified(near);
    await settled();
    const { newStream } = far;
    far.newStream = () => Promise.reject(new Error('it sleeps'));
    relay.realm.publish(2);
    await settled();
    assert.deepEqual([client.realm.revocationSequence, await relay.count('failed')], [1, 1]);
    far.newStream = newStream;
    clock.advance(3_100);
    await settled();
    clock.advance(3_100);
    await settled();
    assert.equal(client.realm.revocationSequence, 2);
  });

  it('asks again from time to time: news may be lost', async () => {
    const [client, relay] = [await start(1), await start(1)];
    client.host.identified(join(client, relay)[0]);
    await settled();
    relay.realm.revocationSequence = 2;
    clock.advance(5 * 60_000);
    await settled();
    assert.equal(client.realm.revocationSequence, 2);
  });

  it('is of one authority: another one\'s node learns nothing', async () => {
    const [client, relay] = [await start(0), await start(3, formatRealmKey(new Uint8Array(32).fill(8)))];
    client.host.identified(join(client, relay)[0]);
    await settled();
    assert.deepEqual([client.realm.revocationSequence, await client.count('failed'), await relay.count('given')], [0, 1, 0]);
  });

  it('is not spoken without an authority, and is as soon as a reload brings one', async () => {
    const [client, relay] = [await start(0), await start(3)];
    await client.sharing.update(undefined);
    join(client, relay);
    assert.deepEqual([...client.host.handlers.keys()], []);
    await client.sharing.update(formatRealmKey(AUTHORITY));
    await settled();
    assert.equal(client.realm.revocationSequence, 3);
  });

  it('is not spoken over a circuit', async () => {
    const [client, relay] = [await start(0), await start(3)];
    const [near, far] = join(client, relay, { relayed: true });
    client.host.identified(near);
    await settled();
    assert.equal(client.realm.revocationSequence, 0);
    const stream = await near.newStream(REVOCATIONS_PROTOCOL);
    writeFrame(stream, encodeMessage({ authority: AUTHORITY, sequence: 0, wants: true }));
    await assert.rejects(readFrame(stream, { signal: AbortSignal.timeout(5_000), maxBytes: MAX_ANSWER_BYTES }));
    assert.ok(far);
  });

  it('asks a peer that gives bad lists no more than twelve times a minute', async () => {
    const [client, liar] = [await start(0), await start(5)];
    liar.realm.revocationList = () => Buffer.from('rubbish');
    const [, far] = join(client, liar);
    for (let i = 0; i < 20; i++) {
      const stream = await far.newStream(REVOCATIONS_PROTOCOL);
      writeFrame(stream, encodeMessage({ authority: AUTHORITY, sequence: 5, wants: false }));
      await settled(3);
    }
    assert.deepEqual([client.realm.offered.length, await client.count('refused'), client.realm.revocationSequence], [12, 12, 0]);
  });

  it('asks the relay that it has dialled, however many guests keep it waiting', async () => {
    const [node, relay] = [await start(0), await start(7)];
    await crowd(node);
    const [near] = join(node, relay);
    Object.assign(near, { direction: 'outbound' });
    node.host.identified(near);
    await settled();
    assert.equal(node.realm.revocationSequence, 7);
    await Promise.all([node.sharing.stop(), relay.sharing.stop()]);
  });

  it('gives a long list to a slow reader all the same, and nothing more to it meanwhile', async () => {
    const [client, relay] = [await start(0), await start(3)];
    const long = new Uint8Array(500_000).fill(1);
    relay.realm.revocationList = () => long;
    const [near] = join(client, relay);
    const ask = async (): Promise<Stream> => {
      const stream = await near.newStream(REVOCATIONS_PROTOCOL);
      writeFrame(stream, encodeMessage({ authority: AUTHORITY, sequence: 0, wants: true }));
      return stream;
    };
    const answerOn = async (stream: Stream): Promise<SharingMessage> => decodeMessage(await readFrame(stream, { signal: AbortSignal.timeout(5_000), maxBytes: MAX_ANSWER_BYTES }));
    const slow = await ask();
    await settled();
    await assert.rejects(answerOn(await ask()));
    clock.advance(10_000);
    assert.equal((await answerOn(slow)).list?.byteLength, long.byteLength);
    await slow.close();
    await settled();
    assert.equal((await answerOn(await ask())).sequence, 3, 'it has been read: there is room again');
    assert.equal(await relay.count('given'), 2);
    await Promise.all([client.sharing.stop(), relay.sharing.stop()]);
  });

  it('asks later a peer for which there was no room at first', async () => {
    const [node, relay] = [await start(0), await start(7)];
    await crowd(node);
    const [guest] = join(node, relay);
    Object.assign(guest, { direction: 'inbound' });
    node.host.identified(guest);
    await settled();
    assert.equal(node.realm.revocationSequence, 0);
    clock.advance(60_000);
    await settled();
    clock.advance(4 * 60_000);
    await settled();
    assert.equal(node.realm.revocationSequence, 7);
    await Promise.all([node.sharing.stop(), relay.sharing.stop()]);
  });

  it('forgets with the authority who had which list of it', async () => {
    const [client, relay] = [await start(9), await start(9)];
    client.host.identified(join(client, relay)[0]);
    await settled();
    const next = formatRealmKey(new Uint8Array(32).fill(8));
    [client.realm.revocationSequence, relay.realm.revocationSequence] = [0, 0];
    await client.sharing.update(next);
    await settled();
    // A relay does not identify its peers: it cannot ask them.
    relay.host.peerStore.get = async () => ({ protocols: [] });
    await relay.sharing.update(next);
    await settled();
    relay.realm.publish(2);
    await settled();
    assert.equal(client.realm.revocationSequence, 2);
    await Promise.all([client.sharing.stop(), relay.sharing.stop()]);
  });

  it('stops, and starts again', async () => {
    const [client, relay] = [await start(0), await start(3)];
    await client.sharing.stop();
    const [near] = join(client, relay);
    client.host.identified(near);
    await settled();
    assert.deepEqual([client.realm.revocationSequence, client.host.listeners.size, client.host.handlers.size], [0, 0, 0]);
    await client.sharing.start();
    client.host.identified(near);
    await settled();
    assert.equal(client.realm.revocationSequence, 3);
    await Promise.all([client.sharing.stop(), relay.sharing.stop()]);
    clock.advance(10_000);
    assert.equal(clock.pending, 0);
  });
});
