import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { OwnRecord } from '../../../src/coordination/own-record.ts';
import { openRecord } from '../../../src/coordination/record.ts';
import type { RelayFacts, RelayRecord } from '../../../src/coordination/record.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { SECRET, aRelay } from './a-relay.ts';
import type { ARelay } from './a-relay.ts';

describe("a relay's own record", () => {
  let relay: ARelay;
  let facts: RelayFacts;

  before(async () => {
    relay = await aRelay();
  });

  const setup = (): { clock: ManualClock; own: OwnRecord; next: () => Promise<RelayRecord> } => {
    const clock = new ManualClock();
    facts = relay.facts();
    const own = new OwnRecord({ epoch: 5, key: relay.key, secret: SECRET, clock, facts: () => facts });
    return { clock, own, next: async () => openRecord(await own.sealed(), relay.id, SECRET) };
  };

  it('is the same bytes as long as nothing has changed', async () => {
    const { own, clock } = setup();
    const first = await own.sealed();
    clock.advance(3_600_000);
    assert.equal(await own.sealed(), first);
  });

  it('is told anew at once when it drains, with a higher number', async () => {
    const { next } = setup();
    assert.deepEqual([(await next()).sequence, (await next()).sequence], [1, 1]);
    facts = relay.facts({ state: 'draining' });
    const { epoch, sequence, state } = await next();
    assert.deepEqual({ epoch, sequence, state }, { epoch: 5, sequence: 2, state: 'draining' });
  });

  it('is told anew at once when its relay has other secrets: it is sealed with the one that is spoken', async () => {
    const { own, next } = setup();
    const earlier = await own.sealed();
    facts = relay.facts({ secrets: ['4e5f6a7b', '0a1b2c3d'] });
    assert.notEqual(await own.sealed(), earlier);
    assert.deepEqual((await next()).secrets, ['4e5f6a7b', '0a1b2c3d']);
  });

  it('tells of counts no oftener than each five seconds: a store is not to be written at every request', async () => {
    const { clock, next } = setup();
    await next();
    facts = relay.facts({ bytesRelayed: 2_000 });
    clock.advance(4_999);
    assert.equal((await next()).bytesRelayed, 1_000);
    clock.advance(1);
    assert.equal((await next()).bytesRelayed, 2_000);
  });
});
