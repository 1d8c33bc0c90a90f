import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { ManualClock } from '../../../src/lib/clock.ts';
import { openStatement } from '../../../src/lib/directory/statement.ts';
import type { LoadStatement, RelayStatement } from '../../../src/lib/directory/statement.ts';
import { OwnStatement } from '../../../src/relay/own-statement.ts';
import type { UserClass } from '../../../src/relay/classes.ts';

const IDLE: LoadStatement = { reservations: 0, circuits: 0, bandwidth: undefined, eventLoopDelayMs: 0 };

describe('OwnStatement', () => {
  let clock: ManualClock;
  let key: PrivateKey;
  let facts: { region: string | undefined; loads: Record<UserClass, LoadStatement>; drainEndsAt: number | undefined };

  beforeEach(async () => {
    clock = new ManualClock();
    key = await generateKeyPair('Ed25519');
    facts = { region: 'eu', loads: { public: IDLE, member: { ...IDLE, reservations: 0.9 } }, drainEndsAt: undefined };
  });

  const make = (): OwnStatement =>
    new OwnStatement({
      clock,
      privateKey: key,
      version: '1.0.0',
      facts: {
        get region() {
          return facts.region;
        },
        get drainEndsAt() {
          return facts.drainEndsAt;
        },
        classes: [],
        alternatives: [],
        load: (asker) => facts.loads[asker],
      },
    });
  const read = async (own: OwnStatement, asker: UserClass = 'public'): Promise<RelayStatement> => openStatement(await own.now(asker), peerIdFromPrivateKey(key));

  it('says what is so, to each class about its own room', async () => {
    const own = make();
    const { version, region, draining, drainEndsInMs, validMs, load } = await read(own);
    assert.deepEqual({ version, region, draining, drainEndsInMs, validMs, load }, { version: '1.0.0', region: 'eu', draining: false, drainEndsInMs: undefined, validMs: 900_000, load: IDLE });
    assert.equal((await read(own, 'member')).load.reservations, 0.9);
  });

  it('is signed once for as long as it says the same, for a minute at most', async () => {
    const own = make();
    const first = await own.now('public');
    clock.advance(59_000);
    assert.equal(await own.now('public'), first);
    facts.region = 'us';
    assert.notEqual(await own.now('public'), first);
    const second = await own.now('public');
    clock.advance(60_000);
    assert.notEqual(await own.now('public'), second);
  });

  it('has a sequence number that only grows: with each statement, when the wall clock is set back, and after a restart', async () => {
    const own = make();
    const numbers = [(await read(own)).sequence, (await read(own, 'member')).sequence];
    clock.stepWall(-3_600_000);
    for (const region of ['a', 'b']) {
      facts.region = region;
      numbers.push((await read(own)).sequence);
    }
    clock.stepWall(3_600_000);
    clock.advance(10);
    numbers.push((await read(make())).sequence);
    assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b));
    assert.equal(new Set(numbers).size, numbers.length);
  });

  it('says of a drain how long it still takes, to the second', async () => {
    const own = make();
    facts.drainEndsAt = clock.now() + 30_000;
    const { draining, drainEndsInMs } = await read(own);
    assert.deepEqual({ draining, drainEndsInMs }, { draining: true, drainEndsInMs: 30_000 });
    clock.advance(1_000);
    assert.equal((await read(own)).drainEndsInMs, 29_000);
    clock.advance(60_000);
    assert.equal((await read(own)).drainEndsInMs, 0);
  });

  it('compares as the same while only time passes', () => {
    const own = make();
    const before = own.contentKey('public');
    clock.advance(3_600_000);
    assert.equal(own.contentKey('public'), before);
    facts.loads.public = { ...IDLE, circuits: 0.5 };
    assert.notEqual(own.contentKey('public'), before);
    assert.notEqual(own.contentKey('public'), own.contentKey('member'));
  });
});
