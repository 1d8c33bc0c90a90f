import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import type { PeerId, Stream } from '@libp2p/interface';
import { Registry } from 'prom-client';
import type { ClassLimits, RelayConfig } from '../../../src/config/domain.ts';
import { writeFrame } from '../../../src/lib/circuit/frames.ts';
import { encodeStop } from '../../../src/lib/circuit/messages.ts';
import type { HopMessage } from '../../../src/lib/circuit/messages.ts';
import { Status } from '../../../src/lib/circuit/protocol.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { createLogger, silentLogger } from '../../../src/lib/logger.ts';
import { TOKEN_PROBLEMS } from '../../../src/lib/membership/verifier.ts';
import { INTERNAL_LIMITS } from '../../../src/relay/classes.ts';
import { explain } from '../../../src/relay/explanation.ts';
import { RelayService } from '../../../src/relay/index.ts';
import { ByteReader } from '../../support/byte-reader.ts';
import { patternBytes } from '../../support/bytes.ts';
import { FakeHost } from '../../support/fake-host.ts';
import type { FakeConnection } from '../../support/fake-host.ts';
import { FakeVerifier } from '../../support/fake-verifier.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { settled } from '../../support/waiting.ts';

const ANYONE = { allow: [], deny: [] };
const FREE = { reservePerPeer: undefined, reservePerPrefix: undefined, connectPerPeer: undefined, connectPerPrefix: undefined };
const LIMITS: ClassLimits = {
  ...INTERNAL_LIMITS,
  rates: FREE,
  reservations: { max: 10, perPrefix: 10, perAsn: 10, ttlMs: 3_600_000 },
  circuits: { max: 10, perSource: 10, perTarget: 10, pending: 10, durationMs: 600_000, bytesPerDirection: 1 << 20, idleMs: Infinity },
};
const CONFIG: RelayConfig = { open: false, limits: LIMITS, memberLimits: LIMITS, prefixes: { ipv4: 32, ipv6: [56], exempt: [] }, asnFile: undefined, maxEventLoopDelayMs: Infinity, region: undefined, alternatives: [], access: { reserve: ANYONE, connect: ANYONE, target: ANYONE } };
const AUTHORITY = 'ed25519:the fake verifier needs no key';

describe('a relay of a realm', () => {
  let ids: PeerId[];
  let host: FakeHost;
  let clock: ManualClock;
  let registry: Registry;
  let realm: FakeVerifier;
  let service: RelayService;
  let source: FakeConnection;
  let target: FakeConnection;

  before(async () => {
    ids = await makePeerIds(3);
  });
  const id = (i: number): PeerId => ids[i] ?? assert.fail();
  beforeEach(() => begin());
  afterEach(() => service.stop());

  async function begin(set: Partial<RelayConfig> = {}, members: PeerId[] = [], log = silentLogger): Promise<void> {
    host = await FakeHost.create();
    clock = new ManualClock();
    registry = new Registry();
    realm = new FakeVerifier();
    const terms = { name: 'home', members: members.map(String), authority: AUTHORITY };
    service = new RelayService({ host, config: { ...CONFIG, ...set }, realm: terms, verifier: realm, internalPeers: new Set(), eventLoopDelayMs: () => 0, addresses: { announced: false, allowPrivate: true }, directory: undefined, version: '0.0.0', clock, log, registry });
    await service.start();
    source = host.connect(id(0));
    target = host.connect(id(1));
  }

  const again = async (...how: Parameters<typeof begin>): Promise<void> => {
    await service.stop();
    await begin(...how);
  };
  const reserve = (who: FakeConnection, token?: Uint8Array): Promise<HopMessage> => who.request({ type: 'RESERVE', token });
  const connect = (token?: Uint8Array): ReturnType<FakeConnection['request']> => source.request({ type: 'CONNECT', peer: { id: id(1).toMultihash().bytes, addrs: [] }, token });
  const ends = async (): Promise<[string, number][]> => {
    const values = (await registry.getSingleMetric('relayd_relay_circuits_ended_total')?.get())?.values ?? [];
    return values.filter(({ value }) => value > 0).map(({ labels, value }) => [String(labels.reason), value]);
  };

  async function circuit(sourceToken?: Uint8Array, targetToken?: Uint8Array): Promise<{ near: Stream; far: Stream }> {
    if (targetToken !== undefined) assert.equal((await reserve(target, targetToken)).status, Status.OK);
    const asked = connect(sourceToken);
    const { stream: far } = await target.stopRequest();
    writeFrame(far, encodeStop({ type: 'STATUS', status: Status.OK }));
    const { stream: near, status } = await asked;
    assert.equal(status, Status.OK);
    await settled();
    return { near, far };
  }

  it('makes a peer a member by its token, asks for the right use, and says so', async () => {
    const granted = await reserve(target, realm.issue('T'));
    assert.deepEqual([granted.status, granted.membership], [Status.OK, { class: 'member' }]);
    await circuit(realm.issue('S'));
    assert.deepEqual(realm.shown, [['T', id(1).toString(), 'reserve'], ['S', id(0).toString(), 'connect']]);
    assert.deepEqual(realm.claimed, ['T', 'S']);
    assert.deepEqual([service.reservations().map(({ token }) => token), service.circuits().map(({ token }) => token)], [['T'], ['S']]);
  });

  for (const problem of TOKEN_PROBLEMS) {
    it(`refuses with 202 and a text for people: ${problem}`, async () => {
      const token = realm.issue('bad', { problem });
      for (const reply of [await reserve(source, token), await connect(token)]) {
        assert.deepEqual([reply.status, reply.refusal], [Status.PERMISSION_DENIED, { limit: problem, alternatives: [], explanation: explain(problem, 'home') }]);
      }
      assert.ok(explain(problem, undefined));
      assert.deepEqual(realm.claimed, []);
    });

    it(`open to anyone, serves as anyone and says why: ${problem}`, async () => {
      await again({ open: true });
      const reply = await reserve(target, realm.issue('bad', { problem }));
      assert.deepEqual([reply.status, reply.membership], [Status.OK, { class: 'public', problem }]);
      assert.deepEqual([service.counts().classes.public.reservations.count, realm.claimed], [1, []]);
    });
  }

  it('tells a stranger without a token what the relay is for', async () => {
    const { status, refusal } = await reserve(source);
    assert.deepEqual([status, refusal?.limit, refusal?.explanation], [Status.PERMISSION_DENIED, 'members only', 'this relay serves members of the realm home; ask its operator for an invitation']);
  });

  it('has room for members where an authority makes them', () => assert.equal(service.counts().classes.member.reservations.max, 10));

  it('serves members by peer id whatever their token is worth, and none that is revoked', async () => {
    await again({}, [id(0), id(1)]);
    const reply = await reserve(source, realm.issue('bad', { problem: 'token expired' }));
    assert.deepEqual([reply.status, reply.membership], [Status.OK, { class: 'member', problem: 'token expired' }]);
    realm.revoke(id(1));
    assert.equal((await reserve(target)).refusal?.limit, 'members only');
  });

  it('looks at no more than twenty forged tokens of a peer a minute', async () => {
    for (let i = 0; i < 25; i++) await reserve(source, realm.issue(`forged ${i}`, { problem: 'token signature' }));
    assert.equal(realm.shown.length, 20);
    assert.equal((await reserve(source, realm.issue('good'))).refusal?.limit, 'token signature', 'not even at a good one');
    assert.equal((await reserve(target, realm.issue('good'))).status, Status.OK, 'another peer is looked at');
    clock.advance(3_000);
    assert.equal((await reserve(source, realm.issue('good'))).status, Status.OK);
  });

  it('uses up no token for what it refuses', async () => {
    await again({ memberLimits: { ...LIMITS, reservations: { ...LIMITS.reservations, max: 0 } } });
    const token = realm.issue('T');
    assert.equal((await reserve(source, token)).refusal?.limit, 'reservations.max');
    assert.equal((await connect(token)).refusal?.limit, 'no reservation');
    assert.deepEqual(realm.claimed, []);
  });

  it('counts what it refuses a member by token as a member\'s', async () => {
    await connect(realm.issue('T'));
    const refused = (await registry.getSingleMetric('relayd_relay_refusals_total')?.get())?.values.filter(({ value }) => value > 0);
    assert.deepEqual(refused?.map(({ labels }) => labels), [{ request: 'connect', limit: 'no reservation', class: 'member' }]);
  });

  describe('a token with limits', () => {
    it('holds for the circuits of its member in place of the class\'s', async () => {
      const token = realm.issue('S', { limits: { circuits: 1, durationMs: 90_000, bytesPerDirection: 1000 } });
      const { near, far } = await circuit(token, realm.issue('T'));
      assert.equal((await connect(token)).refusal?.limit, 'circuits.perSource');
      const { limit } = await reserve(source, token);
      assert.deepEqual(limit, { durationSeconds: 90, dataBytes: 1000 });
      near.send(patternBytes(1001));
      assert.equal(await new ByteReader(far).closed(), 'reset');
      assert.deepEqual(await ends(), [['byte limit', 1]]);
      await circuit(token);
      clock.advance(90_000);
      assert.deepEqual(await ends(), [['byte limit', 1], ['duration limit', 1]]);
    });

    it('slows all circuits of its member together, those to it too, whoever opened them', async () => {
      await again({ open: true });
      const { near, far } = await circuit(undefined, realm.issue('T', { limits: { bandwidth: 4000 } }));
      const arrived = new ByteReader(far);
      near.send(patternBytes(20_000));
      await settled();
      assert.ok(arrived.length < 4000, `${arrived.length} bytes at once`);
      for (let i = 0; i < 60 && arrived.length < 20_000; i++) {
        clock.advance(100);
        await settled(2);
      }
      assert.equal(arrived.length, 20_000);
    });
  });

  describe('when a membership is over', () => {
    it('grants no reservation that outlives the token, and ends the circuits to its holder with it', async () => {
      const { near } = await circuit(realm.issue('S'), realm.issue('T', { expiresAtWall: clock.wall() + 60_500 }));
      const [held] = service.reservations();
      assert.equal(held?.expiresAt, new Date(Math.floor((clock.wall() + 60_500) / 1000) * 1000).toISOString());
      const reader = new ByteReader(near);
      clock.advance(60_499);
      assert.deepEqual([service.counts().reservations.count, service.counts().circuits.count], [1, 1]);
      clock.advance(1);
      assert.deepEqual([service.counts().reservations.count, service.counts().circuits.count], [0, 0]);
      assert.deepEqual([await reader.closed(), await ends()], ['reset', [['token expired', 1]]]);
    });

    it('ends the circuits that its holder has opened when the token expires, whatever the wall clock was set to meanwhile', async () => {
      const { near } = await circuit(realm.issue('S', { expiresAtWall: clock.wall() + 400_000 }), realm.issue('T'));
      clock.stepWall(350_000);
      clock.advance(60_000);
      assert.deepEqual([await new ByteReader(near).closed(), await ends(), service.counts().reservations.count], ['reset', [['token expired', 1]], 1]);
    });

    it('keeps the circuits to a peer that has another token by then', async () => {
      await circuit(realm.issue('S'), realm.issue('T', { expiresAtWall: clock.wall() + 60_000 }));
      await reserve(target, realm.issue('newer', { expiresAtWall: clock.wall() + 500_000 }));
      clock.advance(100_000);
      assert.deepEqual([service.counts().reservations.count, service.counts().circuits.count], [1, 1]);
      realm.revoke('newer');
      assert.deepEqual([service.counts().reservations.count, service.counts().circuits.count], [0, 0]);
    });

    for (const [what, revoked] of [['the source', 'S'], ['the target', 'T']] as const) {
      it(`ends a circuit at once when the token of ${what} is revoked`, async () => {
        const { near, far } = await circuit(realm.issue('S'), realm.issue('T'));
        const readers = [new ByteReader(near), new ByteReader(far)];
        realm.revoke(revoked);
        assert.deepEqual(await ends(), [['revoked', 1]]);
        assert.deepEqual([await readers[0]?.closed(), await readers[1]?.closed()], ['reset', 'reset']);
        assert.equal(service.counts().reservations.count, revoked === 'T' ? 0 : 1);
      });
    }

    it('says in the log whose it was and by which token: by the name of the token, which is no secret', async () => {
      const lines: string[] = [];
      await again({}, [], createLogger({ level: 'info', format: 'json', destination: { write: (line) => lines.push(line) } }));
      await reserve(target, realm.issue('T'));
      realm.revoke('T');
      const { peer, tokenId, reason } = JSON.parse(lines.find((line) => line.includes('a membership is over')) ?? '{}') as Record<string, unknown>;
      assert.deepEqual({ peer, tokenId, reason }, { peer: id(1).toString(), tokenId: 'T', reason: 'revoked' });
    });

    it('says that a bearer token is used up where others turn out to have its places, in the log and the metric', async () => {
      const lines: string[] = [];
      await again({}, [], createLogger({ level: 'info', format: 'json', destination: { write: (line) => lines.push(line) } }));
      await circuit(realm.issue('S'), realm.issue('T'));
      realm.displace('T');
      assert.deepEqual([service.counts().reservations.count, await ends()], [0, [['token used up', 1]]]);
      assert.match(lines.find((line) => line.includes('a membership is over')) ?? '', /"reason":"token used up"/);
    });

    it('leaves a member by peer id that is revoked nothing, and ends its connection', async () => {
      await again({ open: true }, [id(1)]);
      await reserve(target);
      await circuit();
      realm.revoke(id(1));
      await settled();
      assert.deepEqual([service.counts().reservations.count, service.counts().circuits.count, target.status], [0, 0, 'closed']);
      assert.equal(source.status, 'open');
    });

    it('leaves a holder of a reservation no circuit that it has opened as anyone either', async () => {
      await again({ open: true });
      await reserve(source, realm.issue('S'));
      await reserve(target);
      await circuit();
      assert.equal(service.circuits()[0]?.class, 'public');
      realm.revoke('S');
      assert.deepEqual([service.counts().reservations.count, service.counts().circuits.count, await ends()], [1, 0, [['revoked', 1]]]);
    });

    it('leaves those alone who are served as anyone', async () => {
      await again({ open: true });
      await reserve(target);
      await circuit();
      realm.revoke(id(0), id(1));
      assert.deepEqual([service.counts().reservations.count, service.counts().circuits.count], [1, 1]);
    });

    for (const [what, end, refusal] of [['is revoked', () => realm.revoke('S'), 'token revoked'], ['loses its place', () => realm.displace('S'), 'token used up']] as const) {
      it(`opens no circuit for a member that ${what} while the target is asked, and says so`, async () => {
        await reserve(target, realm.issue('T'));
        const asked = connect(realm.issue('S'));
        const { stream } = await target.stopRequest();
        end();
        writeFrame(stream, encodeStop({ type: 'STATUS', status: Status.OK }));
        assert.equal((await asked).refusal?.limit, refusal);
        assert.equal(service.counts().circuits.count, 0);
      });
    }

    it('listens to nobody once it is stopped', async () => {
      await circuit(realm.issue('S', { expiresAtWall: clock.wall() + 60_000 }), realm.issue('T'));
      await service.stop();
      // By then streams that linger are gone; the token has not expired.
      clock.advance(10_000);
      assert.deepEqual([realm.listeners.size, clock.pending], [0, 0]);
    });
  });
});
